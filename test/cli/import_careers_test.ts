import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { EXIT } from "../../cli/platform/errors.ts";
import { readCareersFile } from "../../cli/run/careers_file.ts";
import { importCareers, type ImportRequest } from "../../cli/run/import.ts";
import { type Career, careerToJson, splitCareers } from "../../data/mod.ts";
import { careerOf } from "../data/arbitrary_career.ts";
import { silentProgress, temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();

function request(path: string, changes: Partial<ImportRequest>): ImportRequest {
  return { paths: [path], mapping: "careers", progress: silentProgress(), ...changes };
}

const MAPPING = `
survey: Mine
format: table
shape: long
id: id
gender: sex
ethnicity: race
year: year
education: { column: educ, values: { 1: high school } }
occupation: { column: occ, coding: census1980 }
`;

test("a table becomes a Parquet file by a mapping", async () => {
  const table = join(folder, "table.csv.gz");
  const rows = "id,sex,race,year,educ,occ\na,male,white,1990,1,276\na,male,white,1991,2,2\n";
  writeFileSync(table, gzipSync(rows));
  const mapping = join(folder, "mine.yaml");
  writeFileSync(mapping, MAPPING);
  const output = join(folder, "careers.parquet");
  const outcome = await importCareers(request(table, { mapping, output }));
  assert.deepEqual([outcome.numPeople, outcome.numObservations], [1, 1]);
  assert.deepEqual(
    outcome.leftOut.map(({ what, examples }) => [what, examples]),
    [
      ["year", ["table.csv.gz:2, 1991: 2"]],
      ["value", ["table.csv.gz:3 (educ)"]],
    ],
  );
  assert.deepEqual(await readCareersFile(output), [
    {
      id: "a",
      dataset: "Mine",
      gender: "male",
      ethnicity: "white",
      observations: [{ year: 1990, education: "high school", occupation: "276" }],
    },
  ]);
});

test("a table whose row is torn leaves nothing behind", async () => {
  const table = join(folder, "torn.csv");
  writeFileSync(table, "id,sex,race,year,educ,occ\na,male,white,1990,1,276\na,male\n");
  const mapping = join(folder, "mine.yaml");
  const output = join(folder, "torn.parquet");
  await assert.rejects(importCareers(request(table, { mapping, output })), {
    exitCode: EXIT.data,
    message: /torn\.csv, line 3: a row must have 6 fields as the header has, got 2$/,
  });
  assert.ok(!existsSync(output));
  await assert.rejects(importCareers({ ...request(table, { mapping }), paths: [table, table] }), {
    exitCode: EXIT.usage,
    message: /a table must be one file .*, got 2$/,
  });
});

const PEOPLE: readonly Career[] = Array.from({ length: 10 }, (_, i) =>
  careerOf(`person ${i}`, "275", "not_in_labor_force"),
);

test("careers go to CAREER's files, split by person, and come back", async () => {
  const jsonl = join(folder, "people.jsonl");
  writeFileSync(jsonl, PEOPLE.map((career) => `${careerToJson(career)}\n`).join(""));
  const output = join(folder, "career");
  const outcome = await importCareers(request(jsonl, { output, format: "career" }));
  assert.equal(outcome.numPeople, 10);
  assert.equal(readdirSync(output).length, 24);
  assert.equal(readFileSync(join(output, "valid.job"), "utf8"), "275 not_in_labor_force\n");
  const back = join(folder, "back.jsonl");
  await importCareers(request(output, { mapping: "career", output: back }));
  const { train, valid, test: held } = splitCareers(PEOPLE, { seed: 1 });
  assert.deepEqual(await readCareersFile(back), [...train, ...valid, ...held]);
  await importCareers(request(back, { output, format: "career" })); // an earlier one is replaced
});

test("a folder with other files is not replaced, and torn files are told", async () => {
  const output = join(folder, "mixed");
  mkdirSync(output);
  writeFileSync(join(output, "notes.txt"), "mine");
  const jsonl = join(folder, "people.jsonl");
  await assert.rejects(importCareers(request(jsonl, { output, format: "career" })), {
    exitCode: EXIT.usage,
  });
  assert.deepEqual(readdirSync(output), ["notes.txt"]);
  await assert.rejects(importCareers(request(output, { mapping: "career" })), {
    exitCode: EXIT.data,
    message: /must have the files train\.job, valid\.job or test\.job, got no person$/,
  });
});
