import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PersonalHistory, readPersonalFile } from "../../../data/mod.ts";
import { buildZip, type ZipPart } from "../archive/build_zip.ts";
import { EDUCATION_CSV, POSITIONS_CSV, sourceOf } from "./sources.ts";

async function historyOf(
  name: string,
  content: string | Uint8Array,
  chunk = 7,
): Promise<PersonalHistory> {
  const file = await readPersonalFile(sourceOf(name, content, { chunk }));
  assert.ok(file.kind === "history" && file.source === "LinkedIn", file.kind);
  return file.history;
}

const POSITIONS = [
  {
    title: "Barista",
    employer: "Globex",
    begin: { year: 2015 },
    end: { year: 2018, month: 12 },
    line: 4,
  },
  {
    title: "Senior Software Engineer",
    employer: "Acme, Inc.",
    begin: { year: 2019, month: 1 },
    line: 2,
  },
];

const PROBLEMS = [
  /^P, line 6: left out: a job must have a title, got none$/,
  /^P, line 7: left out: Started On: a date must be .*, got "Someday"$/,
  /^P, line 8: left out: a job must end after it begins, got 2014-03 to 2013-02$/,
];

test("a Positions.csv alone is read, what is wrong left out by line", async () => {
  const { positions, schooling, problems } = await historyOf("P", POSITIONS_CSV);
  assert.deepEqual(positions, POSITIONS);
  assert.deepEqual(schooling, []);
  assert.equal(problems.length, PROBLEMS.length);
  for (const [i, pattern] of PROBLEMS.entries()) assert.match(problems[i]!, pattern);
});

test("a byte order mark and notes before the header do not matter", async () => {
  const notes = '\uFEFFNotes:\n"Some entries, say, may be missing."\n\n';
  const { positions } = await historyOf("P", notes + POSITIONS_CSV);
  assert.deepEqual(
    positions.map(({ line }) => line),
    [7, 5],
  );
});

test("the zip of an export is read, whatever its folder, and no other file of it", async () => {
  const parts: ZipPart[] = [
    { name: "Export/Messages.csv", content: "secret", lies: { crc32: 1 } },
    { name: "Export/positions.csv", content: POSITIONS_CSV },
    { name: "Export/Education.csv", content: EDUCATION_CSV },
  ];
  const { positions, schooling } = await historyOf("export.zip", buildZip(parts), 1000);
  assert.deepEqual(positions, POSITIONS);
  assert.deepEqual(schooling, [
    {
      text: "Lincoln High School",
      level: "high school",
      begin: { year: 2007 },
      end: { year: 2011 },
      line: 3,
    },
    {
      text: "Bachelor of Arts (B.A.), Philosophy, Some University",
      level: "college",
      begin: { year: 2011 },
      end: { year: 2015 },
      line: 2,
    },
    {
      text: "Master of Science, Elite College",
      level: "college",
      begin: { year: 2016, month: 9 },
      end: { year: 2017 },
      line: 4,
    },
  ]);
});

test("an export without schools says so", async () => {
  const zip = buildZip([{ name: "Positions.csv", content: POSITIONS_CSV }]);
  const { problems } = await historyOf("export.zip", zip);
  assert.match(problems.at(-1)!, /export\.zip: the export has no Education\.csv/);
});

test("a zip that is no export says what it must hold", async () => {
  const zip = buildZip([{ name: "word/document.xml", content: "<x/>" }]);
  await assert.rejects(readPersonalFile(sourceOf("cv.docx", zip)), {
    name: "SyntaxError",
    message:
      /^Cannot read cv\.docx: a LinkedIn export must hold Positions\.csv, got the file "word/,
  });
});

test("a zip bomb is refused", async () => {
  const zip = buildZip([{ name: "Positions.csv", content: new Uint8Array(20_000_000) }]);
  await assert.rejects(readPersonalFile(sourceOf("bomb.zip", zip)), {
    name: "RangeError",
    message: /must unfold to at most 250 bytes for each compressed byte/,
  });
});

test("a damaged table is an error with file and line", async () => {
  const open = POSITIONS_CSV.replace('and ""tests"""', "and");
  await assert.rejects(readPersonalFile(sourceOf("Positions.csv", open)), {
    name: "SyntaxError",
    message: /^Cannot read Positions\.csv, line 2: a quoted field must be closed/,
  });
});

const damage = fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { minLength: 1, maxLength: 8 });

/** Some bytes of a file changed, and the rest cut off. */
function damaged(bytes: Uint8Array, changes: [number, number][], cut: number): Uint8Array {
  const copy = bytes.slice(0, Math.max(1, bytes.length - (cut % bytes.length)));
  for (const [at, value] of changes) copy[at % copy.length] = value;
  return copy;
}

async function survives(bytes: Uint8Array): Promise<void> {
  try {
    await readPersonalFile(sourceOf("file", bytes));
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof RangeError, String(error));
    assert.match(error.message, /^Cannot read /);
  }
}

test("damaged exports and tables give a history or a typed error", async () => {
  const zip = buildZip([
    { name: "Positions.csv", content: POSITIONS_CSV },
    { name: "Education.csv", content: EDUCATION_CSV, stored: true },
  ]);
  const originals = [
    zip,
    new TextEncoder().encode(POSITIONS_CSV),
    new TextEncoder().encode(EDUCATION_CSV),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      damage,
      fc.oneof(fc.constant(0), fc.nat(3000)),
      (original, changes, cut) => survives(damaged(original, changes, cut)),
    ),
    { numRuns: 400 },
  );
});

test("any bytes give a file or a typed error", async () => {
  const begun = fc
    .tuple(
      fc.constantFrom(
        "PK\u0003\u0004",
        "PK\u0005\u0006",
        "{",
        "[",
        "\u001f\u008b",
        "",
        "id\tyears\tocc1990dd\n",
      ),
      fc.uint8Array({ maxLength: 200 }),
    )
    .map(([magic, bytes]) =>
      Uint8Array.from([...Array.from(magic, (c) => c.charCodeAt(0)), ...bytes]),
    );
  await fc.assert(fc.asyncProperty(begun, survives), { numRuns: 400 });
});
