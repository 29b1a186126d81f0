import assert from "node:assert/strict";
import { test } from "node:test";
import { configFromJson, configToJson, modelTypeOf } from "../../model/checkpoint/config_json.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { countWeights } from "../../model/transformer/weight_shapes.ts";
import { FAMILIES, LLAMA } from "./arbitrary_model.ts";

const FILE = "config.json";

/** What Mistral's first model of 7B parameters has in its file. */
const MISTRAL_FILE: JsonObject = {
  architectures: ["MistralForCausalLM"],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: "silu",
  hidden_size: 4096,
  intermediate_size: 14336,
  max_position_embeddings: 32768,
  model_type: "mistral",
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  sliding_window: 4096,
  tie_word_embeddings: false,
  vocab_size: 32000,
};

/** What Qwen2.5 of 0.5B parameters has in its file. */
const QWEN2_FILE: JsonObject = {
  architectures: ["Qwen2ForCausalLM"],
  attention_dropout: 0,
  hidden_act: "silu",
  hidden_size: 896,
  intermediate_size: 4864,
  max_position_embeddings: 32768,
  max_window_layers: 24,
  model_type: "qwen2",
  num_attention_heads: 14,
  num_hidden_layers: 24,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  sliding_window: 32768,
  tie_word_embeddings: true,
  use_mrope: false,
  use_sliding_window: false,
  vocab_size: 151936,
};

/** What Qwen3 of 0.6B parameters has in its file. */
const QWEN3_FILE: JsonObject = {
  architectures: ["Qwen3ForCausalLM"],
  attention_bias: false,
  head_dim: 128,
  hidden_act: "silu",
  hidden_size: 1024,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  max_window_layers: 28,
  model_type: "qwen3",
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: null,
  tie_word_embeddings: true,
  use_sliding_window: false,
  vocab_size: 151936,
};

const LLAMA3 = {
  factor: 32,
  high_freq_factor: 4,
  low_freq_factor: 1,
  original_max_position_embeddings: 8192,
};

function read(json: JsonObject) {
  return configFromJson(json, FILE).config;
}

test("configFromJson() reads Mistral's own file", () => {
  const config = read(MISTRAL_FILE);
  assert.equal(countWeights(config), 7_241_732_096); // as Mistral's weights count
  assert.deepEqual([config.slidingWindow, config.headDim, config.bias], [4096, 128, "none"]);
  assert.equal(read({ ...MISTRAL_FILE, sliding_window: null }).slidingWindow, null);
  const { sliding_window: _, num_key_value_heads: __, ...rest } = MISTRAL_FILE;
  assert.deepEqual([read(rest).slidingWindow, read(rest).numKvHeads], [4096, 8]);
});

test("configFromJson() reads Qwen2.5's own file", () => {
  const config = read(QWEN2_FILE);
  assert.equal(countWeights(config), 494_032_768); // as Qwen's weights count
  assert.deepEqual([config.bias, config.slidingWindow, config.headDim], ["qkv", null, 64]);
});

test("configFromJson() reads Qwen3's own file", () => {
  const config = read(QWEN3_FILE);
  assert.equal(countWeights(config), 596_049_920); // as Qwen's weights count
  assert.deepEqual([config.qkNorm, config.headDim, config.bias], [true, 128, "none"]);
  assert.equal(read({ ...QWEN3_FILE, attention_bias: true }).bias, "attention");
  const { head_dim: _, ...rest } = QWEN3_FILE;
  assert.equal(read(rest).headDim, 128);
  assert.equal(read({ ...QWEN3_FILE, head_dim: null }).headDim, 64);
});

test("configFromJson() reads a window of Qwen's that all blocks or none have", () => {
  const types = (type: string, length = 24) => Array.from({ length }, () => type);
  const cases: readonly (readonly [JsonObject, number | null])[] = [
    [{ use_sliding_window: true, max_window_layers: 0 }, 32768],
    [{ use_sliding_window: true, max_window_layers: 24 }, null],
    [{ use_sliding_window: true, max_window_layers: 0, sliding_window: null }, null],
    [{ use_sliding_window: false, max_window_layers: 0 }, null],
    [{ use_sliding_window: true, layer_types: types("sliding_attention") }, 32768],
    [{ use_sliding_window: true, layer_types: types("full_attention") }, null],
  ];
  for (const [change, window] of cases) {
    assert.equal(read({ ...QWEN2_FILE, ...change }).slidingWindow, window, JSON.stringify(change));
  }
  const refused: readonly (readonly [JsonObject, RegExp])[] = [
    [{ max_window_layers: 20 }, /max_window_layers must be 0 or num_hidden_layers 24, .* got 20$/],
    [{ layer_types: types("full_attention", 23) }, /layer_types must be full_attention for all/],
    [{ layer_types: types("linear_attention") }, /layer_types must be/],
    [{ layer_types: [...types("full_attention", 23), "sliding_attention"] }, /layer_types must be/],
    [{ layer_types: 1 }, /layer_types must be .*, got 1$/],
  ];
  for (const [change, message] of refused) {
    const json = { ...QWEN2_FILE, use_sliding_window: true, ...change };
    assert.throws(() => read(json), { name: "SyntaxError", message });
  }
});

test("configFromJson() reads scaled positions under both of their names", () => {
  const llama3 = {
    type: "llama3",
    factor: 32,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxSeqLen: 8192,
  };
  const { rope_theta: theta, ...rest } = QWEN3_FILE;
  const files: readonly JsonObject[] = [
    { ...QWEN3_FILE, rope_scaling: { ...LLAMA3, rope_type: "llama3" } },
    { ...QWEN3_FILE, rope_scaling: { ...LLAMA3, type: "llama3" } },
    { ...rest, rope_parameters: { ...LLAMA3, rope_type: "llama3", rope_theta: theta! } },
  ];
  for (const file of files) {
    assert.deepEqual([read(file).ropeScaling, read(file).theta], [llama3, 1_000_000]);
  }
  const linear = { rope_scaling: { type: "linear", factor: 2.5 } };
  assert.deepEqual(read({ ...rest, ...linear }).ropeScaling, { type: "linear", factor: 2.5 });
  assert.equal(read({ ...rest, rope_parameters: { rope_type: "default" } }).ropeScaling, null);
});

test("configFromJson() fills in what YaRN leaves out", () => {
  const yarn = (change: JsonObject) =>
    read({ ...QWEN3_FILE, rope_scaling: { type: "yarn", factor: 4, ...change } }).ropeScaling;
  const filled = {
    type: "yarn",
    factor: 4,
    originalMaxSeqLen: 40_960,
    betaFast: 32,
    betaSlow: 1,
    attentionFactor: 0.1 * Math.log(4) + 1,
  };
  assert.deepEqual(yarn({}), filled);
  assert.deepEqual(yarn({ mscale: 0, truncate: true }), filled);
  assert.deepEqual(yarn({ original_max_position_embeddings: 32_768 }), {
    ...filled,
    originalMaxSeqLen: 32_768,
  });
  const given = { attention_factor: 2, beta_fast: 16, beta_slow: 2, mscale: 1 };
  assert.deepEqual(yarn(given), { ...filled, attentionFactor: 2, betaFast: 16, betaSlow: 2 });
  assert.equal((yarn({ factor: 0.5 }) as { attentionFactor: number }).attentionFactor, 1);
  assert.throws(() => yarn({ mscale: 0.75 }), /rope_scaling\.mscale must be absent.*got 0\.75$/);
  assert.throws(() => yarn({ mscale_all_dim: 1, attention_factor: null }), /mscale_all_dim must/);
  assert.throws(() => yarn({ truncate: false }), /rope_scaling\.truncate must be true, got false$/);
});

/** Changes to Qwen3's file, and what the error must say. */
const REFUSED: readonly (readonly [JsonObject, RegExp])[] = [
  ...["gemma", "gemma2", "phi3", "mixtral", "bert", "t5", "qwen3_moe", "deepseek_v3"].map(
    (name): [JsonObject, RegExp] => [
      { model_type: name },
      new RegExp(`one of llama, mistral, qwen2, qwen3, gpt2, tenure, got "${name}"$`),
    ],
  ),
  [{ architectures: ["Qwen3ForSequenceClassification"] }, /architectures must be a causal .*Seq/],
  [{ architectures: "Qwen3ForCausalLM" }, /architectures must be/],
  [{ rope_scaling: { rope_type: "dynamic", factor: 2 } }, /rope_scaling\.rope_type .*"dynamic"$/],
  [{ rope_scaling: { type: "linear" } }, /rope_scaling\.factor must be a number, got nothing$/],
  [{ rope_scaling: { type: "linear", factor: 0 } }, /ropeScaling\.factor must be positive, got 0$/],
  [
    { rope_scaling: { ...LLAMA3, rope_type: "llama3", low_freq_factor: 4 } },
    /lowFreqFactor must be below highFreqFactor 4, got 4$/,
  ],
  [
    {
      rope_scaling: { type: "linear", factor: 2 },
      rope_parameters: { rope_type: "linear", factor: 3 },
    },
    /rope_scaling must say the same as rope_parameters/,
  ],
  [{ rope_parameters: { partial_rotary_factor: 0.5 } }, /whole heads are rotated, got 0\.5$/],
  [{ sliding_window: 0, use_sliding_window: true }, /sliding_window must be an integer/],
];

for (const [change, message] of REFUSED) {
  test(`configFromJson() refuses ${JSON.stringify(change)} of Qwen3`, () => {
    assert.throws(
      () => read({ ...QWEN3_FILE, ...change }),
      (error) => {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError);
        assert.match(error.message, /^Cannot read "config\.json": /);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("configFromJson() refuses biases of Mistral", () => {
  assert.throws(() => read({ ...MISTRAL_FILE, attention_bias: true }), /attention_bias must be/);
});

test("modelTypeOf() finds the family that has all choices of a model", () => {
  for (const [modelType, config] of FAMILIES) assert.equal(modelTypeOf(config), modelType);
  const ofNoFamily = [
    { ...LLAMA, slidingWindow: 3, bias: "attention" as const },
    { ...LLAMA, qkNorm: true, bias: "qkv" as const },
    { ...LLAMA, qkNorm: true, bias: "all" as const },
    { ...LLAMA, rotaryLayout: "interleaved" as const },
  ];
  for (const config of ofNoFamily) assert.equal(modelTypeOf(config), "tenure");
  assert.equal(modelTypeOf({ ...LLAMA, bias: "qkv", slidingWindow: 3 }), "qwen2");
  assert.equal(modelTypeOf({ ...LLAMA, qkNorm: true, slidingWindow: 3 }), "qwen3");
});

test("configToJson() writes the fields that other programs read", () => {
  const json = new Map(FAMILIES.map(([name, config]) => [name, configToJson(config, "BF16")]));
  for (const [name, fields] of json) {
    assert.equal(fields["model_type"], name);
    if (name !== "tenure") assert.equal(fields["torch_dtype"], "bfloat16");
  }
  assert.deepEqual(json.get("qwen3")!["architectures"], ["Qwen3ForCausalLM"]);
  assert.equal(json.get("mistral")!["sliding_window"], 3);
  assert.equal(json.get("qwen2")!["use_sliding_window"], false);
  const yarn = {
    type: "yarn" as const,
    factor: 4,
    originalMaxSeqLen: 100,
    betaFast: 32,
    betaSlow: 1,
    attentionFactor: 1.5,
  };
  assert.deepEqual(configToJson({ ...LLAMA, ropeScaling: yarn })["rope_scaling"], {
    rope_type: "yarn",
    factor: 4,
    original_max_position_embeddings: 100,
    beta_fast: 32,
    beta_slow: 1,
    attention_factor: 1.5,
  });
});
