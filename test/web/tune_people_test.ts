import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import type { Career } from "../../data/career.ts";
import { careersToTsv } from "../../data/career_tsv.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";
import { inWords } from "../../web/page/tune/people_input.ts";
import { formatOf, readPeople } from "../../web/page/tune/read_people.ts";

const CAREERS: readonly Career[] = Array.from({ length: 50 }, (_, person) => ({
  id: `p${person}`,
  gender: "female",
  ethnicity: "white",
  observations: Array.from({ length: 3 }, (_year, year) => ({
    year: 1990 + year,
    education: "college",
    occupation: OCCUPATIONS[(7 * person + year) % OCCUPATIONS.length]!.code,
  })),
}));

async function table(careers: readonly Career[] = CAREERS): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of careersToTsv(careers)) pieces.push(piece);
  return pieces.join("");
}

const fileOf = (content: BlobPart, name: string) => new File([content], name);
const TSV = await table();

test("people are read from tables and JSON lines, packed or not", async () => {
  const csv = TSV.replaceAll("\t", ",");
  const jsonl = CAREERS.map((career) => JSON.stringify(career)).join("\n");
  for (const [name, content] of [
    ["a.tsv", TSV],
    ["A.CSV", csv],
    ["a.jsonl", jsonl],
    ["a.ndjson", jsonl],
    ["a.tsv.gz", gzipSync(TSV)],
  ] as const) {
    const people = await readPeople(fileOf(content, name));
    assert.deepEqual(people.careers, CAREERS, name);
    assert.deepEqual([people.file, people.numYears, people.cut], [name, 150, undefined]);
  }
});

test("a limit of people is told, and the rest of the file is not read", async () => {
  const broken = `${TSV}not a row at all\n`;
  const people = await readPeople(fileOf(broken, "a.tsv"), { maxPeople: 20 });
  assert.deepEqual(people.careers, CAREERS.slice(0, 20));
  assert.equal(people.numYears, 60);
  assert.match(people.cut ?? "", /^Only the first 20 people are used: /);
  const exact = await readPeople(fileOf(TSV, "a.tsv"), { maxPeople: 50 });
  assert.equal(exact.cut, undefined, "all of them were read");
});

test("a limit of bytes holds for what an archive unpacks to", async () => {
  const long = await table(
    Array.from({ length: 40 }, (_, i) =>
      CAREERS.map((one) => ({ ...one, id: `${one.id}.${i}` })),
    ).flat(),
  );
  const packed = gzipSync(long);
  const maxBytes = Math.floor(long.length / 2);
  assert.ok(packed.length < maxBytes, "the archive itself is small");
  const people = await readPeople(fileOf(packed, "a.tsv.gz"), { maxBytes });
  assert.ok(people.careers.length > 0 && people.careers.length < 2000);
  assert.match(
    people.cut ?? "",
    /^Only the first [\d,]+ people are used: a tab reads no more than/,
  );
  await assert.rejects(readPeople(fileOf(TSV, "a.tsv"), { maxBytes: 10 }), {
    name: "SyntaxError",
    message: /^Cannot read a\.tsv: the first person must fit into 10 bytes, got a longer table$/,
  });
});

test("a wrong row is told with file, line and remedy", async () => {
  const lines = TSV.split("\n");
  lines[3] = lines[3]!.replace("college", "wizardry");
  await assert.rejects(readPeople(fileOf(lines.join("\n"), "a.tsv")), {
    name: "SyntaxError",
    message:
      /^Cannot read a\.tsv, line 4: the education in 1990 must be one of .*, got "wizardry"$/,
  });
});

test("what is not what its name says is told as that", async () => {
  await assert.rejects(readPeople(fileOf("plain", "a.tsv.gz")), {
    name: "SyntaxError",
    message: /^Cannot read a\.tsv\.gz: it must be a whole gzip file, got /,
  });
  await assert.rejects(readPeople(fileOf(gzipSync(TSV).subarray(0, 200), "a.tsv.gz")), {
    message: /^Cannot read a\.tsv\.gz: it must be a whole gzip file, got /,
  });
  await assert.rejects(readPeople(fileOf("", "a.tsv")), /at least one career, got none/);
  await assert.rejects(readPeople(fileOf("x", "a.xlsx")), {
    name: "SyntaxError",
    message:
      'Cannot read a.xlsx: its name must end in .tsv, .csv or .jsonl (or one of these and .gz), got "xlsx"',
  });
});

test("any bytes are read, or refused in a sentence that names the file", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.string().map((text) => new TextEncoder().encode(text)),
      ),
      fc.constantFrom("x.tsv", "x.csv", "x.jsonl", "x.tsv.gz"),
      async (bytes, name) => {
        await assert.rejects(readPeople(fileOf(new Uint8Array(bytes), name)), {
          name: "SyntaxError",
          message: /^Cannot read x\./,
        });
      },
    ),
    { seed: 1, numRuns: 200 },
  );
});

test("formats follow the last ending, whatever an object has by nature", () => {
  assert.equal(formatOf("my.careers.TSV.GZ"), "tsv");
  assert.equal(formatOf("a.b.csv"), "csv");
  for (const name of ["tsv", "a.constructor", "a.gz", "a.tsv.zip", ""]) {
    assert.throws(() => formatOf(name), SyntaxError, name);
  }
});

test("long files are read in slices, and reading can be ended", async () => {
  const long = await table(
    Array.from({ length: 40 }, (_, i) =>
      CAREERS.map((one) => ({ ...one, id: `${one.id}.${i}` })),
    ).flat(),
  );
  const controller = new AbortController();
  const counts: number[] = [];
  const onCount = (count: number) => {
    counts.push(count);
    controller.abort();
  };
  const { signal } = controller;
  await assert.rejects(readPeople(fileOf(long, "a.tsv"), { signal, onCount, sliceMs: 0 }), {
    name: "AbortError",
  });
  assert.deepEqual(counts, [1]);
});

test("what was read is said in words", async () => {
  const people = await readPeople(fileOf(TSV, "a.tsv"), { maxPeople: 1 });
  assert.match(inWords(people), /^a\.tsv: 1 person, 3 years\. Only the first 1 people are used/);
  const all = await readPeople(fileOf(TSV, "a.tsv"));
  assert.equal(inWords(all), "a.tsv: 50 people, 150 years.");
});
