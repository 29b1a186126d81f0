import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { EXIT } from "../../cli/platform/errors.ts";
import { paperAdapter } from "../../cli/platform/paper_adapter.ts";
import { checkSizes, type MemoryPlan, planMemory } from "../../cli/run/memory_plan.ts";
import { Progress } from "../../cli/run/progress.ts";
import type { RunSettings } from "../../cli/run/settings.ts";
import { dryRun } from "../../cli/run/train.ts";
import { Gpu } from "../../engine/gpu.ts";
import { DEFAULT_LORA } from "../../model/lora/config.ts";
import { Trainer } from "../../model/train/trainer.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { fixturePath, noFixtures } from "../data/fixtures.ts";
import { FAMILIES, FINE_TUNING, fineTune, prepareShort, writeModel } from "./pretrained_support.ts";
import {
  prepareFew,
  readLog,
  silentProgress,
  temporaryFolder,
  trainTiny,
  WORDING,
} from "./run_support.ts";

const folder = temporaryFolder();
const dataFolder = join(folder, "data");
const path = join(folder, "model");
const LORA = { ...DEFAULT_LORA, rank: 2 };

/** Wide enough for adapters to be small beside it. */
const WIDE = { ...FAMILIES["Llama"]!, dModel: 128, dHidden: 768, numHeads: 8, numBlocks: 3 };

const SETTINGS: RunSettings = {
  ...FINE_TUNING,
  model: WIDE,
  wording: WORDING,
  data: {},
};

before(async () => {
  await prepareShort(dataFolder);
  await writeModel(path, FAMILIES["Llama"]!);
});

async function paperGpu(changes: { maxMemoryBytes?: number; features?: Set<string> } = {}) {
  const { adapter } = await openAdapter();
  const { features = adapter.features, ...options } = changes;
  const { limits, info } = adapter;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Gpu.open(paperAdapter({ features, limits, info } as GPUAdapter), options);
}

async function planOf(changes: Partial<RunSettings> = {}): Promise<MemoryPlan> {
  return planMemory(await paperGpu(), { ...SETTINGS, ...changes }, { hasValidation: false });
}

test("a plan on paper is what a step takes on the device, to the byte", async () => {
  const { adapter } = await openAdapter();
  const gpu = await Gpu.open(adapter);
  try {
    const plan = await planOf();
    const model = Transformer.create(gpu, SETTINGS.model);
    const { batch, optimizer, seed } = SETTINGS;
    const trainer = new Trainer(gpu, model, { ...batch, ...optimizer, seed, maxSteps: 1 });
    assert.equal(gpu.allocatedBytes, plan.peak - plan.activations);
    await trainer.step.compile();
    // Beside activations, a compiled plan has the params of its dispatches.
    const params = gpu.allocatedBytes - plan.peak;
    assert.ok(params >= 0 && params < 100_000, `${params}`);
  } finally {
    gpu.destroy();
  }
});

test("checkpointing, adapters and quantized weights each take less", async () => {
  const whole = await planOf();
  const pretrained = { fingerprint: "", lora: LORA };
  const adapted = await planOf({ pretrained });
  const quantized = await planOf({ pretrained: { ...pretrained, baseDtype: "int4" } });
  const recomputed = await planOf({ checkpoint: true });
  assert.ok(recomputed.activations < whole.activations);
  assert.ok(adapted.gradients + adapted.optimizer < (whole.gradients + whole.optimizer) / 4);
  assert.equal(adapted.optimizer, 2 * adapted.gradients);
  assert.ok(quantized.peak < adapted.peak && adapted.peak < whole.peak);
  assert.deepEqual([...whole.weights.keys()], ["f32"]);
  assert.deepEqual(new Set(quantized.weights.keys()), new Set(["int8", "int4", "f32"]));
});

test("--dtype f16 is refused where the adapter has no halves", async () => {
  const gpu = await paperGpu({ features: new Set() });
  assert.throws(() => planMemory(gpu, { ...SETTINGS, dtype: "f16" }, { hasValidation: false }), {
    name: "TypeError",
    message: /must have shader-f16, got .*; use f32$/,
  });
});

test("absurd sizes are refused with the estimate, at once", async () => {
  const gpu = await paperGpu({ maxMemoryBytes: 2 ** 42 });
  const begin = performance.now();
  for (const model of [
    { ...SETTINGS.model, numBlocks: 1e12 },
    { ...SETTINGS.model, vocabSize: 1e15 },
    { ...SETTINGS.model, maxSeqLen: 1e13 },
  ]) {
    assert.throws(() => checkSizes(gpu, { ...SETTINGS, model }), {
      name: "RangeError",
      message:
        /^Cannot hold [\d,]+ weights, gradients and moments: it needs \d+\.\d\d GiB, got 4096\.00 GiB free/,
    });
  }
  assert.ok(performance.now() - begin < 1000);
  const model = { ...SETTINGS.model, numBlocks: 1_000_000_000 };
  await assert.rejects(
    trainTiny(
      { dataFolder, runFolder: join(folder, "absurd") },
      { settings: { ...FINE_TUNING, model } },
    ),
    { exitCode: EXIT.device, message: /^Cannot hold [\d,]+ weights, .* GiB free on this device/ },
  );
});

test("the plan is told first, and a run that does not fit leaves nothing", async () => {
  const out: string[] = [];
  const progress = new Progress({ write: (text) => out.push(text) });
  const runFolder = join(folder, "too large");
  const wide = { path: await writeModel(join(folder, "wide"), WIDE) };
  const run = fineTune({ dataFolder, runFolder }, wide, { maxMemoryGiB: 1 / 64, progress });
  await assert.rejects(run, {
    exitCode: EXIT.device,
    message: /^Cannot hold what this run takes: it needs 0\.0\d GiB, got 0\.02 GiB free/,
  });
  assert.match(
    out.join(""),
    /^Weights +[\d,]+ as f32 \(.*\)\nGradients .*\nOptimizer .*\nInputs .*\nActivations .*\nPeak .*\nSavings +.* with --checkpoint-activations; .* with --lora-r 16; .* with --lora-r 16 --base-dtype int4\n$/m,
  );
  assert.ok(!existsSync(runFolder));
});

test("--dry-run of adapters counts weights by format, and leaves no run", async () => {
  const runFolder = join(folder, "dry");
  const text = await dryRun({
    dataFolder,
    runFolder,
    settings: FINE_TUNING,
    pretrained: { path, lora: LORA, baseDtype: "int8" },
    saveSteps: 0,
    saveTotalLimit: 1,
    progress: silentProgress(),
  });
  assert.match(text, /^Weights +[\d,]+ as int8 \(.*\) \+ [\d,]+ as f32 \(.*\)\n/);
  assert.match(text, /\nSavings .* with --base-dtype int4\nDispatches +\d+ a step/);
  assert.ok(!existsSync(runFolder));
});

test("checkpointed activations, and halves, change what a run takes, not how it goes on", async () => {
  const { adapter } = await openAdapter();
  const lines: number[][] = [];
  for (const [name, changes] of [
    ["plain", {}],
    ["checkpointed", { checkpoint: true }],
    ...(adapter.features.has("shader-f16") ? [["half", { dtype: "f16" }] as const] : []),
  ] as const) {
    const runFolder = join(folder, name);
    await fineTune(
      { dataFolder, runFolder },
      { path },
      { settings: { ...FINE_TUNING, ...changes } },
    );
    const steps = readLog(runFolder).filter(({ type }) => type === "step");
    lines.push(steps.map(({ loss }) => loss as number));
  }
  const [plain, checkpointed, half] = lines;
  assert.deepEqual(checkpointed, plain);
  // Halves round to 1 in 2,048; six steps of a tiny model keep within twenty times that.
  half?.forEach((loss, i) => assert.ok(Math.abs(loss - plain![i]!) < 0.01 * plain![i]!, `${loss}`));
});

test("kill -9 while adapters are trained loses no more than what was not saved", async () => {
  const [straight, killed] = [join(folder, "straight"), join(folder, "killed")];
  const options =
    "--lora-r 2 --max-steps 12 --seq-len 256 --per-device-train-batch-size 1 --save-steps 1 --save-total-limit 3 --eval-steps 100";
  const flags = (run: string) =>
    ["train", dataFolder, "-o", run, "--model", path].concat(options.split(" "));
  const start = (run: string) =>
    spawn(process.execPath, ["bin/tenure.js", ...flags(run)], { stdio: "ignore" });
  const child = start(killed);
  const ended = once(child, "exit");
  while (!existsSync(join(killed, "checkpoint-4")) && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill("SIGKILL");
  await ended;
  assert.ok(!readdirSync(killed).includes("checkpoint-12"), "it ended before it was killed");
  for (const run of [killed, straight]) assert.deepEqual(await once(start(run), "exit"), [0, null]);
  for (const file of ["adapter_model.safetensors", "optimizer.safetensors", "trainer_state.json"]) {
    const [a, b] = [killed, straight].map((run) => readFileSync(join(run, "checkpoint-12", file)));
    assert.ok(a!.equals(b!), file);
  }
});

test("stories260K learns careers in windows of its context", { skip: noFixtures }, async () => {
  const data = join(folder, "stories data");
  await prepareFew(data, { wording: { ...WORDING, lastRows: 2 } });
  const stories = fixturePath("stories260K/stories260K.bin").pathname;
  const runFolder = join(folder, "stories");
  const length = { unit: "steps", count: 3 } as const;
  const batch = { ...FINE_TUNING.batch, seqLen: 512 };
  const optimizer = { ...FINE_TUNING.optimizer, learningRate: 1e-3 };
  const settings = { ...FINE_TUNING, length, batch, optimizer };
  await fineTune({ dataFolder: data, runFolder }, { path: stories }, { settings });
  const losses = readLog(runFolder).flatMap(({ type, loss }) =>
    type === "step" ? [loss as number] : [],
  );
  assert.ok(losses.at(-1)! < losses[0]!, losses.join(" "));
});
