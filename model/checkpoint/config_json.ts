import { checkConfig, type ModelConfig } from "../transformer/config.ts";
import { countWeights } from "../transformer/weight_shapes.ts";
import { gpt2FromJson, gpt2ToJson } from "./config_gpt2.ts";
import { llamaFromJson, llamaToJson } from "./config_llama.ts";
import { ownFromJson, ownToJson } from "./config_own.ts";
import { Fields } from "./fields.ts";
import type { FloatDtype } from "./float_conversion.ts";
import type { JsonObject } from "./strict_json.ts";

/** Families that a `config.json` may name; the last one is our own, for all other combinations. */
export const MODEL_TYPES = ["llama", "mistral", "qwen2", "qwen3", "gpt2", "tenure"] as const;

/** A family of models, as `config.json` names it. */
export type ModelType = (typeof MODEL_TYPES)[number];

/** Types of weights, as `config.json` names them. */
const TORCH_DTYPES = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/**
 * The family that a model is written as.
 *
 * `"llama"`: RMSNorm, rotary positions in halves, SwiGLU; with biases of query, key and value
 * alone it is `"qwen2"`, with normalized queries and keys `"qwen3"`, with a sliding window and no
 * biases `"mistral"`. `"gpt2"`: LayerNorm, learned positions, no gate, biases, as many key as
 * query heads, which together are as wide as the model. Every other combination, interleaved
 * rotary positions among them, is `"tenure"`, which keeps each weight as it is; other programs do
 * not read it.
 */
export function modelTypeOf(config: ModelConfig): ModelType {
  const { norm, position, rotaryLayout, mlp } = config;
  if (norm === "rmsNorm" && position === "rotary" && rotaryLayout === "half" && mlp === "swiGlu") {
    return llamaTypeOf(config);
  }
  return isGpt2(config) ? "gpt2" : "tenure";
}

/**
 * Content of `config.json`, in the fields of the model's family.
 *
 * Of a model with learned positions, `theta` and `rotaryLayout` mean nothing; GPT-2's family
 * drops them, and reading gives the defaults.
 *
 * @param config The model.
 * @param dtype Type of the weights beside it. @default {"F32"}
 * @throws {RangeError} If the sizes do not fit together.
 */
export function configToJson(config: ModelConfig, dtype: FloatDtype = "F32"): JsonObject {
  checkConfig(config);
  const modelType = modelTypeOf(config);
  if (modelType === "tenure") return ownToJson(config);
  const json = modelType === "gpt2" ? gpt2ToJson(config) : llamaToJson(config, modelType);
  return { ...json, torch_dtype: TORCH_DTYPES[dtype] };
}

/**
 * Reads `config.json`, of this program or another, before anything is allocated.
 *
 * @param json Content of the file.
 * @param file Its name, for errors.
 * @returns The configuration, and the family whose names the weights have.
 * @throws {SyntaxError} If a field is missing, of the wrong kind, or asks for what is not
 * supported: an unknown family or head, quantized weights, code to run.
 * @throws {RangeError} If the sizes do not fit together.
 */
export function configFromJson(
  json: JsonObject,
  file: string,
): { readonly config: ModelConfig; readonly modelType: ModelType } {
  const fields = new Fields(json, file);
  fields.only("auto_map", [], "must be absent, since code of a model is never run");
  fields.only("quantization_config", [], "must be absent; save the model with float32 weights");
  const modelType = fields.choice("model_type", MODEL_TYPES);
  checkArchitectures(fields);
  const config = readConfig(fields, modelType);
  try {
    checkConfig(config);
    checkCount(config);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`Cannot read "${file}": ${error.message}`, { cause: error });
  }
  return { config, modelType };
}

function readConfig(fields: Fields, modelType: ModelType): ModelConfig {
  if (modelType === "tenure") return ownFromJson(fields);
  return modelType === "gpt2" ? gpt2FromJson(fields) : llamaFromJson(fields, modelType);
}

function llamaTypeOf({ bias, qkNorm, slidingWindow }: ModelConfig): ModelType {
  if (qkNorm) return bias === "none" || bias === "attention" ? "qwen3" : "tenure";
  if (bias === "qkv") return "qwen2";
  if (slidingWindow === null) return "llama";
  return bias === "none" ? "mistral" : "tenure";
}

function isGpt2(config: ModelConfig): boolean {
  const { norm, position, mlp, bias, qkNorm, slidingWindow, ropeScaling } = config;
  const { numHeads, numKvHeads, headDim, dModel } = config;
  const hasPlainBlocks =
    norm === "layerNorm" && position === "learned" && mlp !== "swiGlu" && bias === "all";
  const hasPlainHeads =
    numKvHeads === numHeads && numHeads * headDim === dModel && !qkNorm && slidingWindow === null;
  return hasPlainBlocks && hasPlainHeads && ropeScaling === null;
}

/** Refuses models that end in anything but the probabilities of the next token. */
function checkArchitectures(fields: Fields): void {
  const names = fields.raw("architectures") ?? [];
  const isOther = (name: unknown) =>
    typeof name !== "string" || /For(?!CausalLM$)[A-Z]|DoubleHeads/.test(name);
  if (!Array.isArray(names) || names.some(isOther)) {
    fields.refuse("architectures", "must be a causal language model's, without another head");
  }
}

/** Whether a model has so many weights that their bytes cannot even be counted. */
function checkCount(config: ModelConfig): void {
  const bytes = countWeights(config) * Float32Array.BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(
      `Cannot build a model: weights must take fewer than 2^53 bytes, got ${bytes.toPrecision(3)}`,
    );
  }
}
