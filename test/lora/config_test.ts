import assert from "node:assert/strict";
import { test } from "node:test";
import {
  adaptedModules,
  DEFAULT_LORA,
  type LoraConfig,
  loraScale,
} from "../../model/lora/config.ts";
import { familyModules, linearModules, shortTargets } from "../../model/lora/modules.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { GPT2, LLAMA } from "../checkpoint/arbitrary_model.ts";

const targets = (config: ModelConfig, targetModules: LoraConfig["targetModules"]): string[] =>
  adaptedModules(config, { ...DEFAULT_LORA, targetModules }).map(({ name }) => name);

test("adaptedModules() finds modules by last part, by more of the name, and by all of it", () => {
  assert.deepEqual(targets(LLAMA, ["v_proj", "q_proj"]), [
    "model.layers.0.self_attn.q_proj",
    "model.layers.0.self_attn.v_proj",
    "model.layers.1.self_attn.q_proj",
    "model.layers.1.self_attn.v_proj",
  ]);
  assert.deepEqual(targets(LLAMA, ["1.mlp.up_proj"]), ["model.layers.1.mlp.up_proj"]);
  const name = "model.layers.0.mlp.down_proj";
  assert.deepEqual(targets(LLAMA, [name, name]), [name]);
  assert.equal(targets(LLAMA, "all-linear").length, 14);
});

test("adaptedModules() knows the names of GPT-2's family", () => {
  const attention = ["q_proj", "k_proj", "v_proj"].map(
    (last) => `model.layers.1.self_attn.${last}`,
  );
  assert.deepEqual(targets(GPT2, ["h.1.attn.c_attn"]), attention);
  assert.deepEqual(targets(GPT2, ["c_proj"]), targets(GPT2, ["o_proj", "down_proj"]));
  assert.deepEqual(targets(GPT2, ["c_attn", "c_proj", "c_fc"]), targets(GPT2, "all-linear"));
  assert.equal(targets(GPT2, "all-linear").length, 12);
});

test("familyModules() has every matrix once", () => {
  for (const config of [LLAMA, GPT2]) {
    const parts = familyModules(config).flatMap((module) => module.parts);
    const byName = (modules: readonly { name: string }[]) =>
      modules.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(byName(parts), byName(linearModules(config)));
  }
});

test("shortTargets() names modules as shortly as it can, and no others", () => {
  const all = familyModules(GPT2).map(({ name }) => name);
  const short = (...chosen: string[]) => shortTargets(chosen, all);
  assert.deepEqual(shortTargets(all, all), ["c_attn", "c_proj", "c_fc"]);
  assert.deepEqual(short("transformer.h.0.attn.c_proj", "transformer.h.1.attn.c_proj"), [
    "attn.c_proj",
  ]);
  assert.deepEqual(short("transformer.h.1.mlp.c_fc"), ["1.mlp.c_fc"]);
  const one = "model.layers.1.mlp.up_proj";
  // "1.mlp.up_proj" is the end of nothing else: a dot stands before it in both.
  assert.deepEqual(shortTargets([one], [one, "model.layers.11.mlp.up_proj"]), ["1.mlp.up_proj"]);
});

test("loraScale() divides by the rank, or by its root", () => {
  assert.equal(loraScale({ rank: 16, alpha: 32, rsLora: false }), 2);
  assert.equal(loraScale({ rank: 16, alpha: 32, rsLora: true }), 8);
});

test("what is out of range, and targets that name nothing, are refused", () => {
  for (const [change, message] of [
    [{ rank: 0 }, "rank must be a positive integer, got 0"],
    [{ rank: 1.5 }, "rank must be a positive integer, got 1.5"],
    [{ alpha: 0 }, "alpha must be positive, got 0"],
    [{ alpha: Number.NaN }, "alpha must be positive, got NaN"],
    [{ dropout: 1 }, "dropout must lie in [0, 1), got 1"],
    [{ dropout: -0.1 }, "dropout must lie in [0, 1), got -0.1"],
    [{ targetModules: [] }, "targetModules must name a matrix, got none"],
    [
      { targetModules: ["q_proj", "proj"] },
      'targetModules must name matrices of the model (q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj), got "proj"',
    ],
    [
      {
        targetModules: ["q_proj"],
        perModule: { "model.layers.0.mlp.up_proj": { rank: 1, alpha: 1 } },
      },
      'perModule must name matrices that are adapted, got "model.layers.0.mlp.up_proj"',
    ],
    [
      { perModule: { "model.layers.0.mlp.up_proj": { rank: 0, alpha: 1 } } },
      "rank must be a positive integer, got 0",
    ],
  ] as const) {
    assert.throws(() => adaptedModules(LLAMA, { ...DEFAULT_LORA, ...change }), {
      name: "RangeError",
      message: `Cannot adapt a model: ${message}`,
    });
  }
});
