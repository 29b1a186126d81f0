import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  configFromJson,
  configToJson,
  MODEL_TYPES,
  modelTypeOf,
} from "../../model/checkpoint/config_json.ts";
import { weightsFromTensors, weightsToTensors } from "../../model/checkpoint/hugging_face.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type FloatTensor,
} from "../../model/checkpoint/safetensors.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { countWeights, weightShapes } from "../../model/transformer/weight_shapes.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { uniform } from "../support.ts";
import { arbitraryConfig, bitsOf, countingWeights, GPT2, LLAMA } from "./arbitrary_model.ts";

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

/** Through the bytes of a file and back. */
function reread(config: ModelConfig, tensors: ReadonlyMap<string, FloatTensor>) {
  const source = { config, modelType: modelTypeOf(config), file: "model.safetensors" };
  return weightsFromTensors(source, decodeSafetensors(encodeSafetensors(tensors), source.file));
}

test("weightsFromTensors() gives back what weightsToTensors() was given, bit by bit", () => {
  fc.assert(
    fc.property(arbitraryConfig, fc.nat(), (config, seed) => {
      const weights = countingWeights(config);
      // Any bits at all: NaNs with a payload, -0, denormal numbers.
      for (const values of weights.values()) {
        const bits = new Uint32Array(values.buffer);
        uniform(bits.length, seed).forEach((x, i) => (bits[i] = (x + 1) * 2 ** 31));
      }
      assert.deepEqual(bitsOf(reread(config, weightsToTensors(config, weights))), bitsOf(weights));
    }),
  );
});

test("weightsToTensors() of a Llama has Hugging Face's names, and no output layer if tied", () => {
  const names = (config: ModelConfig) => [
    ...weightsToTensors(config, countingWeights(config)).keys(),
  ];
  assert.deepEqual(names({ ...LLAMA, numBlocks: 1 }), [
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
  ]);
  assert.ok(!names({ ...LLAMA, tieEmbeddings: true }).includes("lm_head.weight"));
});

test("weightsToTensors() of a GPT-2 has Hugging Face's names and shapes", () => {
  const config = { ...GPT2, numBlocks: 1 };
  const tensors = weightsToTensors(config, countingWeights(config));
  assert.deepEqual(
    Array.from(tensors, ([name, { shape }]) => [name, shape]),
    [
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
    ],
  );
});

test("GPT-2's x · W + b gives queries, keys and values side by side, as our layers do", () => {
  const weights = countingWeights(GPT2);
  const tensors = weightsToTensors(GPT2, weights);
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

test("weightsFromTensors() reads a GPT-2 without prefix, with its masks", () => {
  const weights = countingWeights(GPT2);
  const tensors = new Map<string, FloatTensor>();
  for (const [name, tensor] of weightsToTensors(GPT2, weights)) {
    tensors.set(name.replace("transformer.", ""), tensor);
  }
  tensors.set("h.0.attn.bias", { shape: [1, 1, 1, 1], values: Float32Array.of(1) });
  assert.deepEqual(bitsOf(reread(GPT2, tensors)), bitsOf(weights));
});

test("weightsFromTensors() accepts a copy of a tied embedding, and no other output layer", () => {
  const config = { ...LLAMA, tieEmbeddings: true };
  const weights = countingWeights(config);
  const tensors = weightsToTensors(config, weights);
  const { shape, values } = tensors.get("model.embed_tokens.weight")!;
  tensors.set("lm_head.weight", { shape, values: values.slice() });
  assert.deepEqual(bitsOf(reread(config, tensors)), bitsOf(weights));
  tensors.get("lm_head.weight")!.values[0] = 9;
  assert.throws(
    () => reread(config, tensors),
    /must equal the embedding .* ties it to, got another$/,
  );
});

test("weightsFromTensors() names a missing, a misshapen and an unknown tensor", () => {
  const tensors = weightsToTensors(LLAMA, countingWeights(LLAMA));
  const norm = tensors.get("model.norm.weight")!;
  const message = (text: string) => ({
    name: "RangeError",
    message: `Cannot read "model.safetensors": ${text}`,
  });
  tensors.set("model.norm.weight", { shape: [2, 2], values: norm.values });
  assert.throws(
    () => reread(LLAMA, tensors),
    message(
      'tensor "model.norm.weight" must have shape [4] in a model of 316 weights (0.0 MiB), got [2, 2]',
    ),
  );
  tensors.delete("model.norm.weight");
  assert.throws(() => reread(LLAMA, tensors), /"model\.norm\.weight" must have .*, got none$/);
  tensors.set("model.norm.weight", norm);
  tensors.set("model.layers.2.input_layernorm.weight", norm);
  assert.throws(
    () => reread(LLAMA, tensors),
    message(
      'tensors must be weights of a llama model, got "model.layers.2.input_layernorm.weight"',
    ),
  );
});

test("weightsFromTensors() of a billion blocks fails at the first one missing, with the size", () => {
  const file = "model.safetensors";
  const stored = decodeSafetensors(
    encodeSafetensors(weightsToTensors(LLAMA, countingWeights(LLAMA))),
    file,
  );
  const config = { ...LLAMA, numBlocks: 1_000_000_000 };
  assert.throws(
    () => weightsFromTensors({ config, modelType: "llama", file }, stored),
    /"model\.layers\.2\.input_layernorm\.weight" .* \(\d+\.\d GiB\), got none$/,
  );
});

test("weightsToTensors() refuses a missing weight and one of another model", () => {
  const weights = countingWeights(LLAMA);
  weights.set("model.norm.bias", new Float32Array(4));
  assert.throws(
    () => weightsToTensors(LLAMA, weights),
    /must belong to the model, got "model\.norm\.bias"$/,
  );
  weights.delete("model.norm.weight");
  assert.throws(() => weightsToTensors(LLAMA, weights), {
    name: "RangeError",
    message: 'Cannot write a checkpoint: weight "model.norm.weight" must have shape [4], got none',
  });
});
