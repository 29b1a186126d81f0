import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  MODEL_FILES,
  TRAINER_FILES,
} from "../../model/checkpoint/checkpoint.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { uniform } from "../support.ts";
import { arbitraryConfig, bitsOf, countingWeights, GPT2, LLAMA } from "./arbitrary_model.ts";

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
  const others = new Map(files).set(name, content);
  others.delete("MANIFEST.json"); // as if another program had written it
  return others;
}

test("decodeCheckpoint() gives back what encodeCheckpoint() was given", async () => {
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

test("encodeCheckpoint() names its files, the manifest last", async () => {
  const files = await encodeCheckpoint(checkpointOf(GPT2));
  assert.equal([...files.keys()].at(-1), "MANIFEST.json");
  assert.deepEqual([...files.keys()].toSorted(), [...MODEL_FILES, ...TRAINER_FILES].toSorted());
  const { global_step, best_model_checkpoint } = JSON.parse(
    new TextDecoder().decode(files.get("trainer_state.json")),
  ) as JsonObject;
  assert.deepEqual([global_step, best_model_checkpoint], [40, "checkpoint-30"]);
});

test("decodeCheckpoint() of the model's files alone has no trainer", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  for (const name of TRAINER_FILES) files.delete(name);
  const read = await decodeCheckpoint(files);
  assert.equal(read.trainer, undefined);
  assert.equal(read.weights.size, 21);
});

test("decodeCheckpoint() of weights and configuration alone, as other programs write", async () => {
  const { config, weights } = checkpointOf(LLAMA);
  const files = await encodeCheckpoint({ config, weights });
  files.delete("MANIFEST.json");
  assert.deepEqual(await decodeCheckpoint(files), { config, weights });
});

test("decodeCheckpoint() names the file in which any one bit has changed", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  const names = [...files.keys()].filter((name) => name !== "MANIFEST.json");
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat(7), async (name, at, bit) => {
      const content = files.get(name)!.slice();
      content[at % content.length]! ^= 1 << bit;
      await assert.rejects(decodeCheckpoint(new Map(files).set(name, content)), {
        name: "SyntaxError",
        message: `Cannot read "${name}": its SHA-256 must be the one it was saved with, got another; the file is damaged`,
      });
    }),
  );
});

test("decodeCheckpoint() of a changed manifest fails, or reads the same", async () => {
  const checkpoint = checkpointOf(LLAMA);
  const files = await encodeCheckpoint(checkpoint);
  const manifest = files.get("MANIFEST.json")!;
  await fc.assert(
    fc.asyncProperty(fc.nat(manifest.length - 1), fc.nat(255), async (at, byte) => {
      const content = manifest.slice();
      content[at] = byte;
      try {
        const read = await decodeCheckpoint(new Map(files).set("MANIFEST.json", content));
        assert.deepEqual(read, checkpoint);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
  );
});

test("decodeCheckpoint() names a shortened, an unlisted and a missing file", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  const weights = files.get("model.safetensors")!;
  await assert.rejects(
    decodeCheckpoint(new Map(files).set("model.safetensors", weights.subarray(1))),
    {
      message: `Cannot read "model.safetensors": it must have ${weights.length} bytes as when it was saved, got ${weights.length - 1}`,
    },
  );
  await assert.rejects(decodeCheckpoint(new Map(files).set("x.json", weights)), {
    message: /^Cannot read "x\.json": it must be listed in MANIFEST\.json, got /,
  });
  for (const name of ["config.json", "model.safetensors", "optimizer.safetensors"]) {
    const others = new Map(files);
    others.delete(name);
    await assert.rejects(decodeCheckpoint(others), {
      name: "SyntaxError",
      message: new RegExp(`^Cannot read "${name}": it must be `),
    });
  }
});

test("decodeCheckpoint() refuses a manifest that names a file elsewhere", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  for (const name of ["../config.json", "/etc/passwd", "a/b", ".hidden", ""]) {
    const manifest = { format: "tenure-checkpoint", files: { [name]: { bytes: 1, sha256: "" } } };
    files.set("MANIFEST.json", new TextEncoder().encode(JSON.stringify(manifest)));
    await assert.rejects(decodeCheckpoint(files), /names of files must be plain, without folders/);
  }
});

test("decodeCheckpoint() refuses parts that do not fit together", async () => {
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

test("decodeCheckpoint() refuses moments of another model", async () => {
  const files = await encodeCheckpoint(checkpointOf(LLAMA));
  const others = await encodeCheckpoint(checkpointOf({ ...LLAMA, dHidden: 7 }));
  const mixed = new Map(files).set("optimizer.safetensors", others.get("optimizer.safetensors")!);
  mixed.delete("MANIFEST.json");
  await assert.rejects(decodeCheckpoint(mixed), {
    name: "RangeError",
    message:
      /"model\.layers\.0\.mlp\.gate_proj\.weight\.m" must have shape \[6, 4\], got \[7, 4\]$/,
  });
});

test("encodeCheckpoint() refuses what would not come back", async () => {
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
      /moment m of weight "model\.embed_tokens\.weight" must have shape \[7, 4\], got none$/,
    ],
    [{ tokenizer: { model: { vocab: new Map([["a", 0]]) } } }, /vocab must be .* got Map$/],
    [{ tokenizer: { model: { vocab: { a: 7 } } } }, /vocabSize 7, got 7 for "a"$/],
    [{ generation: { endTokens: [7] } }, /vocabSize 7, got 7$/],
    [{ weights: new Map() }, /weight "model\.embed_tokens\.weight" must have .*, got none$/],
    [{ config: { ...LLAMA, numKvHeads: 3 } }, /numKvHeads must divide/],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(encodeCheckpoint({ ...checkpoint, ...change }), { message });
  }
});
