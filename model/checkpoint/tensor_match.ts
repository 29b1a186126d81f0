import type { ModelConfig } from "../transformer/config.ts";
import { countWeights } from "../transformer/weight_shapes.ts";
import type { ModelType } from "./config_json.ts";
import { type TensorLayout, tensorLayouts } from "./tensor_layout.ts";

/** A file of weights, and what it says it holds. */
export interface WeightsFile {
  readonly config: ModelConfig;
  readonly modelType: ModelType;
  /** Name, for errors. */
  readonly file: string;
}

/** Which tensors of a file hold which weights of a model. */
export interface MatchedTensors {
  /** By name of the tensor in the file, in the order of the family. */
  readonly layouts: ReadonlyMap<string, TensorLayout>;
  /** Whether the file has an output layer, too, that must equal the embedding. */
  readonly hasTiedCopy: boolean;
}

/** Name of the output layer, which some programs write even where it is the embedding. */
export const OUTPUT_TENSOR = "lm_head.weight";

const ROTARY_FREQUENCIES = /\.rotary_emb\.inv_freq$/;

/** Tensors that some programs write and that hold no weights. */
const DERIVED: Readonly<Record<ModelType, RegExp | undefined>> = {
  llama: ROTARY_FREQUENCIES,
  mistral: ROTARY_FREQUENCIES,
  qwen2: ROTARY_FREQUENCIES,
  qwen3: ROTARY_FREQUENCIES,
  gpt2: /\.attn\.(masked_)?bias$/,
  tenure: undefined,
};

/**
 * Finds all weights of a model among the tensors of a file.
 *
 * @throws {RangeError} If a tensor is missing, misshapen or unknown, naming it.
 */
export function matchTensors(
  source: WeightsFile,
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): MatchedTensors {
  const { config, modelType, file } = source;
  const layouts = new Map<string, TensorLayout>();
  for (const layout of tensorLayouts(config, modelType)) {
    // Models without a head are saved without the prefix.
    const name = tensors.has(layout.name)
      ? layout.name
      : layout.name.replace(/^(transformer|model)\./, "");
    const tensor = tensors.get(name);
    if (tensor === undefined || !isSameShape(tensor.shape, layout.shape)) {
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new RangeError(
        `Cannot read "${file}": tensor "${layout.name}" must have shape ` +
          `[${layout.shape.join(", ")}] in a model of ${describeSize(config)}, got ${got}`,
      );
    }
    layouts.set(name, layout);
  }
  let hasTiedCopy = false;
  for (const [name, { shape }] of tensors) {
    if (layouts.has(name) || DERIVED[modelType]?.test(name) === true) continue;
    if (name !== OUTPUT_TENSOR || !config.tieEmbeddings) {
      const rule = `tensors must be weights of a ${modelType} model`;
      throw new RangeError(`Cannot read "${file}": ${rule}, got "${name}"`);
    }
    if (!isSameShape(shape, [config.vocabSize, config.dModel])) throw untied(file);
    hasTiedCopy = true;
  }
  return { layouts, hasTiedCopy };
}

/** The error that an output layer is not the embedding that it is said to be. */
export function untied(file: string): RangeError {
  return new RangeError(
    `Cannot read "${file}": tensor "${OUTPUT_TENSOR}" must equal the embedding that config.json ` +
      "ties it to, got another",
  );
}

function describeSize(config: ModelConfig): string {
  const count = countWeights(config);
  const mebibytes = (count * Float32Array.BYTES_PER_ELEMENT) / 2 ** 20;
  const size = mebibytes < 1024 ? [mebibytes, "MiB"] : [mebibytes / 1024, "GiB"];
  return `${count} weights (${Number(size[0]).toFixed(1)} ${size[1]})`;
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}
