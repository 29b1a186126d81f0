import assert from "node:assert/strict";
import { test } from "node:test";
import { parquetWriteBuffer } from "hyparquet-writer";
import type { Career } from "../../../data/mod.ts";
import { buildCareers, ImportReport, type ReportEntry } from "../../../data/survey/mod.ts";
import {
  importTable,
  parquetTableRows,
  readTableMapping,
  readTableRows,
  type TableFormat,
  type TableRow,
} from "../../../data/tables/mod.ts";

const FIXED = `
survey: My survey
format: table
id: person
gender: { column: sex, values: { "1": male, "2": female, "9": unknown } }
ethnicity: race
region: { column: area, values: { S: south, W: west } }
birth_year: born`;

const LONG = `${FIXED}
shape: long
year: wave
education: { column: educ, values: { "12": high school, "16": college } }
enrollment: { column: school, values: { "0": false, "1": true } }
occupation: { column: occ, coding: census1980, values: { "-4": not_in_labor_force, "-5": unknown } }
status: { column: work, values: { E: employed, U: unemployed } }`;

const LONG_CSV = `person,sex,race,area,born,wave,educ,school,occ,work
7,1,white,S,1960,1984,16,0,276,E
7,1,white,S,1960,1982,12,1,276,E
8,2,"black, other",W,,1982,16,0,,U
7,1,white,S,1960,1983,,0,-4,
`;

function rowsOf(text: string, format: TableFormat = "csv"): AsyncGenerator<TableRow> {
  const stream = new Blob([text]).stream() as ReadableStream<Uint8Array>;
  return readTableRows(stream, { format, file: `people.${format}` });
}

interface Outcome {
  readonly careers: Career[];
  readonly leftOut: readonly ReportEntry[];
}

async function careersOf(rows: AsyncIterable<TableRow>, yaml: string): Promise<Outcome> {
  const mapping = readTableMapping(yaml, "my.yaml");
  const report = new ImportReport();
  const careers: Career[] = [];
  const people = importTable(rows, { mapping, report });
  const { survey: dataset, priority } = mapping;
  for await (const career of buildCareers(people, { dataset, priority, report })) {
    careers.push(career);
  }
  return { careers, leftOut: report.entries() };
}

const PEOPLE: readonly Career[] = [
  {
    id: "7",
    dataset: "My survey",
    gender: "male",
    ethnicity: "white",
    region: "south",
    birthYear: 1960,
    observations: [
      { year: 1982, education: "high school", occupation: "education" },
      { year: 1983, education: "high school", occupation: "not_in_labor_force" },
      { year: 1984, education: "college", occupation: "276" },
    ],
  },
  {
    id: "8",
    dataset: "My survey",
    gender: "female",
    ethnicity: "black, other",
    region: "west",
    observations: [{ year: 1982, education: "college", occupation: "unemployed" }],
  },
];

test("a long table becomes careers, whatever the order of its rows", async () => {
  assert.deepEqual(await careersOf(rowsOf(LONG_CSV), LONG), { careers: PEOPLE, leftOut: [] });
});

test("the same table as TSV, JSON lines and Parquet becomes the same careers", async () => {
  const tsv = LONG_CSV.replace('"black, other"', "black; other")
    .replaceAll(",", "\t")
    .replace("black; other", "black, other");
  assert.deepEqual((await careersOf(rowsOf(tsv, "tsv"), LONG)).careers, PEOPLE);
  const objects: Record<string, string>[] = [];
  for await (const { values } of rowsOf(LONG_CSV)) objects.push(Object.fromEntries(values));
  const jsonl = objects
    .map((object) =>
      JSON.stringify({ ...object, person: Number(object["person"]), area: object["area"] ?? null }),
    )
    .join("\n");
  assert.deepEqual((await careersOf(rowsOf(jsonl, "jsonl"), LONG)).careers, PEOPLE);
  const columnData = Object.keys(objects[0] ?? {}).map((name) =>
    name === "wave"
      ? { name, data: objects.map((object) => Number(object[name])), type: "INT32" as const }
      : { name, data: objects.map((object) => object[name] || null), nullable: true },
  );
  const parquet = parquetTableRows(parquetWriteBuffer({ columnData }), { file: "people.parquet" });
  assert.deepEqual((await careersOf(parquet, LONG)).careers, PEOPLE);
});

const WIDE = `${FIXED}
shape: wide
education: { column: "educ_{year}", values: { "12": high school, "16": college } }
occupation: { column: "occ_{year}", coding: census2002, values: { S: student, N: not_in_labor_force } }`;

test("a wide table has a column a year, found by their names", async () => {
  const csv = `person,sex,race,area,born,occ_1999,occ_2001,educ_1999,educ_2001,occ_note
1,2,white,S,1980,S,4760,12,16,x
2,2,white,S,1980,N,0010,16,,y
`;
  const { careers, leftOut } = await careersOf(rowsOf(csv), WIDE);
  assert.deepEqual(leftOut, []);
  assert.deepEqual(
    careers.map(({ observations }) => observations.map((each) => Object.values(each))),
    [
      [
        [1999, "high school", "education"],
        [2001, "college", "275"],
      ],
      [
        [1999, "college", "not_in_labor_force"],
        [2001, "college", "4"],
      ],
    ],
  );
});

test("columns may write years with two digits", async () => {
  const yaml = WIDE.replaceAll("{year}", "{yy}");
  const csv = `person,sex,race,area,born,occ_02,occ_99,educ_99,educ_02\n1,1,white,S,1980,4760,0010,12,16\n`;
  const { careers } = await careersOf(rowsOf(csv), yaml);
  assert.deepEqual(
    careers[0]?.observations.map(({ year, occupation }) => [year, occupation]),
    [
      [1999, "4"],
      [2002, "275"],
    ],
  );
});

test("what tells nothing is counted by reason, with its line", async () => {
  const csv = `${LONG_CSV}7,1,white,S,1960,1984,12,0,4,E
,1,white,S,1960,1984,12,0,4,E
9,3,white,S,1960,84,12,0,4,E
9,3,white,S,1960,1984,12,0,4,E
10,1,white,S,1960,1984,13,0,4,E
11,1,white,S,1960,1984,12,0,2,E
11,1,white,N,1960,1985,12,0,-5,E
`;
  const { careers, leftOut } = await careersOf(rowsOf(csv), LONG);
  assert.deepEqual(careers, PEOPLE);
  assert.deepEqual(
    leftOut.map(({ what, reason, count, examples }) => [what, reason, count, examples[0]]),
    [
      ["person", "no year left", 2, "people.csv:10"],
      ["person", "no gender told", 1, "people.csv:9"],
      ["year", "a second row of one person and year", 1, "people.csv:6"],
      ["year", "no id told", 1, "people.csv:7"],
      ["year", "no year of four digits told", 1, "people.csv:8"],
      ["year", "no education told so far", 1, "people.csv:10, 1984"],
      [
        "year",
        "no occupation of occ1990dd for the code of census1980",
        1,
        "people.csv:11, 1984: 2",
      ],
      ["year", "a job, but no occupation told", 1, "people.csv:11, 1985"],
      ["value", 'gender: value "3", which the mapping does not list', 1, "people.csv:9 (sex)"],
      [
        "value",
        'education: value "13", which the mapping does not list',
        1,
        "people.csv:10 (educ)",
      ],
    ],
  );
});

test("a second row of a person in a wide table is counted", async () => {
  const row = "1,2,white,S,1980,S,12\n";
  const { careers, leftOut } = await careersOf(
    rowsOf(`person,sex,race,area,born,occ_1999,educ_1999\n${row}${row}`),
    WIDE,
  );
  assert.equal(careers.length, 1);
  assert.deepEqual(leftOut, [
    { what: "person", reason: "a second row of one person", count: 1, examples: ["people.csv:3"] },
  ]);
});

test("missing columns are named, before anything is read", async () => {
  await assert.rejects(careersOf(rowsOf("person,sex\n1,2\n"), LONG), {
    name: "RangeError",
    message:
      "Cannot import people.csv: the mapping's columns must be there, got none named wave, born, " +
      "race, area, educ, school, occ, work among person, sex",
  });
  await assert.rejects(careersOf(rowsOf("person,sex,race,area,born,occ\n1,2,a,S,1,1\n"), WIDE), {
    message:
      "Cannot import people.csv: there must be columns occ_{year}, got person, sex, race, area, born, occ",
  });
});

test("rows that do not parse are told by line", async () => {
  for (const { text, format, message } of [
    { text: "a,b\n1\n", format: "csv", message: /people\.csv, line 2: a row must have 2 fields/ },
    {
      text: "a,a\n1,2\n",
      format: "csv",
      message: /line 1: a column must occur once, got "a" twice/,
    },
    { text: '{"a":1}\n[1]\n', format: "jsonl", message: /line 2: a line must be one JSON object/ },
    { text: '{"a":{"b":1}}\n', format: "jsonl", message: /line 1: .*got another kind in "a"$/ },
  ] as const) {
    await assert.rejects(
      async () => {
        for await (const _ of rowsOf(text, format));
      },
      { name: "SyntaxError", message },
    );
  }
});

test("mappings that contradict themselves are refused by path", () => {
  for (const [yaml, message] of [
    [LONG.replace("year: wave\n", ""), /my\.yaml.*year.*must name a column of a long table/s],
    [LONG.replace("column: occ,", 'column: "occ_{year}",'), /is for what changes in a wide table/],
    [WIDE.replace("occ_{year}", "occ"), /occupation.*must have a column a year/s],
    [LONG.replace("census1980", "census1960"), /occupation\.coding/],
    [LONG.replace("birth_year", "birthyear"), /birthyear/],
    [LONG.replace('16": college', '16": PhD'), /education/],
  ] as const) {
    assert.throws(() => readTableMapping(yaml, "my.yaml"), { name: "SyntaxError", message });
  }
});

test("no value of a table is taken for a property of objects", async () => {
  const csv = LONG_CSV.replace("8,2,", "8,__proto__,").replace(",276,E\n7", ",constructor,E\n7");
  const { careers, leftOut } = await careersOf(rowsOf(csv), LONG);
  assert.deepEqual(careers.length, 1);
  assert.ok(leftOut.some(({ reason }) => reason.includes('"__proto__", which')));
});

test("lines of JSON may tell other years than the first, and columns write years in two ways", async () => {
  const yaml = `${FIXED}
shape: wide
education: { column: "educ_{year}", values: { "12": high school } }
occupation: { column: "occ_{yy}", coding: census1980 }
status: { column: "work_{year}", values: { E: employed, U: unemployed } }`;
  const fixed = { sex: 1, race: "white", area: "S", born: 1960, educ_1982: 12 };
  const lines = [
    { person: 1, ...fixed, occ_82: 276 },
    { person: 2, ...fixed, occ_82: 276, educ_1983: 12, occ_83: "", work_1983: "U" },
  ].map((line) => JSON.stringify(line));
  const { careers, leftOut } = await careersOf(rowsOf(lines.join("\n"), "jsonl"), yaml);
  assert.deepEqual(
    careers.map(({ observations }) => observations.map(({ occupation }) => occupation)),
    [["276"], ["276", "unemployed"]],
  );
  assert.deepEqual(leftOut, []);
});
