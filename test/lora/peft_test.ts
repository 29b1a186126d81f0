import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeSafetensors } from "../../model/checkpoint/safetensors.ts";
import { type LoraAdapter, loraLabels } from "../../model/lora/adapter.ts";
import {
  adaptedModules,
  DEFAULT_LORA,
  type LoraConfig,
  loraScale,
  strengthOf,
} from "../../model/lora/config.ts";
import { exportPeft, type PeftExportOptions } from "../../model/lora/export_peft.ts";
import { linearModules } from "../../model/lora/modules.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { arbitraryConfig, bitsOf, FAMILIES, GPT2, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { drain, type Files, jsonOf } from "../checkpoint/memory_files.ts";
import { assertClose, uniform } from "../support.ts";
import { trainedAdapter } from "./adapted_model.ts";
import { CONFIG, foreignFiles, readAdapter as read, WEIGHTS } from "./foreign_adapter.ts";

const write = (config: ModelConfig, adapter: LoraAdapter, options?: PeftExportOptions) =>
  drain(exportPeft(config, adapter, options));

/** Everything that an adapter computes: its values, and each module's rank and scale. */
function meaningOf(model: ModelConfig, { config, values }: LoraAdapter) {
  const modules = adaptedModules(model, config).map(({ name }) => {
    const { rank, alpha } = strengthOf(config, name);
    return [name, rank, alpha];
  });
  const labels = [...values.keys()].toSorted();
  const bits = bitsOf(new Map(labels.map((label) => [label, values.get(label)!])));
  return { modules, bits, dropout: config.dropout, rsLora: config.rsLora };
}

const arbitraryLora = fc.record({
  rank: fc.integer({ min: 1, max: 4 }),
  alpha: fc.constantFrom(1, 8, 12.5),
  dropout: fc.constantFrom(0, 0.1),
  rsLora: fc.boolean(),
  picks: fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
});

test("an adapter of any modules of any model comes back bit by bit", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryConfig, arbitraryLora, async (config, { picks, ...rest }) => {
      const names = linearModules(config).map(({ name }) => name);
      const chosen = names.filter((_, i) => picks[i % picks.length]);
      const targetModules = chosen.length > 0 ? chosen : ("all-linear" as const);
      const adapter = trainedAdapter(config, { ...rest, targetModules });
      const back = await read(await write(config, adapter), config);
      assert.deepEqual(meaningOf(config, back), meaningOf(config, adapter));
      const again = await write(config, back);
      assert.deepEqual(again.get(WEIGHTS), (await write(config, adapter)).get(WEIGHTS));
    }),
    { numRuns: 200 },
  );
});

test("fresh adapters and those of 16 bits come back", async () => {
  for (const [, config] of FAMILIES) {
    for (const dtype of ["F16", "BF16"] as const) {
      const { values, config: lora } = trainedAdapter(config, { ...DEFAULT_LORA, rank: 2 });
      const fits = new Map(
        Array.from(values, ([label, x]) => [label, x.map((v) => Math.round(v * 64) / 64)]),
      );
      const adapter = { config: lora, values: fits };
      const files = await write(config, adapter, { dtype });
      const { tensors } = decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS);
      assert.ok([...tensors.values()].every((tensor) => tensor.dtype === dtype));
      assert.deepEqual(meaningOf(config, await read(files, config)), meaningOf(config, adapter));
    }
    const fresh = trainedAdapter(config, DEFAULT_LORA);
    const zeros = new Map(
      Array.from(fresh.values, ([label, x]) => [
        label,
        label.includes("lora_B") ? x.map(() => 0) : x,
      ]),
    );
    const adapter = { ...fresh, values: zeros };
    const back = await read(await write(config, adapter), config);
    assert.deepEqual(meaningOf(config, back), meaningOf(config, adapter));
  }
});

test("the files of a Llama's adapter are PEFT's", async () => {
  const lora = {
    ...DEFAULT_LORA,
    rank: 2,
    alpha: 4,
    dropout: 0.05,
    targetModules: ["v_proj", "q_proj"],
  };
  const files = await write(LLAMA, trainedAdapter(LLAMA, lora), { baseModel: "org/llama" });
  assert.deepEqual([...files.keys()], [CONFIG, WEIGHTS]);
  assert.deepEqual(jsonOf(files, CONFIG), {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: "org/llama",
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: 4,
    lora_dropout: 0.05,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: null,
    peft_type: "LORA",
    r: 2,
    rank_pattern: {},
    revision: null,
    target_modules: ["q_proj", "v_proj"],
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: false,
  });
  const { tensors, metadata } = decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS);
  assert.deepEqual([...metadata], [["format", "pt"]]);
  const path = (block: number, module: string, side: string) =>
    `base_model.model.model.layers.${block}.self_attn.${module}.lora_${side}.weight`;
  assert.deepEqual(
    Array.from(tensors, ([name, { shape }]) => [name, shape]),
    [0, 1].flatMap((block) => [
      [path(block, "q_proj", "A"), [2, 4]],
      [path(block, "q_proj", "B"), [4, 2]],
      [path(block, "v_proj", "A"), [2, 4]],
      [path(block, "v_proj", "B"), [2, 2]],
    ]),
  );
});

/** `scale · B · A` of each of GPT-2's layers, from the files. */
async function productsOf(files: Files): Promise<Map<string, number[]>> {
  const json = jsonOf(files, CONFIG) as Record<string, never>;
  const { tensors } = decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS);
  const products = new Map<string, number[]>();
  for (const [name, { shape, bytes }] of tensors) {
    const [, module] = /^base_model\.model\.(.*)\.lora_A\.weight$/.exec(name) ?? [];
    if (module === undefined) continue;
    const other = tensors.get(name.replace("lora_A", "lora_B"))!;
    const [a, b] = [bytes, other.bytes].map((x) => new Float32Array(x.slice().buffer));
    const [rank = 0, dIn = 0] = shape;
    const lookUp = (pattern: Record<string, number>, orElse: number) =>
      Object.entries(pattern).find(([key]) => module.endsWith(`.${key}`))?.[1] ?? orElse;
    assert.equal(rank, lookUp(json["rank_pattern"]!, json["r"]!));
    const scale = lookUp(json["alpha_pattern"]!, json["lora_alpha"]!) / rank;
    const product: number[] = [];
    for (let o = 0; o < other.shape[0]!; o++) {
      for (let i = 0; i < dIn; i++) {
        let sum = 0;
        for (let r = 0; r < rank; r++) sum += b![o * rank + r]! * a![r * dIn + i]!;
        product.push(scale * sum);
      }
    }
    products.set(module, product);
  }
  return products;
}

test("GPT-2's queries, keys and values become one exact adapter of c_attn", async () => {
  for (const targetModules of ["all-linear", ["q_proj", "v_proj", "o_proj"]] as const) {
    const adapter = trainedAdapter(GPT2, { ...DEFAULT_LORA, rank: 2, alpha: 3, targetModules });
    const files = await write(GPT2, adapter);
    const json = jsonOf(files, CONFIG);
    assert.equal(json["fan_in_fan_out"], true);
    const isAll = targetModules === "all-linear";
    assert.deepEqual(
      json["target_modules"],
      isAll ? ["c_attn", "c_proj", "c_fc"] : ["c_attn", "attn.c_proj"],
    );
    assert.deepEqual([json["r"], json["lora_alpha"]], [2, 3]);
    assert.deepEqual(json["rank_pattern"], { c_attn: isAll ? 6 : 4 });
    assert.deepEqual(json["alpha_pattern"], { c_attn: isAll ? 9 : 6 });
    const products = await productsOf(files);
    const adapted = new Set(adaptedModules(GPT2, adapter.config).map(({ name }) => name));
    for (const block of [0, 1]) {
      const expected = ["q_proj", "k_proj", "v_proj"].flatMap((last) => {
        const name = `model.layers.${block}.self_attn.${last}`;
        if (!adapted.has(name)) return Array<number>(16).fill(0);
        const labels = loraLabels({ name });
        const [a, b] = [adapter.values.get(labels.a)!, adapter.values.get(labels.b)!];
        return Array.from({ length: 16 }, (_, at) => {
          const [o, i] = [at >> 2, at & 3];
          return 1.5 * (b[2 * o]! * a[i]! + b[2 * o + 1]! * a[4 + i]!);
        });
      });
      assert.deepEqual(products.get(`transformer.h.${block}.attn.c_attn`), expected);
    }
  }
});

test("of c_attn alone, the joined rank is the adapter's rank", async () => {
  const lora = { ...DEFAULT_LORA, rank: 2, alpha: 3, targetModules: ["c_attn"], rsLora: true };
  const files = await write(GPT2, trainedAdapter(GPT2, lora));
  const {
    r,
    lora_alpha: alpha,
    rank_pattern: ranks,
    target_modules: targets,
  } = jsonOf(files, CONFIG);
  assert.deepEqual([r, ranks, targets], [6, {}, ["c_attn"]]);
  const what = { rtol: 1e-12, atol: 0 }; // of two roots
  const scale = (alpha as number) / Math.sqrt(6);
  assertClose([scale], [loraScale(lora)], { what: "scale of the files", ...what });
  const { config } = await read(files, GPT2);
  assertClose([loraScale(config)], [loraScale(lora)], { what: "scale", ...what });
  assert.equal(config.perModule, undefined);
});

test("a foreign adapter of c_attn gives queries, keys and values each A and their rows of B", async () => {
  const files = foreignFiles();
  const adapter = await read(files, GPT2);
  const { config, values, baseModel } = adapter;
  assert.equal(baseModel, "gpt2");
  assert.deepEqual(config, {
    rank: 3,
    alpha: 6,
    dropout: 0.25,
    targetModules: ["q_proj", "k_proj", "v_proj"],
    rsLora: false,
  });
  for (const block of [0, 1]) {
    for (const [index, last] of ["q_proj", "k_proj", "v_proj"].entries()) {
      const labels = loraLabels({ name: `model.layers.${block}.self_attn.${last}` });
      assert.deepEqual(values.get(labels.a), uniform(12, block));
      const rows = uniform(36, block + 9).slice(12 * index, 12 * (index + 1));
      assert.deepEqual(values.get(labels.b), rows);
    }
  }
  // Not trained any further, it is written as it was.
  assert.deepEqual((await write(GPT2, adapter)).get(WEIGHTS), files.get(WEIGHTS));
});

test("a note of joined ranks that does not fit the values says nothing", async () => {
  const plain = await read(foreignFiles(), GPT2);
  const name = "transformer.h.0.attn.c_attn";
  for (const note of [
    "?",
    "[]",
    "null",
    `{"${name}":[1,1,1]}`,
    `{"${name}":[3,0]}`,
    `{"${name}":"x"}`,
  ]) {
    const metadata = new Map([["tenure.joined", note]]);
    assert.deepEqual(await read(foreignFiles({}, metadata), GPT2), plain, note);
  }
});

test("patterns give modules ranks and alphas of their own", async () => {
  const perModule = { "model.layers.1.mlp.up_proj": { rank: 3, alpha: 2 } };
  const lora: LoraConfig = { ...DEFAULT_LORA, rank: 2, alpha: 4, perModule };
  const adapter = trainedAdapter(LLAMA, lora);
  const files = await write(LLAMA, adapter);
  const json = jsonOf(files, CONFIG);
  assert.deepEqual(json["rank_pattern"], { "1.mlp.up_proj": 3 });
  assert.deepEqual(json["alpha_pattern"], { "1.mlp.up_proj": 2 });
  const back = await read(files, LLAMA);
  assert.deepEqual(back.config.perModule, perModule);
  assert.deepEqual(meaningOf(LLAMA, back), meaningOf(LLAMA, adapter));
});
