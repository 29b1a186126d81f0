import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "fflate";
import {
  type Career,
  careersToTsv,
  careerToJson,
  type PersonalFile,
  readPersonalFile,
} from "../../../data/mod.ts";
import { careerOf } from "../arbitrary_career.ts";
import { EDUCATION_CSV, POSITIONS_CSV, RESUME, sourceOf } from "./sources.ts";

const CAREERS = [careerOf("ann", "435", "95"), careerOf("bob", "education", "229", "229")];

async function tsvOf(careers: Iterable<Career>): Promise<string> {
  let text = "";
  for await (const piece of careersToTsv(careers)) text += piece;
  return text;
}

function jsonlOf(careers: readonly Career[]): string {
  return careers.map((career) => `${careerToJson(career)}\n`).join("");
}

type CareersFile = Extract<PersonalFile, { kind: "careers" }>;

async function careersOf(
  content: string | Uint8Array,
  maxPeople?: number,
): Promise<CareersFile & { numRead: () => number }> {
  const source = sourceOf("people", content);
  const file = await readPersonalFile(source, maxPeople === undefined ? {} : { maxPeople });
  assert.ok(file.kind === "careers", file.kind);
  return { ...file, numRead: () => source.numRead };
}

test("readPersonalFile() tells a kind by content, not by name", async () => {
  const kinds: [string, string][] = [
    [JSON.stringify(RESUME), "JSON Resume"],
    [`\uFEFF\n ${JSON.stringify(RESUME, undefined, 2)}`, "JSON Resume"],
    [POSITIONS_CSV, "LinkedIn"],
    [EDUCATION_CSV, "LinkedIn"],
    [await tsvOf(CAREERS), "tsv"],
    [(await tsvOf(CAREERS)).replaceAll("\t", ","), "csv"],
    [jsonlOf(CAREERS), "jsonl"],
  ];
  for (const [content, kind] of kinds) {
    const file = await readPersonalFile(sourceOf("download", content));
    assert.equal(file.kind === "careers" ? file.format : file.source, kind);
  }
});

for (const [format, write] of [
  ["tsv", tsvOf],
  ["jsonl", jsonlOf],
] as const) {
  test(`careers as ${format} are listed, and read one by one as they are`, async () => {
    const file = await careersOf(await write(CAREERS));
    assert.deepEqual(file.people, [
      { id: "ann", firstYear: 2001, lastYear: 2002, numYears: 2 },
      { id: "bob", firstYear: 2001, lastYear: 2003, numYears: 3 },
    ]);
    assert.deepEqual([file.isComplete, file.notes], [true, []]);
    for (const career of CAREERS) assert.deepEqual(await file.readCareer(career.id), career);
    await assert.rejects(file.readCareer("eve"), {
      name: "RangeError",
      message: 'Cannot read people: the id must be that of a person in it, got "eve"',
    });
  });
}

test("gzipped careers are read as they are", async () => {
  const file = await careersOf(gzipSync(new TextEncoder().encode(await tsvOf(CAREERS))));
  assert.deepEqual(await file.readCareer("bob"), CAREERS[1]);
});

test("of many people the first are listed, and any can be chosen by id; the file is streamed", async () => {
  const many = Array.from({ length: 5000 }, (_, i) => careerOf(`p${i}`, "435", "95"));
  const text = await tsvOf(many);
  const file = await careersOf(text);
  assert.equal(file.people.length, 1000);
  assert.equal(file.isComplete, false);
  assert.match(file.notes.join(), /more than 1000 people; the first are listed/);
  assert.ok(file.numRead() < text.length / 2, "reading ends behind the last who is listed");
  assert.deepEqual(await file.readCareer("p4321"), many[4321]);
  const exact = await careersOf(await tsvOf(many.slice(0, 1000)));
  assert.ok(exact.isComplete && exact.notes.length === 0);
});

test("a wrong row is an error with file and line", async () => {
  const text = (await tsvOf(CAREERS)).replace("435 95", "435 9999");
  await assert.rejects(readPersonalFile(sourceOf("people.tsv", text)), {
    name: "SyntaxError",
    message: /^Cannot read people\.tsv, line 2: .*got "9999"$/,
  });
});

test("a file that is too large is refused before it is opened, saying what it may have", async () => {
  const source = sourceOf("huge.csv", POSITIONS_CSV, { size: 2 ** 26 + 1 });
  await assert.rejects(readPersonalFile(source), {
    name: "RangeError",
    message: /^Cannot read huge\.csv: a file must have at most 67108864 bytes, got 67108865 \(/,
  });
  assert.equal(source.numOpened, 0);
});

test("a file that is longer than it says is refused while it is read", async () => {
  const text = JSON.stringify({ work: [], filler: "x".repeat(200_000) });
  const source = sourceOf("liar.json", text, { size: 10 });
  await assert.rejects(readPersonalFile(source, { maxBytes: 100_000 }), {
    name: "RangeError",
    message: /^Cannot read liar\.json: a file must have at most 100000 bytes, got more/,
  });
});

test("a resume of megabytes is refused", async () => {
  const text = JSON.stringify({ work: [], filler: "x".repeat(2 ** 23) });
  await assert.rejects(readPersonalFile(sourceOf("r.json", text)), {
    name: "RangeError",
    message: /a resume must have at most 8388608 bytes/,
  });
});

test("a gzip bomb is refused", async () => {
  const blank = `${" ".repeat(999)}\n`;
  const bomb = gzipSync(new TextEncoder().encode(jsonlOf(CAREERS) + blank.repeat(20_000)));
  await assert.rejects(readPersonalFile(sourceOf("bomb.gz", bomb)), {
    name: "RangeError",
    message: /must unfold to at most 250 bytes for each compressed byte/,
  });
});

for (const [content, got] of [
  ["", /got an empty one$/],
  [" \n ", /got an empty one$/],
  ["%PDF-1.7", /got a PDF \(of LinkedIn, ask/],
  ["Dear Sir or Madam", /got none of these$/],
] as const) {
  test(`readPersonalFile() says what it reads when it gets ${JSON.stringify(content)}`, async () => {
    await assert.rejects(readPersonalFile(sourceOf("cv", content)), {
      name: "SyntaxError",
      message: got,
    });
  });
}

test("Latin-1 is refused with a remedy", async () => {
  const bytes = Uint8Array.from([...new TextEncoder().encode('{"work": "'), 0xe9, 0x22, 0x7d]);
  await assert.rejects(readPersonalFile(sourceOf("r.json", bytes)), {
    name: "SyntaxError",
    message: /must be UTF-8, got other bytes \(save it as UTF-8\)/,
  });
});
