import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { gzipSync, strToU8 } from "fflate";
import { missingReason, readCdb, readSdf } from "../../../data/survey/nls/mod.ts";
import { type NlsTable, openNlsTable, type SurveyRow } from "../../../data/survey/mod.ts";
import { bytesStream, memoryArchive, openFiles } from "./memory_archive.ts";

const SDF = `

Reference
Number     Year    Variable Description                 Question Name
-----------------------------------------------------------------------
R00001.00  1979    IDENTIFICATION CODE                  CASEID
R02147.00  78SCRN  R'S RACIAL/ETHNIC COHORT             SAMPLE_RACE
R02167.00  1979    HIGHEST GRADE COMPLETED (UNREVISED) HGC
W00611.00  XRND    LABOR FORCE STATUS WEEK 1            STATUS_WK_NUM0001
`;

const CDB = `R02148.00    [SAMPLE_SEX]                                   Survey Year: 1979
  PRIMARY VARIABLE


             SEX OF R

UNIVERSE: Entire sample

    6403       1 MALE
    6283       2 FEMALE
       7      13 TO 20: SOMETHING ELSE
  -------
   12686

Refusal(-1)            0
TOTAL =========>   12686   VALID SKIP(-4)       0     NON-INTERVIEW(-5)       0

Min:              1        Max:              2        Mean:                 1.5
--------------------------------------------------------------------------------
A00026.00    [VERSION_R26]                                  Survey Year: XRND

             VERSION_R26_1
`;

/** All rows of some columns. */
async function rowsOf(table: NlsTable, names: readonly string[]): Promise<SurveyRow[]> {
  const find = (name: string) => table.variables.find((variable) => variable.name === name)!;
  const rows: SurveyRow[] = [];
  for await (const row of table.rows(names.map(find), find("R0000100"))) rows.push(row);
  return rows;
}

test("readSdf() reads numbers, years, descriptions and questions, columns aligned or not", async () => {
  assert.deepEqual(await readSdf(bytesStream(SDF), "a.sdf"), [
    {
      reference: "R0000100",
      year: 1979,
      question: "CASEID",
      description: "IDENTIFICATION CODE",
    },
    { reference: "R0214700", question: "SAMPLE_RACE", description: "R'S RACIAL/ETHNIC COHORT" },
    {
      reference: "R0216700",
      year: 1979,
      question: "HGC",
      description: "HIGHEST GRADE COMPLETED (UNREVISED)",
    },
    {
      reference: "W0061100",
      question: "STATUS_WK_NUM0001",
      description: "LABOR FORCE STATUS WEEK 1",
    },
  ]);
});

test("readSdf() of another file names the line", async () => {
  await assert.rejects(readSdf(bytesStream("R00001.00 1979 A B\n"), "a.sdf"), {
    name: "SyntaxError",
    message: /^Cannot read a.sdf, line 1: a line of dashes must stand below/,
  });
  await assert.rejects(readSdf(bytesStream(`${SDF}\nTotal: 4\n`), "a.sdf"), {
    message: /^Cannot read a.sdf, line 11: a variable must have .*got "Total: 4"$/,
  });
});

test("readCdb() reads variables and what their values mean, whatever the bytes", async () => {
  const latin1 = new Uint8Array([...strToU8(CDB), 0xe9, 0x0a]);
  const [sex, version, ...rest] = await readCdb(bytesStream(latin1), "a.cdb");
  assert.equal(rest.length, 0);
  const { labels, ...plain } = sex!;
  assert.deepEqual(plain, {
    reference: "R0214800",
    year: 1979,
    question: "SAMPLE_SEX",
    description: "SEX OF R",
  });
  assert.deepEqual(
    [...labels!],
    [
      ["1", "MALE"],
      ["2", "FEMALE"],
      ["13 TO 20", "SOMETHING ELSE"],
    ],
  );
  assert.deepEqual([version!.reference, version!.year], ["A0002600", undefined]);
  await assert.rejects(readCdb(bytesStream("nothing\n"), "a.cdb"), /at least one variable/);
});

test("extracts are one table, joined by the id, with what the codebooks say", async () => {
  const table = await openFiles({
    "a.csv": '"R0000100","R0216700"\n1,12\n3,-4\n2,16\n',
    "b/c.csv.gz": gzipSync(strToU8("R0000100,1982\n2,275\n1,-5\n9,7\n")),
    "a.sdf": SDF,
    "a.cdb": CDB,
    ".DS_Store": "x",
    "__MACOSX/a.csv": "x",
  });
  assert.deepEqual(table.files, { data: ["a.csv", "b/c.csv.gz"], codebooks: ["a.sdf", "a.cdb"] });
  assert.deepEqual(table.variables[1], {
    name: "R0216700",
    file: "a.csv",
    year: 1979,
    question: "HGC",
    description: "HIGHEST GRADE COMPLETED (UNREVISED)",
  });
  assert.deepEqual(await rowsOf(table, ["R0000100", "1982", "R0216700"]), [
    { place: "a.csv:2", values: ["1", "-5", "12"] },
    { place: "a.csv:3", values: ["3", undefined, "-4"] },
    { place: "a.csv:4", values: ["2", "275", "16"] },
    { place: "b/c.csv.gz:4", values: [undefined, "7", undefined] },
  ]);
});

const DCT = `infile dictionary {
  R0000100 "ID# (1-12686) 79"
  long R0214800 "SEX OF R 79"
}
`;

test("a dictionary is read with its .dat, with data of its own, and not beside a .csv", async () => {
  const expected = [
    { place: "a.dat:1", values: ["1", "2"] },
    { place: "a.dat:2", values: ["2", "1"] },
  ];
  const withDat = await openFiles({ "a.dct": DCT, "a.dat": "1 2\n 2  1 \n\n" });
  assert.deepEqual(await rowsOf(withDat, ["R0000100", "R0214800"]), expected);
  const inline = await openFiles({ "a.dct": `${DCT}1 2\n2 1\n` });
  assert.deepEqual(await rowsOf(inline, ["R0000100", "R0214800"]), [
    { place: "a.dct:5", values: ["1", "2"] },
    { place: "a.dct:6", values: ["2", "1"] },
  ]);
  const both = await openFiles({ "a.dct": `${DCT}1 2\n`, "a.csv": "R0000100\n7\n" });
  assert.deepEqual(both.files.data, ["a.csv"]);
});

test("reference numbers are one however they are written", async () => {
  const table = await openFiles({ "a.csv": "r0000100,R02148.00\n1,2\n" });
  assert.deepEqual(
    table.variables.map(({ name }) => name),
    ["R0000100", "R0214800"],
  );
});

const REFUSED: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
  ["no extract", { "a.txt": "x" }, /^Cannot read "download": it must hold an extract.*got a.txt$/],
  ["an empty file", { "a.csv": "" }, /^Cannot read a.csv, line 1: the first row must name/],
  ["a column twice", { "a.csv": "R0000100,R0000100\n" }, /line 1: .*once, got "R0000100" twice$/],
  ["a column without a name", { "a.csv": "R0000100,\n" }, /line 1: a column must have a name/],
  ["a .dat alone", { "a.csv": "R0000100\n1\n", "b.dat": "1\n" }, /its dictionary b.dct must be/],
  ["places of columns", { "a.dct": "infile dictionary {\n _column(1) R0000100\n}\n" }, /line 2:/],
  [
    "a dictionary without an end",
    { "a.dct": "dictionary {\n R0000100\n" },
    /end with \}, got none/,
  ],
  ["no dictionary", { "a.dct": "R0000100\n" }, /line 1: it must begin with "infile dictionary/],
];

for (const [what, files, message] of REFUSED) {
  test(`openNlsTable() refuses ${what}`, async () => {
    await assert.rejects(openFiles(files), { name: "SyntaxError", message });
  });
}

const BAD_ROWS: readonly (readonly [string, string, RegExp])[] = [
  ["too few values", "R0000100,R1\n1,2\n2\n", /^Cannot read a.csv, line 3: .*2 values.*got 1$/],
  ["too many values", "R0000100,R1\n1,2,3\n", /line 2: .*2 values.*got 3$/],
  ["words", "R0000100,R1\n1,two\n", /line 2: R1 must be a number, got "two"$/],
  ["an id that is no number", "R0000100,R1\nx,2\n", /line 2: the id must be a whole number/],
  ["an id twice", "R0000100,R1\n1,2\n2,1\n1,3\n", /line 4: .*once in a file, got 1 as on line 2$/],
  ["an open quote", 'R0000100,R1\n1,"2\n', /line 2: a quoted field must be closed/],
];

for (const [what, content, message] of BAD_ROWS) {
  test(`a row with ${what} is an error with file and line`, async () => {
    const table = await openFiles({ "a.csv": content });
    await assert.rejects(rowsOf(table, ["R0000100", "R1"]), { name: "SyntaxError", message });
  });
}

test("an extract without the id that is wanted is refused", async () => {
  const table = await openFiles({ "a.csv": "R0000100\n1\n", "b.csv": "R1\n5\n" });
  await assert.rejects(rowsOf(table, ["R0000100", "R1"]), /b.csv, line 1: .*the id "R0000100"/);
});

test("missingReason() tells each code of the NLS, and none of a value", () => {
  assert.equal(missingReason("-1"), "refusal");
  assert.equal(missingReason("-5"), "non-interview");
  assert.equal(missingReason("-6"), undefined);
  assert.equal(missingReason("toString"), undefined);
});

test("any bytes as files either read or give a typed error", async () => {
  const originals = {
    "a.csv": "R0000100,R0214800\n1,2\n2,1\n",
    "b.dct": `${DCT}3 1\n`,
    "a.sdf": SDF,
    "a.cdb": CDB,
  };
  const change = fc.record({
    file: fc.constantFrom(...(Object.keys(originals) as (keyof typeof originals)[])),
    at: fc.nat(600),
    bytes: fc.uint8Array({ maxLength: 3 }),
    cut: fc.nat(4),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const files: Record<string, Uint8Array> = {};
      for (const [name, text] of Object.entries(originals)) files[name] = strToU8(text);
      for (const { file, at, bytes, cut } of changes) {
        const old = files[file]!;
        const place = at % (old.length + 1);
        files[file] = new Uint8Array([...old.slice(0, place), ...bytes, ...old.slice(place + cut)]);
      }
      try {
        const table = await openFiles(files);
        const id = table.variables.find(({ name }) => name === "R0000100");
        if (id !== undefined) for await (const _ of table.rows(table.variables, id));
      } catch (error) {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
        assert.match(error.message, /^Cannot read /);
      }
    }),
    { numRuns: 500, seed: 6 },
  );
});

test("downloads whose extracts have the same name are joined", async () => {
  const archives = ["A0000100", "B0000100"].map((column, i) => ({
    ...memoryArchive({ "default.csv": `R0000100,${column}\n1,${i}\n2,${i + 5}\n` }),
    name: `../${column}.zip`,
  }));
  const table = await openNlsTable(archives);
  assert.deepEqual(table.files.data, [
    "../A0000100.zip/default.csv",
    "../B0000100.zip/default.csv",
  ]);
  assert.deepEqual(await rowsOf(table, ["R0000100", "A0000100", "B0000100"]), [
    { place: "../A0000100.zip/default.csv:2", values: ["1", "0", "1"] },
    { place: "../A0000100.zip/default.csv:3", values: ["2", "5", "6"] },
  ]);
});
