import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { type Career, careerToJson, OCCUPATIONS, occupationIndex } from "../../../data/mod.ts";
import { careersOfParquet, careersToParquet } from "../../../data/tables/mod.ts";
import { arbitraryCareer, careerOf } from "../arbitrary_career.ts";
import { missing, readShared } from "../shared_data.ts";

const FILE = { file: "careers.parquet" };

async function bytesOf(careers: Iterable<Career>): Promise<ArrayBuffer> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of careersToParquet(careers)) pieces.push(piece);
  return new Blob(pieces).arrayBuffer();
}

/** As deepEqual(), whose time grows with the square of so many people. */
function assertSame(careers: readonly Career[], expected: readonly Career[]): void {
  assert.equal(careers.length, expected.length);
  for (const [i, career] of careers.entries()) {
    assert.equal(careerToJson(career), careerToJson(expected[i] as Career));
  }
}

const withDataset = fc
  .tuple(arbitraryCareer, fc.option(fc.constantFrom("NLSY79", "my survey"), { nil: undefined }))
  .map(([career, dataset]) => (dataset === undefined ? career : { ...career, dataset }));
const arbitraryCareers = fc.uniqueArray(withDataset, {
  minLength: 1,
  maxLength: 12,
  selector: ({ id }) => id,
});

test("careers of any shape survive Parquet", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCareers, async (careers) => {
      assert.deepEqual(await careersOfParquet(await bytesOf(careers), FILE), careers);
    }),
    { seed: 1, numRuns: 60 },
  );
});

test("a row is a person-year, and carries the title", async () => {
  const bytes = await bytesOf([careerOf("a", "275", "unemployed"), careerOf("b", "999")]);
  const rows = await parquetReadObjects({ file: bytes });
  const title = OCCUPATIONS[occupationIndex("275")]?.title;
  assert.equal(rows.length, 3);
  assert.deepEqual(rows[0], {
    id: "a",
    dataset: null,
    gender: "female",
    ethnicity: "white",
    birth_year: 1980,
    region: "south",
    year: 2001,
    education: "college",
    occupation: "275",
    title,
  });
  assert.equal(parquetMetadata(bytes).created_by, "tenure");
});

test("many rows become several row groups, people whole in each", async () => {
  const codes = Array.from({ length: 30 }, () => "275");
  const people = Array.from({ length: 4_500 }, (_, i) => careerOf(String(i), ...codes));
  const bytes = await bytesOf(people);
  assert.deepEqual(
    parquetMetadata(bytes).row_groups.map(({ num_rows }) => Number(num_rows)),
    [131_100, 3_900],
  );
  assertSame(await careersOfParquet(bytes, FILE), people);
});

test("the NLSY79 is the same after Parquet", { skip: missing("nlsy79.tsv.gz") }, async () => {
  const careers = await readShared("nlsy79.tsv.gz");
  assertSame(await careersOfParquet(await bytesOf(careers), FILE), careers);
});

test("what could not be read back is not written", async () => {
  const twice = [careerOf("a", "275"), careerOf("a", "276")];
  await assert.rejects(bytesOf(twice), {
    name: "RangeError",
    message:
      'Cannot write the career of "a": every id must occur once (one career a person), got it twice',
  });
  await assert.rejects(
    bytesOf([careerOf("b", "9")]),
    /the career of "b": in 2001 the code must be/,
  );
});

/** Two people in three rows, out of order. */
const COLUMNS: readonly ColumnSource[] = [
  { name: "year", data: [2003, 1999, 2001], type: "INT32" },
  { name: "id", data: [7n, 8n, 7n], type: "INT64" },
  { name: "gender", data: ["male", "female", "male"] },
  { name: "ethnicity", data: ["white", "white", "white"] },
  { name: "birth_year", data: [1980.0, null, 1980.0], type: "DOUBLE", nullable: true },
  { name: "education", data: ["college", "high school", "some college"] },
  { name: "occupation", data: [275, 999, 4], type: "INT32" },
  { name: "wage", data: [1.5, 2.5, 3.5], type: "DOUBLE" },
];

function table(changes: Readonly<Record<string, Partial<ColumnSource> | null>> = {}): ArrayBuffer {
  const columnData = COLUMNS.filter(({ name }) => changes[name] !== null).map((column) => ({
    ...column,
    ...changes[column.name],
  }));
  return parquetWriteBuffer({ columnData });
}

test("rows of other programs may stand in any order, with numbers for codes", async () => {
  const careers = await careersOfParquet(table(), FILE);
  assert.deepEqual(careers, [
    {
      id: "7",
      gender: "male",
      ethnicity: "white",
      birthYear: 1980,
      observations: [
        { year: 2001, education: "some college", occupation: "4" },
        { year: 2003, education: "college", occupation: "275" },
      ],
    },
    {
      id: "8",
      gender: "female",
      ethnicity: "white",
      observations: [{ year: 1999, education: "high school", occupation: "999" }],
    },
  ]);
});

const WRONG: readonly {
  readonly what: string;
  readonly changes: Readonly<Record<string, Partial<ColumnSource> | null>>;
  readonly message: RegExp;
}[] = [
  {
    what: "a missing column",
    changes: { education: null, occupation: null },
    message:
      /careers\.parquet: it must have the columns id, .*, got none named education, occupation$/,
  },
  {
    what: "a null where a value must be",
    changes: { gender: { data: ["male", null, "male"], nullable: true } },
    message: /row 2: gender must be text, got nothing$/,
  },
  {
    what: "a column of the wrong type",
    changes: { year: { data: ["2003", "1999", "2001"], type: "STRING" } },
    message: /row 1: year must be a whole number, got "2003"$/,
  },
  {
    what: "half a year",
    changes: { year: { data: [2003, 1999.5, 2001], type: "DOUBLE" } },
    message: /row 2: year must be a whole number, got "1999.5"$/,
  },
  {
    what: "an unknown education",
    changes: { education: { data: ["college", "PhD", "college"] } },
    message: /row 2: the education in 1999 must be one of .*, got "PhD"$/,
  },
  {
    what: "an unknown occupation",
    changes: { occupation: { data: [275, 999, 3], type: "INT32" } },
    message: /row 1: of "7", who begins here, in 2001 the code must be .*, got "3"$/,
  },
  {
    what: "a year twice",
    changes: { year: { data: [2003, 1999, 2003], type: "INT32" } },
    message: /row 3: a person must have one row a year, got 2003 of "7" twice$/,
  },
  {
    what: "a person of two kinds",
    changes: { ethnicity: { data: ["white", "white", "black"] } },
    message:
      /row 3: ethnicity must be the same in all rows of "7", got "black" after "white" in row 1$/,
  },
  {
    what: "education that falls",
    changes: { education: { data: ["high school", "college", "college"] } },
    message: /row 1: of "7", who begins here, education must never decrease/,
  },
  {
    what: "lists in a column",
    changes: { gender: { data: ["male", "female", "male"].map((g) => ({ g })), type: "JSON" } },
    message: /row 1: gender must be text, got /,
  },
];

for (const { what, changes, message } of WRONG) {
  test(`${what} is told by row`, async () => {
    await assert.rejects(careersOfParquet(table(changes), FILE), { name: "SyntaxError", message });
  });
}

test("a field of a record may have the name of a column, and is not taken for it", async () => {
  const bytes = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 1 + COLUMNS.length },
      { name: "extra", repetition_type: "REQUIRED", num_children: 1 },
      { name: "year", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      ...COLUMNS.map(({ name, type, data }) => ({
        name,
        repetition_type: data.includes(null) ? ("OPTIONAL" as const) : ("REQUIRED" as const),
        ...(type === undefined || type === "STRING"
          ? { type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const }
          : { type }),
      })),
    ] as NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>,
    columnData: [
      { name: "extra", data: [{ year: "a" }, { year: "b" }, { year: "c" }] },
      ...COLUMNS.map(({ name, data }) => ({ name, data })),
    ],
  });
  assert.deepEqual(await careersOfParquet(bytes, FILE), await careersOfParquet(table(), FILE));
});

test("other files are no Parquet files", async () => {
  for (const [bytes, message] of [
    [new ArrayBuffer(0), /must be a Parquet file, got 0 bytes$/],
    [new TextEncoder().encode("id,gender\n1,male\n").buffer, /ends in "PAR1", got "ale\\n"$/],
    [table().slice(0, 400), /ends in "PAR1"/],
    [parquetWriteBuffer({ columnData: COLUMNS.map((c) => ({ ...c, data: [] })) }), /got none$/],
  ] as const) {
    await assert.rejects(careersOfParquet(bytes, FILE), { name: "SyntaxError", message });
  }
});

test("a damaged file gives careers or an error that names it, and never anything else", async () => {
  const whole = new Uint8Array(await bytesOf([careerOf("a", "275", "276"), careerOf("b", "999")]));
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, change) => {
        const bytes = whole.slice();
        bytes[at] = (bytes[at] ?? 0) ^ change;
        try {
          const careers = await careersOfParquet(bytes.buffer, FILE);
          assert.ok(careers.length > 0);
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
          assert.match(error.message, /^Cannot read careers\.parquet[:,]/);
        }
      },
    ),
    { seed: 7, numRuns: 2_000 },
  );
});
