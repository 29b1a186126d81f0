import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { EXIT } from "../../cli/platform/errors.ts";
import { readCareersFile } from "../../cli/run/careers_file.ts";
import { describeCareers, summarizeCareers } from "../../cli/run/describe.ts";
import { groupOf } from "../../cli/run/describe_figures.ts";
import { type Career, careerToJson, OCCUPATIONS } from "../../data/mod.ts";
import { careersToParquet } from "../../data/tables/mod.ts";
import { careerOf } from "../data/arbitrary_career.ts";
import { missing, readShared, sharedPath } from "../data/shared_data.ts";
import { temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();

/** Four people: 9 person-years, 4 first, 3 staying, 2 moving. */
const PEOPLE: readonly Career[] = [
  careerOf("a", "275", "275", "276"),
  { ...careerOf("b", "education", "275"), gender: "male", region: "west" },
  careerOf("c", "275", "275", "275"),
  careerOf("d", "unemployed"),
];

async function parquetFile(name: string, careers: readonly Career[]): Promise<string> {
  const path = join(folder, name);
  const pieces: Uint8Array[] = [];
  for await (const piece of careersToParquet(careers)) pieces.push(piece);
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

test("summarizeCareers() counts by hand", () => {
  const summary = summarizeCareers({ name: "few", careers: PEOPLE });
  assert.deepEqual([summary.people, summary.personYears], [4, 9]);
  assert.deepEqual(summary.transitions, { first: 4, moving: 2, staying: 3 });
  assert.deepEqual(summary.length, { mean: 2.25, median: 2.5, max: 3 });
  assert.deepEqual(summary.years, { first: 2001, last: 2003 });
  assert.deepEqual(summary.birthYears, { first: 1980, last: 1980 });
  assert.deepEqual(
    summary.occupations.map(({ code, personYears }) => [code, personYears]),
    [
      ["275", 6],
      ["276", 1],
      ["education", 1],
      ["unemployed", 1],
    ],
  );
  assert.deepEqual(summary.gender, [
    ["female", 3],
    ["male", 1],
  ]);
  assert.deepEqual(summary.region, [
    ["south", 3],
    ["west", 1],
  ]);
  const { train, valid, test: held } = summary.split;
  assert.deepEqual([train.people, valid.people, held.people], [2, 0, 2]);
  assert.equal(train.personYears + held.personYears, 9);
});

/** Figures counted by this test itself, line by line, from the table. */
function countRows(name: string): Record<string, unknown> {
  const [, ...rows] = gunzipSync(readFileSync(sharedPath(name)))
    .toString()
    .trim()
    .split("\n");
  const lengths: number[] = [];
  const codes = new Map<string, number>();
  let [staying, moving] = [0, 0];
  for (const row of rows) {
    const states = (row.split("\t")[7] ?? "").split(" ");
    lengths.push(states.length);
    for (const [i, state] of states.entries()) {
      codes.set(state, (codes.get(state) ?? 0) + 1);
      if (i > 0 && state === states[i - 1]) staying += 1;
      else if (i > 0) moving += 1;
    }
  }
  lengths.sort((a, b) => a - b);
  const personYears = lengths.reduce((a, b) => a + b, 0);
  return {
    people: rows.length,
    personYears,
    transitions: { first: rows.length, moving, staying },
    max: lengths.at(-1),
    mean: personYears / rows.length,
    students: codes.get("education"),
    numCodes: codes.size,
  };
}

for (const { file, people, personYears } of [
  { file: "nlsy79.tsv.gz", people: 11_303, personYears: 144_358 },
  { file: "nlsy97.tsv.gz", people: 8_019, personYears: 145_971 },
]) {
  test(`${file} amounts to what a count of its lines says`, { skip: missing(file) }, async () => {
    const summary = summarizeCareers({ name: file, careers: await readShared(file) });
    assert.deepEqual([summary.people, summary.personYears], [people, personYears]);
    assert.deepEqual(
      {
        people: summary.people,
        personYears: summary.personYears,
        transitions: summary.transitions,
        max: summary.length.max,
        mean: summary.length.mean,
        students: summary.occupations.find(({ code }) => code === "education")?.personYears,
        numCodes: summary.occupations.length,
      },
      countRows(file),
    );
    const parts = Object.values(summary.split);
    assert.equal(
      parts.reduce((sum, part) => sum + part.personYears, 0),
      personYears,
    );
    const [train, valid] = [Math.floor(people * 0.7), Math.floor(people * 0.1)];
    assert.deepEqual(
      parts.map((part) => part.people),
      [train, valid, people - train - valid],
    );
  });
}

test("describeCareers() has a column a set, and figures whose shares add up", () => {
  const { sections } = describeCareers([
    { name: "few", careers: PEOPLE },
    { name: "one", careers: PEOPLE.slice(0, 1) },
  ]);
  const tables = sections.flatMap((section) => section.tables);
  const sizes = tables.find(({ id }) => id === "sizes");
  assert.deepEqual(
    sizes?.columns.map(({ label }) => label),
    ["", "few", "one"],
  );
  assert.deepEqual(sizes?.rows[3], ["Moving", "2 (22.2%)", "1 (33.3%)"]);
  const figures = sections.flatMap((section) => section.figures);
  const lengths = figures.find(({ id }) => id === "lengths");
  assert.ok(lengths?.kind === "curves");
  assert.deepEqual(lengths.series[0]?.points, [
    [1, 1],
    [2, 0.75],
    [3, 0.5],
  ]);
  const moving = figures.find(({ id }) => id === "moving");
  assert.ok(moving?.kind === "curves");
  assert.deepEqual(moving.series[0]?.points, [
    [2002, 1 / 3],
    [2003, 1 / 2],
  ]);
  const heat = figures.find(({ id }) => id === "transitions-1");
  assert.ok(heat?.kind === "heat map");
  assert.deepEqual(heat.rows, ["Sales", "In education"]);
  assert.deepEqual(heat.values, [
    [1, 0],
    [1, 0],
  ]);
});

test("every occupation has a group, in the order of the codes", () => {
  const groups = OCCUPATIONS.map(({ code }) => groupOf(code));
  assert.equal(new Set(groups).size, 18);
  assert.equal(groups.filter((group, i) => group !== groups[i - 1]).length, 18);
  assert.equal(groupOf("804"), "Transport, laborers");
});

test("names must differ, and there must be people", () => {
  const few = { name: "few", careers: PEOPLE };
  assert.throws(() => describeCareers([few, few]), /names must be different, got "few" twice$/);
  assert.throws(() => describeCareers([{ name: "none", careers: [] }]), /got none$/);
});

test("every command reads .parquet as it reads .jsonl", async () => {
  const path = await parquetFile("few.parquet", PEOPLE);
  const jsonl = join(folder, "few.jsonl");
  writeFileSync(jsonl, PEOPLE.map((career) => `${careerToJson(career)}\n`).join(""));
  assert.deepEqual(await readCareersFile(path), await readCareersFile(jsonl));
});

test("files that are no careers are told with exit code 3, other names with 2", async () => {
  const broken = join(folder, "broken.parquet");
  writeFileSync(broken, "id,gender\n1,male\n");
  await assert.rejects(readCareersFile(broken), {
    exitCode: EXIT.data,
    message: /broken\.parquet: it must be a whole Parquet file that ends in "PAR1", got "ale\\n"$/,
  });
  await assert.rejects(readCareersFile(join(folder, "none.parquet")), {
    exitCode: EXIT.data,
    message: /the file must exist, got no such file$/,
  });
  await assert.rejects(readCareersFile(folder), { exitCode: EXIT.usage });
});

test("tenure describe prints Markdown or JSON, and writes a report", async () => {
  const few = await parquetFile("people.parquet", PEOPLE);
  const out = join(folder, "report");
  const run = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [BIN, "describe", ...args], { encoding: "utf8" });
  const markdown = run(few, join(folder, "few.parquet"), "-o", out);
  assert.match(markdown, /^# Careers: people, few\n/);
  assert.match(markdown, /\| Staying \| 3 \(33\.3%\) \| 3 \(33\.3%\) \|/);
  assert.doesNotMatch(markdown, /!\[/);
  assert.ok(existsSync(join(out, "index.html")));
  assert.deepEqual(
    readdirSync(join(out, "figures")).filter((name) => name.endsWith(".svg")),
    [
      "education.svg",
      "lengths.svg",
      "moving.svg",
      "occupations.svg",
      "transitions-1.svg",
      "transitions-2.svg",
    ],
  );
  const json = JSON.parse(run(few, "--json")) as unknown;
  assert.deepEqual(json, [
    JSON.parse(JSON.stringify(summarizeCareers({ name: "people", careers: PEOPLE }))),
  ]);
});

const BIN = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));
