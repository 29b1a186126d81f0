import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OPTIMIZER_FILE, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { uniform } from "../support.ts";
import { arbitraryConfig, bitsOf, countingWeights, GPT2, LLAMA } from "./arbitrary_model.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "./whole_checkpoint.ts";

const TRAINER_FILES = [OPTIMIZER_FILE, TRAINER_FILE];

function randomWeights(config: ModelConfig, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(
    Array.from(countingWeights(config), ([label, { length }], i) => [
      label,
      uniform(length, seed + i),
    ]),
  );
}

/** A checkpoint with all of its parts. */
function checkpointOf(config: ModelConfig, state: JsonObject = { seed: "17" }): Checkpoint {
  return {
    config,
    weights: randomWeights(config, 1),
    tokenizer: { model: { type: "BPE", vocab: { a: 0 } }, added_tokens: [] },
    generation: { beginToken: 0, endTokens: [0] },
    trainer: {
      step: 40,
      epoch: 0.25,
      best: { metric: 1.5, checkpoint: "checkpoint-30" },
      log: [{ step: 40, loss: 1.25 }],
      state,
      optimizer: { m: randomWeights(config, 100), v: randomWeights(config, 200) },
    },
  };
}

/** A JSON file of a checkpoint with some fields changed. */
function changed(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  name: string,
  change: JsonObject,
): Map<string, Uint8Array<ArrayBuffer>> {
  const json = JSON.parse(new TextDecoder().decode(files.get(name))) as JsonObject;
  const content = new TextEncoder().encode(JSON.stringify({ ...json, ...change }));
  return new Map(files).set(name, content);
}

test("a checkpoint is read as it was written", async () => {
  // Not for GPT-2's family: two fields without meaning there come back as defaults.
  const configs = arbitraryConfig.filter(({ position }) => position === "rotary");
  const object = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    .filter((value) => !JSON.stringify(value).includes("__proto__")); // refused when it is read
  await fc.assert(
    fc.asyncProperty(configs, object, async (config, state) => {
      const json = JSON.parse(JSON.stringify(state)) as JsonObject; // -0 becomes 0
      const checkpoint = checkpointOf(config, json);
      const read = await decodeCheckpoint(await encodeCheckpoint(checkpoint));
      assert.deepEqual(read, checkpoint);
      assert.deepEqual(bitsOf(read.weights), bitsOf(checkpoint.weights));
    }),
    { numRuns: 60 },
  );
});

test("a checkpoint has Hugging Face's files, and those of the run last", async () => {
  const files = await encodeCheckpoint(checkpointOf(GPT2));
  assert.deepEqual(
    [...files.keys()],
    [
      "config.json",
      "generation_config.json",
      "tokenizer.json",
      "model.safetensors",
      ...TRAINER_FILES,
    ],
  );
  const { global_step, best_model_checkpoint } = JSON.parse(
    new TextDecoder().decode(files.get("trainer_state.json")),
  ) as JsonObject;
  assert.deepEqual([global_step, best_model_checkpoint], [40, "checkpoint-30"]);
});

test("the model's files alone have no trainer", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  for (const name of TRAINER_FILES) files.delete(name);
  const read = await decodeCheckpoint(files);
  assert.equal(read.trainer, undefined);
  assert.equal(read.weights.size, 21);
});

test("weights and configuration alone, as other programs write, are a model", async () => {
  const { config, weights } = checkpointOf(LLAMA);
  const files = await encodeCheckpoint({ config, weights });
  assert.deepEqual(await decodeCheckpoint(files), { config, weights });
});

test("a missing file of a checkpoint is refused by name", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  for (const name of ["config.json", "model.safetensors", ...TRAINER_FILES]) {
    const others = new Map(files);
    others.delete(name);
    await assert.rejects(decodeCheckpoint(others), {
      name: "SyntaxError",
      message: new RegExp(`^Cannot read ".*${name} .*must be |^Cannot read "${name}": it must be `),
    });
  }
});

test("reading refuses parts that do not fit together", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  const vocab = (content: JsonObject) => ({ model: { vocab: content } });
  const cases: readonly (readonly [string, JsonObject, RegExp])[] = [
    ["config.json", { vocab_size: 8 }, /"model\.embed_tokens\.weight" .* \[8, 4\] .*got \[7, 4\]$/],
    ["config.json", { num_hidden_layers: 1 }, /weights of a llama model, got "model\.layers\.1\./],
    ["tokenizer.json", vocab({ a: 0, b: 7 }), /below the model's vocabSize 7, got 7 for "b"$/],
    ["tokenizer.json", vocab({ a: -1 }), /"a" must be a non-negative integer, got -1$/],
    ["tokenizer.json", { added_tokens: [{ id: 9, content: "<s>" }] }, /got 9 for "<s>"$/],
    ["tokenizer.json", { model: {} }, /model\.vocab must list the tokens, got nothing$/],
    ["generation_config.json", { eos_token_id: [0, "7"] }, /eos_token_id must hold ids of tokens/],
    ["trainer_state.json", { global_step: 1.5 }, /global_step must count from 0, got 1\.5$/],
    ["trainer_state.json", { tenure: null }, /tenure must be the state .*, got null$/],
    [
      "trainer_state.json",
      { log_history: [1] },
      /log_history must be a list of objects, got \[1\]$/,
    ],
  ];
  for (const [name, change, message] of cases) {
    await assert.rejects(decodeCheckpoint(changed(files, name, change)), (error) => {
      assert.ok(error instanceof SyntaxError || error instanceof RangeError);
      assert.match(error.message, /^Cannot read "/);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("reading refuses moments of another model", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  const others = await encodeCheckpoint(checkpointOf({ ...LLAMA, dHidden: 7 }));
  const mixed = new Map(files).set("optimizer.safetensors", others.get("optimizer.safetensors")!);
  await assert.rejects(decodeCheckpoint(mixed), {
    name: "RangeError",
    message:
      /"model\.layers\.0\.mlp\.gate_proj\.weight\.m" must have shape \[6, 4\], got \[7, 4\]$/,
  });
});

test("writing refuses what would not come back", async () => {
  const checkpoint = checkpointOf(LLAMA);
  const trainer = checkpoint.trainer!;
  const { m, v } = trainer.optimizer;
  const cases: readonly (readonly [Partial<Checkpoint>, RegExp])[] = [
    [
      { trainer: { ...trainer, state: { loss: Number.NaN } } },
      /\.tenure\.loss must be .* got NaN$/,
    ],
    [{ trainer: { ...trainer, state: JSON.parse('{"__proto__":1}') as JsonObject } }, /__proto__/],
    [{ trainer: { ...trainer, step: 0.5 } }, /steps must count from 0, got 0\.5$/],
    [
      { trainer: { ...trainer, optimizer: { m: new Map([...m].slice(1)), v } } },
      /moment m of weight "model\.embed_tokens\.weight" must have shape \[7, 4\], got 0 values$/,
    ],
    [{ tokenizer: { model: { vocab: new Map([["a", 0]]) } } }, /vocab must be .* got Map$/],
    [{ tokenizer: { model: { vocab: { a: 7 } } } }, /vocabSize 7, got 7 for "a"$/],
    [{ generation: { endTokens: [7] } }, /vocabSize 7, got 7$/],
    [{ weights: new Map() }, /weight "lm_head\.weight" must have .*, got 0 values$/],
    [{ config: { ...LLAMA, numKvHeads: 3 } }, /numKvHeads must divide/],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(async () => encodeCheckpoint({ ...checkpoint, ...change }), { message });
  }
});
