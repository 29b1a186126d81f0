import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Career,
  type CareerFormat,
  careersToJsonl,
  careerToJson,
  readCareers,
} from "../../data/mod.ts";
import { arbitraryCareer, careerOf } from "./arbitrary_career.ts";

/** A stream of bytes in chunks of `size`, so that every boundary is met. */
function streamOf(text: string | Uint8Array<ArrayBuffer>, size = 7): ReadableStream<Uint8Array> {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.slice(at, (at += size)));
    },
  });
}

async function read(
  text: string | Uint8Array<ArrayBuffer>,
  format: CareerFormat = "tsv",
  size = 7,
): Promise<Career[]> {
  const careers: Career[] = [];
  for await (const career of readCareers(streamOf(text, size), { format, file: "people.tsv" })) {
    careers.push(career);
  }
  return careers;
}

async function rejects(
  text: string | Uint8Array<ArrayBuffer>,
  message: RegExp,
  format: CareerFormat = "tsv",
): Promise<void> {
  await assert.rejects(read(text, format, 4096), (error: unknown) => {
    assert.ok(error instanceof SyntaxError, String(error));
    assert.match(error.message, /^Cannot read people\.tsv, line \d+: [^\n]+, got [^\n]+$/);
    assert.match(error.message, message);
    return true;
  });
}

const COLUMNS = [
  "id",
  "gender",
  "ethnicity",
  "birth_year",
  "region",
  "years",
  "education",
  "occ1990dd",
];
const HEADER = COLUMNS.join("\t");
const ROW = [
  "1",
  "female",
  "white",
  "1980",
  "south",
  "2001 2002",
  "college|college",
  "435 education",
];
const CAREER = careerOf("1", "435", "education");

/** The good row with some fields replaced. */
function rowWith(fields: Readonly<Record<string, string>>): string {
  return ROW.map((field, i) => fields[COLUMNS[i]!] ?? field).join("\t");
}

test("a table reads alike with CRLF, a byte order mark, no last line feed, any chunking", async () => {
  const text = `${HEADER}\n${ROW.join("\t")}\n`;
  for (const variant of [text, text.replaceAll("\n", "\r\n"), `\ufeff${text}`, text.trimEnd()]) {
    for (const size of [1, 2, 3, 1000]) {
      assert.deepEqual(await read(variant, "tsv", size), [CAREER], JSON.stringify(variant));
    }
  }
});

test("columns may stand in any order beside others, and birth_year and region may be empty", async () => {
  const order = [7, 0, 6, 1, 5, 2, 4, 3];
  const pick = (fields: readonly string[]) => ["extra", ...order.map((i) => fields[i]!), "__x"];
  const row = rowWith({ birth_year: "", region: "" }).split("\t");
  const { region: _region, birthYear: _birthYear, ...bare } = CAREER;
  assert.deepEqual(await read(`${pick(COLUMNS).join("\t")}\n${pick(row).join("\t")}\n`), [bare]);
});

test("a file of more empty lines than anybody left in it is refused at once", async () => {
  const empty = "\n".repeat(100_001);
  for (const [text, format] of [
    [`${HEADER}\n${empty}${ROW.join("\t")}`, "tsv"],
    [`${COLUMNS.join(",")}\n${empty}`, "csv"],
    [empty, "jsonl"],
  ] as const) {
    await assert.rejects(read(text, format), /at most 100,000 lines may be empty/, format);
  }
  assert.equal((await read(`${HEADER}\n\n\n${ROW.join("\t")}\n\n`)).length, 1);
});

test('"graduate degree" in a table is the level "any graduate"', async () => {
  const [career] = await read(`${HEADER}\n${rowWith({ education: "college|graduate degree" })}`);
  assert.equal(career?.observations[1]?.education, "any graduate");
});

test("CSV fields may be quoted, with commas and doubled quotes", async () => {
  const row = ROW.with(2, '"black, ""so called"" or african american"').with(
    6,
    '"college|college"',
  );
  const [career] = await read(`${COLUMNS.join(",")}\r\n${row.join(",")}\r\n`, "csv");
  assert.deepEqual(career, { ...CAREER, ethnicity: 'black, "so called" or african american' });
});

test("CSV rows written with random quoting read back, line breaks in ignored columns included", async () => {
  const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;
  const cell = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r\n", "é", " ") });
  await fc.assert(
    fc.asyncProperty(fc.array(cell, { minLength: 1, maxLength: 4 }), async (notes) => {
      const rows = notes.map((note, i) => [quoted(note), ...ROW.with(0, `p${i}`)].join(","));
      const careers = await read(`note,${COLUMNS.join(",")}\n${rows.join("\n")}\n`, "csv");
      assert.deepEqual(
        careers,
        notes.map((_, i) => ({ ...CAREER, id: `p${i}` })),
      );
    }),
  );
});

test("careers survive JSON lines, and tables", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(arbitraryCareer, { selector: ({ id }) => id, minLength: 1, maxLength: 5 }),
      async (careers) => {
        const jsonl = await new Response(careersToJsonl(careers)).text();
        assert.equal(jsonl, careers.map((career) => `${careerToJson(career)}\n`).join(""));
        assert.deepEqual(await read(jsonl, "jsonl"), careers);
        const rows = careers.map(({ id, gender, ethnicity, birthYear, region, observations }) =>
          [
            id,
            gender,
            ethnicity,
            birthYear ?? "",
            region ?? "",
            observations.map(({ year }) => year).join(" "),
            observations.map(({ education }) => education).join("|"),
            observations.map(({ occupation }) => occupation).join(" "),
          ].join("\t"),
        );
        assert.deepEqual(await read([HEADER, ...rows].join("\n")), careers);
      },
    ),
    { numRuns: 50 },
  );
});

test("a bad header is named", async () => {
  await rejects("", /line 1: the file must contain at least one career, got none$/);
  await rejects(`${HEADER}\n`, /at least one career/);
  await rejects(`${HEADER.replace("region", "Region")}\n`, /got none named region/);
  await rejects(`${HEADER}\tid\n`, /a column must occur once, got "id" twice/);
  await rejects(COLUMNS.join(","), /is the format tsv, csv or jsonl\?/);
});

test("a bad row is named by its line with what must hold", async () => {
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ id: "" }, /the id must be/],
    [{ gender: "" }, /the gender must be/],
    [{ gender: "trans female" }, /one word/],
    [{ ethnicity: "a  b" }, /the ethnicity must be/],
    [{ ethnicity: "US worker" }, /must not contain "US worker"/],
    [{ ethnicity: "<END OF DATA>" }, /without "<"/],
    [{ region: "so\u202euth" }, /the region must be/],
    [{ birth_year: "-4" }, /birth_year must be years of four digits, got "-4"/],
    [{ years: "2001 -5" }, /years must be years of four digits, got "-5"/],
    [{ years: "2001  2002" }, /years must be years of four digits, got ""/],
    [{ years: "0001 2002" }, /survey year must be a year of four digits, got 1$/],
    [{ years: "2002 2001" }, /the years must ascend .* got 2001 after 2002/],
    [{ years: "2001 2001" }, /the years must ascend .* got 2001 after 2001/],
    [{ years: "2001" }, /lists of one length, got 1, 2 and 2/],
    [{ education: "college" }, /lists of one length, got 2, 1 and 2/],
    [{ education: "college|phd" }, /education in 2002 must be .* got "phd"/],
    [
      { education: "college|high school" },
      /education must never decrease .* "high school" in 2002/,
    ],
    [{ occ1990dd: "435 1" }, /in 2002 the code must be .* got "1"/],
    [{ occ1990dd: "435 0435" }, /got "0435"/],
    [{ years: "", education: "", occ1990dd: "" }, /the history must have at least one year/],
    [{ id: "1\t2" }, /a row must have 8 fields as the header has, got 9/],
    [{ region: "south\0" }, /NUL/],
  ];
  for (const [fields, message] of cases) {
    await rejects(`${HEADER}\n${rowWith({ id: "0" })}\n${rowWith(fields)}\n`, message);
    await rejects(`${HEADER}\n${rowWith({ id: "0" })}\n${rowWith(fields)}\n`, /line 3/);
  }
  await rejects(
    `${HEADER}\n${ROW.join("\t")}\n\n${ROW.join("\t")}`,
    /line 4.* got "1" as on line 2/,
  );
});

test("bad CSV is named by its line", async () => {
  const header = COLUMNS.join(",");
  await rejects(`${header}\n1,fe"male,x`, /line 2: a quote may stand only around a whole/, "csv");
  await rejects(
    `${header}\n"1"x,female`,
    /a comma must follow a closing quote, got "x,female"/,
    "csv",
  );
  await rejects(`${header}\n1,"female\n\n`, /line 2: a quoted field must be closed/, "csv");
  await rejects(`${header}\n"a\nb",x\n`, /line 2: a row must have 8 fields/, "csv");
});

test("a row of CSV may not put a line break into a field of a resume", async () => {
  const row = ROW.with(2, '"white\n1999 (college): Cooks"').join(",");
  await rejects(`${COLUMNS.join(",")}\n${row}\n`, /the ethnicity must be .* on one line/, "csv");
});

test("bad JSON lines are named", async () => {
  const good = careerToJson(CAREER);
  const { observations } = CAREER;
  const cases: readonly (readonly [string, RegExp])[] = [
    ["{", /one JSON object, got "\{"/],
    ["[]", /a career must be a JSON object/],
    [JSON.stringify({ ...CAREER, birth_year: 1 }), /may have the keys .*, got "birth_year"/],
    ['{"__proto__":1}', /got "__proto__"/],
    [JSON.stringify({ ...CAREER, id: 7 }), /id must be a string, got 7/],
    [JSON.stringify({ ...CAREER, observations: 7 }), /observations must be an array, got 7/],
    [JSON.stringify({ ...CAREER, observations: [null] }), /an observation must be a JSON object/],
    [JSON.stringify({ ...CAREER, observations: [{ year: "2001" }] }), /a number year/],
    [JSON.stringify({ ...CAREER, observations: [] }), /at least one year/],
    [
      JSON.stringify({ ...CAREER, observations: [{ ...observations[0], year: 2001.5 }] }),
      /a year of four digits, got 2001.5/,
    ],
    [good, /got "1" as on line 1/],
  ];
  for (const [line, message] of cases) await rejects(`${good}\n${line}\n`, message, "jsonl");
});

test("bytes that are not UTF-8, compressed bytes and endless lines are refused", async () => {
  const latin1 = Uint8Array.from(`${HEADER}\n${rowWith({ region: "caf\xe9" })}`, (c) =>
    c.charCodeAt(0),
  );
  await rejects(
    latin1,
    /must be UTF-8, got others \(decompress a \.gz file first; convert Latin-1/,
  );
  await rejects(new Uint8Array([0x1f, 0x8b, 8, 0]), /must be UTF-8/);
  await rejects(new Uint8Array([0x61, 0xc3]), /must be UTF-8/); // cut in the middle of a character
  await rejects(HEADER + "x".repeat(2 ** 20), /at most 1048576 characters long, got more/);
  const quotes = `${COLUMNS.join(",")}\n"${`${"a".repeat(1023)}\n`.repeat(1025)}`;
  await rejects(quotes, /line 2: a record must have at most 1048576 characters in quotes/, "csv");
});

test("a reader that stops early closes its source", async () => {
  let cancelled = false;
  const bytes = new TextEncoder().encode(`${HEADER}\n${ROW.join("\t")}\n`);
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(bytes),
    cancel: () => void (cancelled = true),
  });
  for await (const career of readCareers(stream, { format: "tsv", file: "endless" })) {
    assert.deepEqual(career, CAREER);
    break;
  }
  assert.ok(cancelled);
});
