import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeSafetensors, encodeSafetensors } from "../../model/checkpoint/safetensors.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { DEFAULT_LORA, type LoraConfig } from "../../model/lora/config.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import { GPT2, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { drain, type Files } from "../checkpoint/memory_files.ts";
import { trainedAdapter } from "./adapted_model.ts";
import { CONFIG, foreignFiles, readAdapter as read, WEIGHTS } from "./foreign_adapter.ts";

test("what is not supported is refused by name", async () => {
  const cases: readonly (readonly [JsonObject, RegExp])[] = [
    [{ peft_type: "IA3" }, /peft_type must be "LORA", got "IA3"$/],
    [{ task_type: "SEQ_CLS" }, /task_type must be "CAUSAL_LM" or null, got "SEQ_CLS"$/],
    [{ bias: "all" }, /bias must be "none", .* got "all"$/],
    [{ use_dora: true }, /use_dora must be false, .* got true$/],
    [{ use_qalora: true }, /use_qalora must be false/],
    [{ lora_bias: true }, /lora_bias must be false/],
    [{ modules_to_save: ["lm_head"] }, /modules_to_save must be null, .* got \["lm_head"\]$/],
    [{ layer_replication: [[0, 1]] }, /layer_replication must be null/],
    [{ trainable_token_indices: [1] }, /trainable_token_indices must be null/],
    [
      { init_lora_weights: "pissa" },
      /init_lora_weights must leave the model beneath .* got "pissa"$/,
    ],
    [{ rank_pattern: { "h\\.[01]": 3 } }, /rank_pattern must have names of modules as keys/],
    [{ rank_pattern: { c_attn: 1.5 } }, /rank_pattern must hold a positive number for "c_attn"/],
    [{ alpha_pattern: { c_attn: 0 } }, /alpha_pattern must hold a positive number/],
    [{ alpha_pattern: [] }, /alpha_pattern must be an object/],
    [{ r: 0 }, /r must be an integer from 1 .*, got 0$/],
    [{ lora_alpha: -1 }, /lora_alpha must be positive, got -1$/],
    [{ lora_dropout: 1 }, /lora_dropout must lie in \[0, 1\), got 1$/],
    [{ target_modules: [] }, /target_modules must be a list of names, or an expression, got \[\]$/],
    [
      { target_modules: ["c_fc"] },
      /must be among the target_modules .* got "transformer.h.0.attn.c_attn"$/,
    ],
    [
      { target_modules: ["c_attn", "c_fc"] },
      /must be in it, got none of "transformer.h.0.mlp.c_fc"$/,
    ],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(read(foreignFiles(change), GPT2), { name: "SyntaxError", message });
  }
  for (const change of [
    { target_modules: ".*\\.c_attn" },
    { target_modules: ["c_attn", "c_fc"], layers_to_transform: [0, 1] },
    { init_lora_weights: "gaussian", task_type: null, use_dora: null, modules_to_save: [] },
  ]) {
    assert.equal((await read(foreignFiles(change), GPT2)).values.size, 12);
  }
});

test("weights that are missing, pickled, unknown or misshapen are named", async () => {
  const without = (...names: string[]) => {
    const files = foreignFiles();
    for (const name of names) files.delete(name);
    return files;
  };
  const pickled = without(WEIGHTS).set("adapter_model.bin", Uint8Array.of(0x80, 2));
  const named = (from: string, to: string, rest = {}) => {
    const files = foreignFiles(rest);
    const { tensors } = decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS);
    const renamed = Array.from(
      tensors,
      ([name, tensor]) => [name.replace(from, to), tensor] as const,
    );
    return files.set(WEIGHTS, encodeSafetensors(new Map(renamed)));
  };
  const cases: readonly (readonly [Files, string, RegExp])[] = [
    [without(CONFIG), "SyntaxError", /"folder": adapter_config.json must be there, got none$/],
    [without(WEIGHTS), "SyntaxError", /adapter_model.safetensors must be there, got none$/],
    [pickled, "SyntaxError", /got only "adapter_model.bin"; reading a pickle runs the code in it/],
    [
      named("0.attn.c_attn.lora_A", "0.attn.c_attn.lora_magnitude_vector"),
      "SyntaxError",
      /of DoRA are not supported$/,
    ],
    [
      named("0.attn.c_attn.lora_B", "0.attn.lora_B"),
      "SyntaxError",
      /must be beside its other half, got none$/,
    ],
    [
      named("h.0.attn.c_attn", "h.7.attn.c_attn"),
      "RangeError",
      /matrices of the model's blocks .* got "transformer.h.7.attn.c_attn"$/,
    ],
    [named("transformer.h.0.attn.c_attn", "lm_head"), "RangeError", /got "lm_head"$/],
    [
      foreignFiles({ r: 4 }),
      "RangeError",
      /lora_A.weight" must have shape \[4, 4\] for this model and rank, got \[3, 4\]$/,
    ],
  ];
  for (const [files, name, message] of cases) {
    await assert.rejects(read(files, GPT2), { name, message });
  }
  await assert.rejects(read(foreignFiles(), { ...GPT2, dModel: 8, headDim: 4 }), {
    name: "RangeError",
    message: /must have shape \[3, 8\] for this model and rank, got \[3, 4\]$/,
  });
});

test("scales of one layer's parts that differ, and values that do not fit, are refused", () => {
  const name = "model.layers.0.self_attn.k_proj";
  const lora: LoraConfig = { ...DEFAULT_LORA, perModule: { [name]: { rank: 16, alpha: 16 } } };
  assert.throws(() => exportPeft(GPT2, trainedAdapter(GPT2, lora)), {
    name: "RangeError",
    message:
      'Cannot write an adapter: parts of "transformer.h.0.attn.c_attn" must have one scale, got 2 and 1',
  });
  const { config, values } = trainedAdapter(LLAMA, DEFAULT_LORA);
  const label = `${name}.lora_B.weight`;
  const changed = new Map([...values, [label, new Float32Array(3)]]);
  assert.throws(() => exportPeft(LLAMA, { config, values: changed }), {
    name: "RangeError",
    message: `Cannot write an adapter: "${label}" must have 32 values, got 3`,
  });
});

test("changed bytes give a typed error or an adapter", async () => {
  const files = await drain(exportPeft(GPT2, trainedAdapter(GPT2, { ...DEFAULT_LORA, rank: 1 })));
  const change = fc.record({
    name: fc.constantFrom(CONFIG, WEIGHTS),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const changed = new Map(Array.from(files, ([name, bytes]) => [name, bytes.slice()]));
      for (const { name, at, byte } of changes) {
        const bytes = changed.get(name)!;
        bytes[Math.floor(at * bytes.length)] = byte;
      }
      try {
        assert.equal((await read(changed, GPT2)).values.size, 24);
      } catch (error) {
        const names = ["SyntaxError", "RangeError", "TypeError"];
        assert.ok(
          names.includes((error as Error).name) && (error as Error).message.startsWith("Cannot "),
          String(error),
        );
      }
    }),
    { numRuns: 500 },
  );
});
