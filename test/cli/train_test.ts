import assert from "node:assert/strict";
import { appendFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { prepareFew, readLog, temporaryFolder, TINY_SETTINGS, trainTiny } from "./run_support.ts";

const folder = temporaryFolder();
const dataFolder = join(folder, "data");
const straight = join(folder, "straight");

before(async () => {
  await prepareFew(dataFolder);
  assert.equal((await trainTiny({ dataFolder, runFolder: straight })).reason, "all steps taken");
});

/** A run in a new folder that stops after 5 of 12 steps, between two validations. */
async function interruptedRun(name: string): Promise<string> {
  const runFolder = join(folder, name);
  const controller = new AbortController();
  const { reason, step } = await trainTiny(
    { dataFolder, runFolder },
    {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "step" && event.step === 5) controller.abort();
      },
    },
  );
  assert.deepEqual([reason, step], ["interrupted", 5]);
  return runFolder;
}

/** What a run computed, without times. */
function figures(runFolder: string): object[] {
  return readLog(runFolder)
    .filter(({ type }) => type === "step" || type === "validation")
    .map((event) => ({ ...event, ms: 0 }));
}

function modelBytes(runFolder: string): Buffer {
  return readFileSync(join(runFolder, "checkpoint-12", "model.safetensors"));
}

test("an interrupted run goes on with the bits of one that never was", async () => {
  const runFolder = await interruptedRun("resumed");
  // The process died while it wrote behind its last checkpoint.
  appendFileSync(join(runFolder, "log.jsonl"), '{"type":"step","step":6,"loss":99}\n{"type":"st');
  const { reason, best } = await trainTiny({ dataFolder, runFolder });
  assert.equal(reason, "all steps taken");
  assert.ok(modelBytes(runFolder).equals(modelBytes(straight)));
  for (const file of ["optimizer.safetensors", "trainer_state.json"]) {
    const [a, b] = [runFolder, straight].map((run) =>
      readFileSync(join(run, "checkpoint-12", file)),
    );
    assert.ok(a!.equals(b!), file);
  }
  assert.deepEqual(figures(runFolder), figures(straight));
  assert.equal(best?.step, readLog(straight).findLast(({ isBest }) => isBest === true)?.["step"]);
});

test("a checkpoint of any step goes on with the same bits, those with a validation too", async () => {
  const saved = join(folder, "saved");
  await trainTiny({ dataFolder, runFolder: saved }, { saveSteps: 1, saveTotalLimit: 12 });
  for (const step of [6, 7]) {
    const runFolder = join(folder, `from ${step}`);
    const resumeFrom = join(saved, `checkpoint-${step}`);
    await trainTiny({ dataFolder, runFolder }, { resumeFrom });
    for (const file of ["model.safetensors", "trainer_state.json"]) {
      const [a, b] = [runFolder, straight].map((run) =>
        readFileSync(join(run, "checkpoint-12", file)),
      );
      assert.ok(a!.equals(b!), `${file} from step ${step}`);
    }
  }
});

test("losses fall, validations are logged, and the best and latest checkpoints are kept", () => {
  const log = figures(straight) as { type: string; step: number; loss: number; isBest?: boolean }[];
  const losses = log.filter(({ type }) => type === "step").map(({ loss }) => loss);
  assert.equal(losses.length, 12);
  assert.ok(losses.at(-1)! < losses[0]! - 0.5, losses.join(" "));
  const validations = log.filter(({ type }) => type === "validation");
  assert.deepEqual(
    validations.map(({ step }) => step),
    [3, 6, 9, 12],
  );
  const best = validations.findLast(({ isBest }) => isBest === true)!.step;
  const kept = readdirSync(straight).filter((name) => name.startsWith("checkpoint-"));
  assert.ok(kept.includes(`checkpoint-${best}`) && kept.includes("checkpoint-12"));
  assert.ok(kept.length <= 3, kept.join(" "));
});

test("a finished run trains no further", async () => {
  const runFolder = join(folder, "finished");
  cpSync(straight, runFolder, { recursive: true });
  const { step } = await trainTiny({ dataFolder, runFolder });
  assert.equal(step, 12);
  assert.deepEqual(figures(runFolder), figures(straight));
});

test("a run goes on only with the settings and data it began with", async () => {
  const runFolder = join(folder, "changed");
  cpSync(straight, runFolder, { recursive: true });
  const settings = { ...TINY_SETTINGS, seed: 2 };
  await assert.rejects(trainTiny({ dataFolder, runFolder }, { settings }), {
    exitCode: EXIT.usage,
    message: /: seed must be 1 as before, got 2; /,
  });
  const otherData = join(folder, "other data");
  await prepareFew(otherData, { seed: 2 });
  await assert.rejects(trainTiny({ dataFolder: otherData, runFolder }), {
    exitCode: EXIT.usage,
    message: /data\.train\.jsonl must be .* as before/,
  });
  const length = { unit: "steps", count: 13 } as const;
  const longer = { settings: { ...settings, length }, force: true };
  assert.equal((await trainTiny({ dataFolder, runFolder }, longer)).step, 13);
});

test("--overwrite begins anew", async () => {
  const runFolder = join(folder, "anew");
  cpSync(straight, runFolder, { recursive: true });
  for (const name of ["eval.json", "eval-valid-limit3.json", "notes.json"]) {
    writeFileSync(join(runFolder, name), "{}");
  }
  const settings = { ...TINY_SETTINGS, length: { unit: "steps", count: 1 } as const };
  await trainTiny({ dataFolder, runFolder }, { settings, overwrite: true });
  const names = readdirSync(runFolder).toSorted();
  assert.deepEqual(names, ["checkpoint-1", "log.jsonl", "notes.json", "run.json"]);
});

test("going back to a checkpoint sets later ones aside, and the run goes on from its own", async () => {
  const runFolder = join(folder, "back");
  await trainTiny({ dataFolder, runFolder }, { saveSteps: 1, saveTotalLimit: 12 });
  const resumeFrom = join(runFolder, "checkpoint-4");
  const controller = new AbortController();
  const stopped = await trainTiny(
    { dataFolder, runFolder },
    {
      resumeFrom,
      saveSteps: 1,
      saveTotalLimit: 1,
      signal: controller.signal,
      onEvent: ({ type, step }) => {
        if (type === "step" && step === 7) controller.abort();
      },
    },
  );
  assert.equal(stopped.step, 7);
  const names = readdirSync(runFolder).filter((name) => name.startsWith("checkpoint-"));
  assert.deepEqual(names.toSorted(), [
    ...(stopped.best!.step < 7 ? [`checkpoint-${stopped.best!.step}`] : []),
    "checkpoint-7",
  ]);
  assert.ok(readdirSync(runFolder).includes("set-aside-checkpoint-12"));
  const begins = () => readLog(runFolder).filter(({ type }) => type === "begin");
  await trainTiny({ dataFolder, runFolder });
  assert.equal(begins().at(-1)?.["step"], 7);
  assert.ok(modelBytes(runFolder).equals(modelBytes(straight)));
});

test("--overwrite leaves the earlier run alone when no adapter opens", async () => {
  const runFolder = join(folder, "kept");
  cpSync(straight, runFolder, { recursive: true });
  const names = readdirSync(runFolder);
  const adapter = process.env["TENURE_ADAPTER"];
  process.env["TENURE_ADAPTER"] = "none of these";
  try {
    await assert.rejects(trainTiny({ dataFolder, runFolder }, { overwrite: true }));
  } finally {
    if (adapter === undefined) delete process.env["TENURE_ADAPTER"];
    else process.env["TENURE_ADAPTER"] = adapter;
  }
  assert.deepEqual(readdirSync(runFolder), names);
});

test("resuming without a checkpoint, or from a damaged one, exits with 5", async () => {
  const empty = { dataFolder, runFolder: join(folder, "empty") };
  await assert.rejects(trainTiny(empty, { resumeFrom: "latest" }), {
    exitCode: EXIT.checkpoint,
    message: /^Cannot resume in .*: there must be a checkpoint in it, got none/,
  });
  const runFolder = join(folder, "damaged");
  cpSync(straight, runFolder, { recursive: true });
  const checkpoint = join(runFolder, "checkpoint-12");
  const bytes = modelBytes(runFolder);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(checkpoint, "model.safetensors"), bytes);
  await assert.rejects(trainTiny({ dataFolder, runFolder }, { resumeFrom: checkpoint }), {
    exitCode: EXIT.checkpoint,
    message: /model\.safetensors": its SHA-256 must be/,
  });
});

test("a learning rate that breaks the model stops the run, naming step and batch", async () => {
  const optimizer = {
    ...TINY_SETTINGS.optimizer,
    learningRate: 1e30,
    weightDecay: 0,
    warmupRatio: 0,
  };
  const run = trainTiny(
    { dataFolder, runFolder: join(folder, "broken") },
    { settings: { ...TINY_SETTINGS, optimizer } },
  );
  await assert.rejects(run, {
    name: "NotFiniteError",
    message: /at step \d+ \(epoch 0, batch \d+; epoch 0, batch \d+\)/,
  });
});

test("minutes become a number of steps, which an interrupted run keeps", async () => {
  const runFolder = join(folder, "timed");
  const settings = { ...TINY_SETTINGS, length: { unit: "minutes", count: 0.06 } as const };
  const controller = new AbortController();
  const begin = performance.now();
  const first = await trainTiny(
    { dataFolder, runFolder },
    { settings, signal: controller.signal, onEvent: () => controller.abort() },
  );
  assert.ok(first.maxSteps > 1, `${first.maxSteps} steps`);
  const second = await trainTiny({ dataFolder, runFolder }, { settings });
  assert.equal(second.maxSteps, first.maxSteps);
  assert.equal(second.step, first.maxSteps);
  // Three times the time asked for would be no estimate at all.
  assert.ok(performance.now() - begin < 30_000);
});
