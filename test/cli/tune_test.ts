import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { EXIT } from "../../cli/platform/errors.ts";
import {
  clearTuning,
  listTuning,
  planTuning,
  tuneKernels,
  type TuneRequest,
} from "../../cli/run/tune.ts";
import type { TrainRequest } from "../../cli/run/train.ts";
import type { StoredChoice } from "../../engine/tuning/stored_choices.ts";
import type { PlanTimer } from "../../engine/tuning/tune.ts";
import {
  prepareFew,
  readLog,
  silentProgress,
  temporaryFolder,
  TINY_SETTINGS,
  trainTiny,
} from "./run_support.ts";

const COMMAND = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));
const execute = promisify(execFile);
const folder = temporaryFolder();
const dataFolder = join(folder, "data");
const untuned = join(folder, "untuned");
const file = join(folder, "tuning.json");
const [tuned, saved] = [join(folder, "tuned"), join(folder, "saved")];

/**
 * Ways to sum a product differ by roundings, 6·10⁻⁸ each; twelve steps of training at a high
 * learning rate make more of them.
 */
const LOSS_TOLERANCE = 1e-3;

/** Calls candidates faster and faster in the order of being met, so that the default never wins. */
function trendTimer(): PlanTimer {
  const met = new Map<string, number>();
  return async (_gpu, plan) => {
    const name = JSON.stringify(
      plan.dispatches.map(({ kernel, constants }) => [kernel.name, constants]),
    );
    if (!met.has(name)) met.set(name, met.size);
    return { ms: 2 ** -met.get(name)!, clock: "wall" };
  };
}

function request(changes: Partial<TuneRequest> = {}): TuneRequest {
  return {
    model: { path: untuned },
    numRows: TINY_SETTINGS.batch.numRows,
    seqLen: TINY_SETTINGS.batch.seqLen,
    dtype: "f32",
    phases: ["train"],
    only: ["matmul", "attentionForward"], // others take long to compile, and are tested elsewhere
    rounds: 1,
    kernels: "auto",
    device: { tuning: file },
    progress: silentProgress(),
    ...changes,
  };
}

function trainWith(runFolder: string, tuning: string, changes: Partial<TrainRequest> = {}) {
  return trainTiny({ dataFolder, runFolder }, { device: { tuning }, ...changes });
}

function filesOf(runFolder: string): Buffer[] {
  const names = ["model.safetensors", "optimizer.safetensors", "trainer_state.json"];
  return names.map((name) => readFileSync(join(runFolder, "checkpoint-12", name)));
}

/** The choices that a run or a checkpoint has recorded, and their device. */
function tuningOf(runFolder: string, name: string): { choices: Record<string, unknown> } {
  return JSON.parse(readFileSync(join(runFolder, name), "utf8")).tuning;
}

/** Runs a command line that finds an empty cache. */
async function tenure(...args: string[]): Promise<{ status: unknown; stdout: string }> {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
  try {
    const { stdout } = await execute(process.execPath, [COMMAND, ...args], { env });
    return { status: EXIT.ok, stdout };
  } catch (error) {
    return { status: (error as { code: unknown }).code, stdout: "" };
  }
}

before(async () => {
  await prepareFew(dataFolder);
  await trainWith(untuned, "off");
});

test("tenure tune measures what a model asks, keeps it, and does not measure it twice", async () => {
  const planned = await planTuning(request());
  assert.ok(planned.some(({ question }) => question.tunable.name === "matmul"));
  assert.ok(planned.every(({ count, numCandidates }) => count > 0 && numCandidates > 0));
  assert.equal(existsSync(file), false, "planning keeps nothing");
  const { results, skipped, known } = await tuneKernels(request({ timer: trendTimer() }));
  assert.deepEqual(
    results.map(({ key }) => key),
    planned.map(({ key }) => key),
  );
  assert.deepEqual([skipped.size, known.length], [0, 0]);
  assert.ok(results.some(({ isDefault }) => !isDefault));
  const rejected = results.flatMap(({ candidates }) => candidates.flatMap((c) => c.rejected ?? []));
  assert.deepEqual(rejected, [], "all candidates give the same result");
  const again = await tuneKernels(request({ timer: trendTimer() }));
  assert.deepEqual([again.results.length, again.known.length], [0, planned.length]);
  assert.deepEqual(await planTuning(request()), []);
});

test("what cannot be tuned is refused before anything is measured, and no file is harmed", async () => {
  const timer = () => assert.fail("nothing must be measured");
  const notes = join(folder, "notes.json");
  writeFileSync(notes, '{"mine": true}');
  const blocked = join(notes, "tuning.json");
  const other = join(folder, "other.json");
  const ours = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(other, JSON.stringify({ ...ours, device: { ...ours.device, driver: "older" } }));
  const unharmed = readFileSync(other, "utf8");
  const refused: [Partial<TuneRequest>, RegExp][] = [
    [{ only: ["matmull"] }, /--only must name kernels .*matmul.*, got "matmull"/],
    [{ seqLen: 100_000 }, /--length must be at most \d+ for this model, got 100000/],
    [{ device: { tuning: notes } }, /Cannot add to ".*notes.json": it must be a file that tenure/],
    [{ device: { tuning: other } }, /Cannot add to ".*other.json": it must hold choices of this/],
    [{ device: { tuning: blocked } }, /Cannot write ".*tuning.json.lock": /],
  ];
  for (const [changes, message] of refused) {
    await assert.rejects(tuneKernels(request({ timer, ...changes })), {
      name: "CliError",
      message,
    });
  }
  await assert.rejects(clearTuning(notes), /Cannot delete ".*notes.json": it must be a file that/);
  await assert.rejects(clearTuning("off"), /"off" must be a file, got none; leave --tuning out/);
  await assert.rejects(listTuning("off"), { exitCode: EXIT.usage });
  assert.equal(readFileSync(notes, "utf8"), '{"mine": true}');
  assert.equal(readFileSync(other, "utf8"), unharmed);
});

test("a stopped tuning keeps what it has, and the next one goes on", async () => {
  const device = { tuning: join(folder, "stopped.json") };
  const controller = new AbortController();
  let count = 0;
  const timer: PlanTimer = async () => {
    count += 1;
    if (count === 25) controller.abort();
    return { ms: 1, clock: "wall" };
  };
  const { signal } = controller;
  const first = await tuneKernels(request({ device, timer, signal }));
  assert.ok(first.isStopped && first.results.length > 0);
  const rest = await planTuning(request({ device }));
  const total = (await planTuning(request({ device, again: true }))).length;
  assert.equal(rest.length, total - first.results.length);
});

test("tuned and untuned runs agree within rounding, and the same choices give the same bits", async () => {
  await trainWith(tuned, file);
  await trainWith(saved, file, { saveSteps: 7, saveTotalLimit: 12 });
  assert.deepEqual(filesOf(saved), filesOf(tuned));
  const losses = [untuned, tuned].map((run) =>
    readLog(run).flatMap(({ type, loss }) => (type === "step" ? [loss as number] : [])),
  );
  losses[0]!.forEach((loss, step) => {
    assert.ok(Math.abs(loss - losses[1]![step]!) < LOSS_TOLERANCE, `step ${step}`);
  });
  const { choices } = tuningOf(tuned, "run.json");
  const stored = JSON.parse(readFileSync(file, "utf8")).choices as Record<string, StoredChoice>;
  assert.ok(Object.keys(choices).length > 0);
  for (const [key, choice] of Object.entries(choices))
    assert.deepEqual(choice, stored[key]!.choice);
  assert.deepEqual(tuningOf(untuned, "run.json").choices, {});
});

test("a run that goes on after another tuning has the bits of one that never stopped", async () => {
  const runFolder = join(folder, "resumed");
  const own = join(folder, "own.json");
  cpSync(file, own);
  const controller = new AbortController();
  await trainWith(runFolder, own, {
    signal: controller.signal,
    onEvent: ({ type, step }) => {
      if (type === "step" && step === 5) controller.abort();
    },
  });
  // Meanwhile, somebody tunes again, and the defaults win.
  const tuning = JSON.parse(readFileSync(own, "utf8"));
  for (const stored of Object.values<Record<string, unknown>>(tuning.choices)) {
    stored["choice"] = (stored["candidates"] as StoredChoice["candidates"])[0]!.choice;
  }
  writeFileSync(own, JSON.stringify(tuning));
  await trainWith(runFolder, own);
  assert.deepEqual(filesOf(runFolder), filesOf(tuned));
  assert.deepEqual(tuningOf(runFolder, "run.json"), tuningOf(tuned, "run.json"));
});

test("a checkpoint is gone on with by its own choices in another folder, too", async () => {
  const runFolder = join(folder, "elsewhere");
  await trainWith(runFolder, "off", { resumeFrom: join(saved, "checkpoint-7") });
  assert.deepEqual(filesOf(runFolder), filesOf(tuned));
});

test("--list and --clear tell of files, and delete them", async () => {
  const { files, damaged } = await listTuning(file);
  assert.deepEqual([files.length, damaged.length], [1, 0]);
  assert.ok(Object.keys(files[0]!.tuning.choices).length > 0);
  assert.deepEqual(await clearTuning(file), [file]);
  assert.equal(existsSync(file), false);
});

test("tenure tune --dry-run, --list, --clear and wrong flags on the command line", async () => {
  const [dry, list, clear, ...wrong] = await Promise.all([
    tenure("tune", untuned, "--dry-run", "--json", "--only", "matmul", "--for", "prefill"),
    tenure("tune", "--list"),
    tenure("tune", "--clear"),
    tenure("tune", untuned, "--size", "small"),
    tenure("tune", "--budget", "0"),
    tenure("tune", "--for", "fun"),
  ]);
  const planned = JSON.parse(dry.stdout) as { kernel: string; key: string }[];
  assert.ok(planned.length > 0 && planned.every(({ kernel }) => kernel === "matmul"));
  assert.match(list.stdout, /^Nothing was measured yet/);
  assert.equal(clear.status, EXIT.ok);
  for (const { status } of wrong) assert.equal(status, EXIT.usage);
});
