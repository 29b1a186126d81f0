import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  configFromJson,
  configToJson,
  MODEL_TYPES,
  modelTypeOf,
} from "../../model/checkpoint/config_json.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  floatTensor,
  type FloatTensor,
} from "../../model/checkpoint/safetensors.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { countWeights, weightShapes } from "../../model/transformer/weight_shapes.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { arbitraryConfig, bitsOf, countingWeights, GPT2, LLAMA } from "./arbitrary_model.ts";
import { jsonBytes, jsonOf } from "./memory_files.ts";
import { decodeCheckpoint, encodeCheckpoint, type WeightValues } from "./whole_checkpoint.ts";

const FILE = "config.json";

/** What Meta's Llama 3.2 of 1B parameters has in its file, without the scaling of positions. */
const LLAMA_FILE: JsonObject = {
  architectures: ["LlamaForCausalLM"],
  attention_bias: false,
  bos_token_id: 128000,
  eos_token_id: [128001, 128008],
  head_dim: 64,
  hidden_act: "silu",
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 8192,
  max_position_embeddings: 131072,
  mlp_bias: false,
  model_type: "llama",
  num_attention_heads: 32,
  num_hidden_layers: 16,
  num_key_value_heads: 8,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 500000,
  tie_word_embeddings: true,
  use_cache: true,
  vocab_size: 128256,
};

/** What OpenAI's smallest GPT-2 has in its file. */
const GPT2_FILE: JsonObject = {
  activation_function: "gelu_new",
  architectures: ["GPT2LMHeadModel"],
  attn_pdrop: 0.1,
  embd_pdrop: 0.1,
  layer_norm_epsilon: 1e-5,
  model_type: "gpt2",
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  resid_pdrop: 0.1,
  vocab_size: 50257,
};

/** Learned positions leave two fields without meaning. */
function meaning(config: ModelConfig): ModelConfig {
  if (modelTypeOf(config) !== "gpt2") return config;
  return { ...config, theta: DEFAULT_CONFIG.theta, rotaryLayout: DEFAULT_CONFIG.rotaryLayout };
}

test("configFromJson() gives back what configToJson() was given", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(arbitraryConfig, (config) => {
      const json = JSON.parse(JSON.stringify(configToJson(config))) as JsonObject;
      const read = configFromJson(json, FILE);
      assert.deepEqual(read, { config: meaning(config), modelType: modelTypeOf(config) });
      seen.add(read.modelType);
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual([...seen].toSorted(), [...MODEL_TYPES].toSorted());
});

test("configFromJson() reads Llama's own file", () => {
  const { config, modelType } = configFromJson(LLAMA_FILE, FILE);
  assert.equal(modelType, "llama");
  assert.equal(countWeights(config), 1_235_814_400); // as Meta states it
  assert.equal(config.theta, 500_000);
});

test("configFromJson() reads GPT-2's own file", () => {
  const { config, modelType } = configFromJson(GPT2_FILE, FILE);
  assert.equal(modelType, "gpt2");
  assert.equal(countWeights(config), 124_439_808); // as OpenAI's weights count
  assert.deepEqual([config.dHidden, config.mlp, config.dropout], [3072, "geluTanh", 0.1]);
});

test("configFromJson() fills in what Llama's first files leave out", () => {
  const { head_dim: _, num_key_value_heads: __, rope_theta: ___, ...rest } = LLAMA_FILE;
  const { config } = configFromJson({ ...rest, rope_parameters: { rope_theta: 7 } }, FILE);
  assert.deepEqual([config.headDim, config.numKvHeads, config.theta], [64, 32, 7]);
});

/** Changes to a file that reads, and what the error must say. */
const REFUSED: readonly (readonly [JsonObject, JsonObject, RegExp])[] = [
  [
    LLAMA_FILE,
    { model_type: "mamba" },
    /one of llama, mistral, qwen2, qwen3, gpt2, tenure, got "mamba"$/,
  ],
  [
    LLAMA_FILE,
    { model_type: null },
    /one of llama, mistral, qwen2, qwen3, gpt2, tenure, got null$/,
  ],
  [LLAMA_FILE, { hidden_size: "2048" }, /hidden_size must be an integer .*, got "2048"$/],
  [LLAMA_FILE, { hidden_size: 20.5 }, /hidden_size must be an integer .*, got 20\.5$/],
  [LLAMA_FILE, { vocab_size: -1 }, /vocab_size must be an integer .*, got -1$/],
  [
    LLAMA_FILE,
    { num_hidden_layers: 1e300 },
    /num_hidden_layers must be an integer .*, got 1e\+300$/,
  ],
  [LLAMA_FILE, { num_hidden_layers: null }, /num_hidden_layers must be .*, got null$/],
  [LLAMA_FILE, { num_hidden_layers: 1e9, hidden_size: 1e9 }, /fewer than 2\^53 bytes, got \d/],
  [LLAMA_FILE, { num_attention_heads: 33, head_dim: null }, /headDim|numKvHeads must/],
  [LLAMA_FILE, { num_key_value_heads: 7 }, /numKvHeads must divide numHeads 32, got 7$/],
  [LLAMA_FILE, { rope_scaling: { rope_type: "llama3" } }, /rope_scaling\.factor must be a number/],
  [
    LLAMA_FILE,
    { rope_parameters: { rope_type: "longrope" } },
    /rope_parameters\.rope_type must be one of default, linear, llama3, yarn, got "longrope"$/,
  ],
  [LLAMA_FILE, { rope_scaling: 2 }, /rope_scaling must be an object, got 2$/],
  [LLAMA_FILE, { partial_rotary_factor: 0.5 }, /whole heads are rotated, got 0\.5$/],
  [LLAMA_FILE, { hidden_act: "gelu" }, /hidden_act must be "silu", got "gelu"$/],
  [LLAMA_FILE, { mlp_bias: true }, /mlp_bias must be false, as attention_bias is, got true$/],
  [LLAMA_FILE, { auto_map: { AutoModel: "code.py" } }, /auto_map must be absent/],
  [LLAMA_FILE, { quantization_config: { bits: 4 } }, /quantization_config must be absent/],
  [LLAMA_FILE, { rms_norm_eps: 0 }, /eps must be positive, got 0$/],
  [LLAMA_FILE, { tie_word_embeddings: 1 }, /tie_word_embeddings must be true or false, got 1$/],
  [GPT2_FILE, { activation_function: "relu" }, /gelu, silu, got "relu"$/],
  [GPT2_FILE, { scale_attn_by_inverse_layer_idx: true }, /must be false, got true$/],
  [GPT2_FILE, { n_head: 13 }, /headDim must be a positive integer/],
];

for (const [file, change, message] of REFUSED) {
  test(`configFromJson() refuses ${JSON.stringify(change)}`, () => {
    assert.throws(
      () => configFromJson({ ...file, ...change }, FILE),
      (error) => {
        assert.ok(error instanceof SyntaxError || error instanceof RangeError);
        assert.match(error.message, /^Cannot read "config\.json": /);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("countWeights() is the sum of all shapes", () => {
  fc.assert(
    fc.property(arbitraryConfig, (config) => {
      const sizes = Array.from(weightShapes(config), ({ shape }) => shape.reduce((a, b) => a * b));
      assert.equal(
        countWeights(config),
        sizes.reduce((a, b) => a + b),
      );
    }),
  );
});

const WEIGHTS = "model.safetensors";

/** The tensors that a model is written as. */
async function tensorsOf(
  config: ModelConfig,
  weights: WeightValues = countingWeights(config),
): Promise<Map<string, FloatTensor>> {
  const file = (await encodeCheckpoint({ config, weights })).get(WEIGHTS)!;
  const { tensors } = decodeSafetensors(file, WEIGHTS);
  return new Map(Array.from(tensors, ([name, x]) => [name, floatTensor(x, name, WEIGHTS)]));
}

/** The weights that a model is read with from other tensors. */
async function reread(config: ModelConfig, tensors: ReadonlyMap<string, FloatTensor>) {
  const files = await encodeCheckpoint({ config, weights: countingWeights(config) });
  files.set(WEIGHTS, encodeSafetensors(tensors));
  return (await decodeCheckpoint(files)).weights;
}

test("a Llama is written under Hugging Face's names, and without output layer if tied", async () => {
  const names = async (config: ModelConfig) => [...(await tensorsOf(config)).keys()];
  const expected = [
    "model.embed_tokens.weight",
    "model.layers.0.input_layernorm.weight",
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.0.self_attn.k_proj.weight",
    "model.layers.0.self_attn.v_proj.weight",
    "model.layers.0.self_attn.o_proj.weight",
    "model.layers.0.post_attention_layernorm.weight",
    "model.layers.0.mlp.gate_proj.weight",
    "model.layers.0.mlp.up_proj.weight",
    "model.layers.0.mlp.down_proj.weight",
    "model.norm.weight",
    "lm_head.weight",
  ];
  assert.deepEqual(await names({ ...LLAMA, numBlocks: 1 }), expected.toSorted());
  const tied = await names({ ...LLAMA, tieEmbeddings: true });
  assert.ok(!tied.includes("lm_head.weight"));
});

test("a GPT-2 is written under Hugging Face's names and in its shapes", async () => {
  const config = { ...GPT2, numBlocks: 1 };
  const tensors = await tensorsOf(config);
  assert.deepEqual(
    new Map(Array.from(tensors, ([name, { shape }]) => [name, shape])),
    new Map<string, readonly number[]>([
      ["transformer.wte.weight", [7, 4]],
      ["transformer.wpe.weight", [5, 4]],
      ["transformer.h.0.ln_1.weight", [4]],
      ["transformer.h.0.ln_1.bias", [4]],
      ["transformer.h.0.attn.c_attn.weight", [4, 12]],
      ["transformer.h.0.attn.c_attn.bias", [12]],
      ["transformer.h.0.attn.c_proj.weight", [4, 4]],
      ["transformer.h.0.attn.c_proj.bias", [4]],
      ["transformer.h.0.ln_2.weight", [4]],
      ["transformer.h.0.ln_2.bias", [4]],
      ["transformer.h.0.mlp.c_fc.weight", [4, 6]],
      ["transformer.h.0.mlp.c_fc.bias", [6]],
      ["transformer.h.0.mlp.c_proj.weight", [6, 4]],
      ["transformer.h.0.mlp.c_proj.bias", [4]],
      ["transformer.ln_f.weight", [4]],
      ["transformer.ln_f.bias", [4]],
    ]),
  );
});

test("GPT-2's x · W + b gives queries, keys and values side by side, as our layers do", async () => {
  const weights = countingWeights(GPT2);
  const tensors = await tensorsOf(GPT2, weights);
  const w = tensors.get("transformer.h.1.attn.c_attn.weight")!.values;
  const b = tensors.get("transformer.h.1.attn.c_attn.bias")!.values;
  const x = [0.5, -1, 2, 3];
  const fused = Array.from(b, (bias, j) =>
    x.reduce((sum, xi, i) => sum + xi * w[i * 12 + j]!, bias),
  );
  const apart = ["q_proj", "k_proj", "v_proj"].flatMap((name) => {
    const weight = weights.get(`model.layers.1.self_attn.${name}.weight`)!;
    const bias = weights.get(`model.layers.1.self_attn.${name}.bias`)!;
    return Array.from(bias, (bj, j) => x.reduce((sum, xi, i) => sum + xi * weight[j * 4 + i]!, bj));
  });
  assert.deepEqual(fused, apart); // small integers and halves: exact
});

test("a GPT-2 without prefix, with its masks, is read", async () => {
  const weights = countingWeights(GPT2);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, tensor] of await tensorsOf(GPT2, weights)) {
    tensors.set(name.replace("transformer.", ""), tensor);
  }
  tensors.set("h.0.attn.bias", { shape: [1, 1, 1, 1], values: Float32Array.of(1) });
  assert.deepEqual(bitsOf(await reread(GPT2, tensors)), bitsOf(weights));
});

test("a copy of a tied embedding is accepted, and no other output layer", async () => {
  const config = { ...LLAMA, tieEmbeddings: true };
  const weights = countingWeights(config);
  const tensors = await tensorsOf(config, weights);
  const { shape, values } = tensors.get("model.embed_tokens.weight")!;
  tensors.set("lm_head.weight", { shape, values: values.slice() });
  assert.deepEqual(bitsOf(await reread(config, tensors)), bitsOf(weights));
  tensors.get("lm_head.weight")!.values[0] = 9;
  await assert.rejects(
    reread(config, tensors),
    /must equal the embedding .* ties it to, got another$/,
  );
});

test("a missing, a misshapen and an unknown tensor are refused by name", async () => {
  const tensors = await tensorsOf(LLAMA);
  const norm = tensors.get("model.norm.weight")!;
  const message = (text: string) => ({
    name: "RangeError",
    message: `Cannot read "model.safetensors": ${text}`,
  });
  tensors.set("model.norm.weight", { shape: [2, 2], values: norm.values });
  await assert.rejects(
    reread(LLAMA, tensors),
    message(
      'tensor "model.norm.weight" must have shape [4] in a model of 316 weights (0.0 MiB), got [2, 2]',
    ),
  );
  tensors.delete("model.norm.weight");
  await assert.rejects(reread(LLAMA, tensors), /"model\.norm\.weight" must have .*, got none$/);
  tensors.set("model.norm.weight", norm);
  tensors.set("model.layers.2.input_layernorm.weight", norm);
  await assert.rejects(
    reread(LLAMA, tensors),
    message(
      'tensors must be weights of a llama model, got "model.layers.2.input_layernorm.weight"',
    ),
  );
});

test("a file that says a billion blocks fails at the first one missing, with the size", async () => {
  const files = await encodeCheckpoint({ config: LLAMA, weights: countingWeights(LLAMA) });
  const json = { ...jsonOf(files, FILE), num_hidden_layers: 1_000_000_000 };
  await assert.rejects(
    decodeCheckpoint(files.set(FILE, jsonBytes(json))),
    /"model\.layers\.2\.input_layernorm\.weight" .* \(\d+\.\d GiB\), got none$/,
  );
});
