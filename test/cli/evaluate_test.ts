import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { DEFAULT_TOLERANCE } from "../../cli/run/choices.ts";
import { type EvalRequest, type EvalResult, evaluateRun } from "../../cli/run/evaluate.ts";
import { dryRun } from "../../cli/run/train.ts";
import { Progress } from "../../cli/run/progress.ts";
import type { Career } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import {
  prepareFew,
  silentProgress,
  temporaryFolder,
  TINY_SETTINGS,
  trainTiny,
  WORDING,
} from "./run_support.ts";

const folder = temporaryFolder();
const dataFolder = join(folder, "data");
const runFolder = join(folder, "run");
/** Rows that every resume fits, those of the test people too. */
const settings = {
  ...TINY_SETTINGS,
  batch: { ...TINY_SETTINGS.batch, seqLen: 512 },
  length: { unit: "steps", count: 2 } as const,
};

before(async () => {
  await prepareFew(dataFolder);
  await trainTiny({ dataFolder, runFolder }, { settings });
});

async function evaluateTiny(changes: Partial<EvalRequest> = {}): Promise<EvalResult> {
  return evaluateRun({
    model: runFolder,
    split: "test",
    limit: 0,
    tolerance: DEFAULT_TOLERANCE,
    progress: silentProgress(),
    ...changes,
  });
}

/** Progress whose text can be read. */
function recorded(): { progress: Progress; out: string[] } {
  const out: string[] = [];
  return { progress: new Progress({ write: (text) => out.push(text) }), out };
}

function readCareers(...files: string[]): Career[] {
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Career),
  );
}

/** Writes careers into a file to prepare. */
function writeCareers(name: string, careers: readonly Career[]): string {
  const file = join(folder, name);
  writeFileSync(file, careers.map((career) => `${JSON.stringify(career)}\n`).join(""));
  return file;
}

function reportsIn(path: string): string[] {
  return readdirSync(path)
    .filter((name) => name.startsWith("eval"))
    .toSorted();
}

test("eval.json is the evaluation of the best checkpoint on all test people, and no other's", async () => {
  const { file, report } = await evaluateTiny();
  assert.equal(file, join(runFolder, "eval.json"));
  const bytes = readFileSync(file);
  const chosen = join(runFolder, "checkpoint-2");
  await evaluateTiny({ limit: 1 });
  await evaluateTiny({ model: chosen, split: "valid", limit: 1, tolerance: 0.02 });
  assert.deepEqual(reportsIn(runFolder), [
    "eval-checkpoint-2-valid-limit1-tolerance0.02.json",
    "eval-limit1.json",
    "eval.json",
  ]);
  assert.ok(readFileSync(file).equals(bytes));
  const { seconds: _, ...written } = JSON.parse(bytes.toString()) as typeof report;
  const { seconds: __, ...returned } = report;
  assert.deepEqual(written, returned);
});

test("a checkpoint that lies in no run leaves no report beside it", async () => {
  const elsewhere = join(folder, "elsewhere");
  cpSync(join(runFolder, "checkpoint-2"), join(elsewhere, "mine"), { recursive: true });
  const { file } = await evaluateTiny({ model: join(elsewhere, "mine"), dataFolder, limit: 1 });
  assert.equal(file, undefined);
  assert.deepEqual(readdirSync(elsewhere), ["mine"]);
});

test("the true entropy is that of the process at every observation of the test people", async () => {
  const { report } = await evaluateTiny();
  const population = syntheticPopulation("survey");
  const careers = readCareers(join(dataFolder, "test.jsonl"));
  const terms = careers.flatMap((career) =>
    career.observations.map((_, index) =>
      population
        .distributionAt(career, index)
        .reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0),
    ),
  );
  const mean = terms.reduce((sum, entropy) => sum + entropy, 0) / terms.length;
  assert.ok(Math.abs(report.truth!.entropy - mean) < 1e-9);
  assert.ok(Math.abs(Math.log(report.truth!.perplexity) - mean) < 1e-9);
});

test("where years are cut off, the true process is not known, and not shown", async () => {
  const cut = { dataFolder: join(folder, "cut data"), runFolder: join(folder, "cut") };
  await prepareFew(cut.dataFolder, { wording: { ...WORDING, lastRows: 3 } });
  await trainTiny(cut, { settings });
  const { report } = await evaluateTiny({ model: cut.runFolder, limit: 2 });
  assert.equal(report.truth, undefined);
  assert.ok(report.models.every(({ name }) => name !== "true process"));
});

test("other data are refused unless allowed, and people that the model has seen in any case", async () => {
  const other = join(folder, "other");
  await prepareFew(other, { seed: 2 });
  await assert.rejects(evaluateTiny({ dataFolder: other }), {
    exitCode: EXIT.data,
    message:
      /train\.jsonl must be the file that the model learned from.*allow it with --other-data$/,
  });
  // The people of seed 2 have other ids.
  const { progress, out } = recorded();
  const allowed = { dataFolder: other, otherData: true, limit: 1, progress };
  assert.match((await evaluateTiny(allowed)).file!, /eval-limit1-data-[0-9a-f]{8}\.json$/);
  assert.match(out.join(""), /no person's id occurs in both\n/);

  const parts = ["train", "valid", "test"].map((part) => join(dataFolder, `${part}.jsonl`));
  const shuffled = join(folder, "shuffled");
  const source = writeCareers("all.jsonl", readCareers(...parts));
  await prepareFew(shuffled, { source, seed: 3, wording: WORDING });
  await assert.rejects(evaluateTiny({ dataFolder: shuffled, otherData: true }), {
    exitCode: EXIT.data,
    message:
      /must not have seen the people it is judged by, got \d of 8 whose ids are in ".*data" too/,
  });
});

test("other data are told of as unchecked where the model's own are gone", async () => {
  const lonely = join(folder, "away", "from", "data");
  cpSync(runFolder, lonely, { recursive: true });
  const { progress, out } = recorded();
  const other = join(folder, "unchecked");
  await prepareFew(other, { seed: 2 });
  await evaluateTiny({ model: lonely, dataFolder: other, otherData: true, limit: 1, progress });
  assert.match(out.join(""), /^Warning: .* people may occur in both\n/);
  // The same files in another place are no other data.
  const { file } = await evaluateTiny({ model: lonely, dataFolder, limit: 1 });
  assert.equal(file, join(lonely, "eval-limit1.json"));
});

test("a resume too long for the model is told before anything is computed", async () => {
  const long = join(folder, "long");
  const careers = readCareers(join(dataFolder, "train.jsonl")).map((career) => {
    const observations = Array.from({ length: 60 }, (_, i) => ({
      ...career.observations[i % career.observations.length]!,
      year: 1960 + i,
      education: "college" as const,
    }));
    return { ...career, id: `long-${career.id}`, birthYear: 1940, observations };
  });
  await prepareFew(long, { source: writeCareers("long.jsonl", careers) });
  const { progress, out } = recorded();
  const request = { dataFolder: long, otherData: true, progress };
  await assert.rejects(evaluateTiny(request), {
    exitCode: EXIT.data,
    message:
      /every resume must fit the model's \d+ tokens, got \d+ of career "long-.*" and \d+ others too long; train with --seq-len \d+/,
  });
  assert.ok(!out.join("").includes("people/s"));
});

test("an interrupted evaluation ends, leaves nothing, and exits with 1", async () => {
  const model = join(folder, "stopped");
  cpSync(runFolder, model, { recursive: true });
  const reports = reportsIn(model);
  await assert.rejects(evaluateTiny({ model, limit: 2, signal: AbortSignal.abort() }), {
    exitCode: EXIT.failure,
    message: /got interrupted after 0 of 2 people$/,
  });
  assert.deepEqual(reportsIn(model), reports);
});

test("training on rows shorter than resumes says so, with the length that fits them all", async () => {
  const noteFor = async (seqLen: number): Promise<string> => {
    const { progress, out } = recorded();
    await dryRun({
      dataFolder,
      runFolder: join(folder, "dry"),
      settings: { ...settings, batch: { ...settings.batch, seqLen } },
      saveSteps: 0,
      saveTotalLimit: 1,
      progress,
    });
    return out.join("");
  };
  const note = /^Note: (\d+) of 28 resumes are longer than a row of 128 tokens.*--seq-len (\d+)\n$/;
  const [, count, remedy] = note.exec(await noteFor(128))!;
  assert.ok(Number(count) > 0);
  assert.equal(await noteFor(Number(remedy)), "");
});
