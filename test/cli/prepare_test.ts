import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { EXIT } from "../../cli/platform/errors.ts";
import { openPrepared, readSplit, SPLITS } from "../../cli/run/prepared.ts";
import { careersToJsonl, encodeResume } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { prepareFew, temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();

test("prepare() writes parts that read back, people in one part each, and counts them", async () => {
  const path = join(folder, "synthetic");
  const { counts } = await prepareFew(path);
  assert.deepEqual(readdirSync(path).toSorted(), [
    "prepare.json",
    "test.jsonl",
    "tokenizer.json",
    "train.jsonl",
    "valid.jsonl",
  ]);
  const prepared = await openPrepared(path);
  const ids = new Set<string>();
  for (const split of SPLITS) {
    const careers = await readSplit(prepared, split);
    for (const career of careers) ids.add(career.id);
    const { numPeople, numObservations, numByKind, numTokens } = counts[split];
    assert.equal(numPeople, careers.length);
    assert.equal(
      numObservations,
      careers.reduce((sum, { observations }) => sum + observations.length, 0),
    );
    assert.equal(numByKind.first, numPeople);
    assert.equal(numByKind.first + numByKind.staying + numByKind.moving, numObservations);
    const resumes = careers.map((career) =>
      encodeResume(career, prepared.tokenizer, { dataset: "SYNTHETIC" }),
    );
    assert.equal(
      numTokens,
      resumes.reduce((sum, { tokens }) => sum + tokens.length, 0),
    );
  }
  assert.deepEqual([counts.train.numPeople, counts.valid.numPeople, ids.size], [28, 4, 40]);
  assert.equal(prepared.population, "survey");
});

test("prepare() of a file keeps its SHA-256, and gives the same bytes again", async () => {
  const careers = syntheticPopulation("large").generate(20, { seed: 3 });
  const text = await new Response(careersToJsonl(careers)).text();
  const source = join(folder, "careers.jsonl.gz");
  writeFileSync(source, gzipSync(text));
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  await prepareFew(a, { source });
  await prepareFew(b, { source });
  for (const name of readdirSync(a)) {
    assert.ok(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), name);
  }
  const info = JSON.parse(readFileSync(join(a, "prepare.json"), "utf8")) as {
    source: { file: string; sha256: string };
  };
  const sha256 = createHash("sha256").update(readFileSync(source)).digest("hex");
  assert.deepEqual(info.source, { file: "careers.jsonl.gz", sha256 });
});

test("prepare() with numeric titles, no birth year and the last rows words careers so", async () => {
  const path = join(folder, "numeric");
  const wording = {
    dataset: "PSID",
    birthYear: false,
    titles: "numeric",
    titleSeed: 5,
    lastRows: 3,
  } as const;
  await prepareFew(path, { wording });
  const prepared = await openPrepared(path);
  assert.deepEqual(prepared.wording, wording);
  for (const { observations } of await readSplit(prepared, "train")) {
    assert.ok(observations.length <= 3);
  }
});

test("a prepared file that has changed since is refused, and a folder in use is not replaced", async () => {
  const path = join(folder, "changed");
  await prepareFew(path);
  await assert.rejects(prepareFew(path), { exitCode: EXIT.usage, message: /--overwrite$/ });
  const prepared = await openPrepared(path);
  appendFileSync(join(path, "valid.jsonl"), "\n");
  await assert.rejects(readSplit(prepared, "valid"), {
    exitCode: EXIT.data,
    message: /valid\.jsonl": its SHA-256 must be the one in prepare\.json/,
  });
  await prepareFew(path, { overwrite: true });
  assert.equal((await readSplit(await openPrepared(path), "valid")).length, 4);
});

test("prepare() of too few people says so and leaves no prepared folder", async () => {
  const path = join(folder, "few");
  await assert.rejects(prepareFew(path, { source: { population: "survey", numPeople: 9 } }), {
    exitCode: EXIT.data,
    message: "Cannot split careers: there must be at least 10 people, got 9",
  });
  await assert.rejects(openPrepared(path), { exitCode: EXIT.data });
});
