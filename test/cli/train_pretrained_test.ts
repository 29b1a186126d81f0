import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { bestCheckpoint } from "../../cli/platform/checkpoints.ts";
import { EXIT } from "../../cli/platform/errors.ts";
import { openModelPath } from "../../cli/platform/model_folder.ts";
import { evaluateRun } from "../../cli/run/evaluate.ts";
import { predict, type Prediction } from "../../cli/run/predict.ts";
import type { PretrainedRequest } from "../../cli/run/train.ts";
import { DEFAULT_LORA } from "../../model/lora/config.ts";
import { FAMILIES, fineTune, prepareShort, TOKENIZER, writeModel } from "./pretrained_support.ts";
import { readLog, silentProgress, temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const dataFolder = join(folder, "data");

/** Adapters with dropout, so that randomness counts. */
const LORA = { ...DEFAULT_LORA, rank: 4, alpha: 16, dropout: 0.1 };

before(async () => {
  await prepareShort(dataFolder);
  for (const [name, config] of Object.entries(FAMILIES)) {
    await writeModel(join(folder, name), config);
  }
});

/** Probabilities of every occupation of one of the people, by a run. */
async function ask(model: string, baseModel?: string): Promise<Prediction> {
  const file = join(dataFolder, "test.jsonl");
  const { id } = JSON.parse(readFileSync(file, "utf8").split("\n")[0]!) as { id: string };
  const place = baseModel === undefined ? {} : { baseModel };
  return predict({ model, career: { file, id }, top: 335, ...place });
}

function losses(runFolder: string): number[] {
  const steps = readLog(runFolder).filter(({ type }) => type === "step");
  return steps.map(({ loss }) => loss as number);
}

/** Files of a checkpoint, by name. */
function filesOf(runFolder: string, name: string): Map<string, string> {
  const path = join(runFolder, name);
  return new Map(
    readdirSync(path).map((file) => [file, readFileSync(join(path, file)).toString("base64")]),
  );
}

/** A run that stops behind step 3, goes on, and ends as the other did. */
async function checkResumed(runFolder: string, pretrained: PretrainedRequest): Promise<void> {
  const again = `${runFolder} again`;
  const controller = new AbortController();
  const stopped = await fineTune({ dataFolder, runFolder: again }, pretrained, {
    signal: controller.signal,
    onEvent: ({ type, step }) => {
      if (type === "step" && step === 4) controller.abort();
    },
  });
  assert.deepEqual([stopped.reason, stopped.step], ["interrupted", 4]);
  await fineTune({ dataFolder, runFolder: again }, pretrained);
  const [a, b] = [runFolder, again].map((run) => filesOf(run, "checkpoint-6"));
  assert.deepEqual([...a!.keys()], [...b!.keys()]);
  for (const [name, content] of a!) assert.ok(b!.get(name) === content, name);
}

/** Sums of 335 f32 probabilities. */
const SUM_TOLERANCE = 1e-5;

for (const name of Object.keys(FAMILIES)) {
  for (const [kind, changes] of [
    ["whole", {}],
    ["by adapters", { lora: LORA }],
  ] as const) {
    test(`${name} is fine-tuned ${kind}: the loss falls, resumed runs have the same bits, and predict asks it`, async () => {
      const runFolder = join(folder, `${name} ${kind}`);
      const pretrained = { path: join(folder, name), ...changes };
      const { reason } = await fineTune({ dataFolder, runFolder }, pretrained);
      assert.equal(reason, "all steps taken");
      const [first, ...rest] = losses(runFolder);
      assert.ok(rest.at(-1)! < first! - 0.1, losses(runFolder).join(" "));
      const files = [...filesOf(runFolder, "checkpoint-6").keys()];
      const isAdapter = kind === "by adapters";
      assert.equal(files.includes("adapter_model.safetensors"), isAdapter);
      assert.equal(files.includes("model.safetensors"), !isAdapter);
      await checkResumed(runFolder, pretrained);
      const { occupations } = await ask(runFolder);
      const sum = occupations.reduce((total, { probability }) => total + probability, 0);
      assert.ok(Math.abs(sum - 1) < SUM_TOLERANCE, `${sum}`);
    });
  }
}

test("a fine-tuned model is a model in Hugging Face's layout, with its own tokenizer", async () => {
  const model = await openModelPath(join(folder, "Qwen2 whole", "checkpoint-6"));
  assert.deepEqual(model.config, FAMILIES["Qwen2"]);
  assert.deepEqual(model.tokenizer, JSON.parse(JSON.stringify(TOKENIZER)));
  assert.deepEqual(model.generation, { endTokens: [0] });
});

test("tenure eval judges a run with adapters on a quantized base", async () => {
  const runFolder = join(folder, "quantized");
  const path = await writeModel(join(folder, "wide"), {
    ...FAMILIES["Llama"]!,
    dModel: 32,
    numHeads: 4,
    numKvHeads: 2,
  });
  const pretrained = { path, lora: LORA, baseDtype: "int4" } as const;
  await fineTune({ dataFolder, runFolder }, pretrained);
  assert.ok(losses(runFolder).at(-1)! < losses(runFolder)[0]!, losses(runFolder).join(" "));
  await checkResumed(runFolder, pretrained);
  const { report, file } = await evaluateRun({
    model: runFolder,
    split: "test",
    limit: 2,
    tolerance: 0,
    progress: silentProgress(),
  });
  const [language] = report.models;
  const perplexity = language!.perplexity["all"]!;
  assert.ok(perplexity > 1 && Number.isFinite(perplexity), `${perplexity}`);
  assert.ok(file !== undefined);
});

test("adapters want the very model that they were trained on, and say how to name it", async () => {
  const [runFolder, home] = [join(folder, "moved run"), join(folder, "home")];
  cpSync(join(folder, "Llama"), home, { recursive: true });
  await fineTune({ dataFolder, runFolder }, { path: home, lora: LORA });
  const asked = await ask(runFolder);
  const moved = join(folder, "moved");
  renameSync(home, moved);
  await assert.rejects(ask(runFolder), {
    exitCode: EXIT.checkpoint,
    message:
      /^Cannot use ".*checkpoint-\d": the model that it adapts must be at ".*home", got: .*; say where it is with --model <path>$/,
  });
  assert.deepEqual(await ask(runFolder, moved), asked);
  await writeModel(home, FAMILIES["Llama"]!, 2);
  for (const model of [undefined, home]) {
    await assert.rejects(ask(runFolder, model), {
      exitCode: EXIT.checkpoint,
      message: /must be the one it was trained on, got another or a changed one at ".*home"/,
    });
  }
  await assert.rejects(fineTune({ dataFolder, runFolder }, { path: home, lora: LORA }), {
    exitCode: EXIT.usage,
    message: /pretrained\.fingerprint must be .* as before/,
  });
});

test("a run never removes the model that it begins with, and names a checkpoint of a run", async () => {
  const [full, runFolder] = [join(folder, "full"), join(folder, "of full")];
  await fineTune({ dataFolder, runFolder: full }, { path: join(folder, "Llama") });
  const checkpoint = await bestCheckpoint(full);
  const kept = filesOf(full, basename(checkpoint));
  const link = join(folder, "link to full");
  symlinkSync(full, link);
  for (const [path, place] of [
    [full, full],
    [checkpoint, full],
    [full, link],
    [link, full],
  ] as const) {
    const folders = { dataFolder, runFolder: place };
    await assert.rejects(fineTune(folders, { path, lora: LORA }, { overwrite: true }), {
      exitCode: EXIT.usage,
      message: /the folder must lie apart from the model to begin with, got ".*checkpoint-\d"/,
    });
  }
  // Room for newer checkpoints is made by removing older ones.
  await assert.rejects(fineTune({ dataFolder, runFolder: full }, { path: full }, { force: true }), {
    exitCode: EXIT.usage,
  });
  assert.deepEqual(filesOf(full, basename(checkpoint)), kept);

  await fineTune({ dataFolder, runFolder }, { path: full, lora: LORA });
  const state = readFileSync(join(await bestCheckpoint(runFolder), "trainer_state.json"), "utf8");
  assert.ok(state.includes(JSON.stringify(checkpoint)), state);
  assert.ok(!state.includes(JSON.stringify(full)), state);
});

test("a model of too short a context, or another's tokenizer without an end, is refused", async () => {
  const short = await writeModel(join(folder, "short"), { ...FAMILIES["Llama"]!, maxSeqLen: 64 });
  await assert.rejects(fineTune({ dataFolder, runFolder: join(folder, "x") }, { path: short }), {
    exitCode: EXIT.data,
    message:
      /must have at most the 64 tokens of the model, got \d+ in rows of 256; .*--seq-len 64$/,
  });
  const endless = await writeModel(join(folder, "endless"), FAMILIES["Llama"]!);
  const file = join(endless, "tokenizer.json");
  const json = readFileSync(file, "utf8").replaceAll("<|endoftext|>", "<|none|>");
  writeFileSync(file, json);
  writeFileSync(join(endless, "generation_config.json"), "{}");
  await assert.rejects(fineTune({ dataFolder, runFolder: join(folder, "x") }, { path: endless }), {
    exitCode: EXIT.checkpoint,
    message: /must have a token that ends documents, got none; name one as eos_token/,
  });
  assert.ok(!readdirSync(folder).includes("x"));
});
