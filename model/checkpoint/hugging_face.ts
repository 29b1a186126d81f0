import { sizeOf } from "../../engine/tensor.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";
import { modelTypeOf } from "./config_json.ts";
import { decodeFloats, encodeFloats } from "./float_conversion.ts";
import { type FloatTensor, floatTensor, type Safetensors } from "./safetensors.ts";
import { tensorLayouts } from "./tensor_layout.ts";
import { matchTensors, OUTPUT_TENSOR, untied, type WeightsFile } from "./tensor_match.ts";
import { joinParts, splitParts } from "./tensor_parts.ts";

/** Weights of a model by label, as `Transformer.create()` takes them. */
export type WeightValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

const WIDTH = Float32Array.BYTES_PER_ELEMENT as 4;

/**
 * Tensors of a model in the names and shapes of its family, bit for bit.
 *
 * @param config Which model.
 * @param weights Its weights by label.
 * @throws {RangeError} If a weight is missing, misshapen or not of this model.
 */
export function weightsToTensors(
  config: ModelConfig,
  weights: WeightValues,
): Map<string, FloatTensor> {
  checkWeights(config, weights);
  const tensors = new Map<string, FloatTensor>();
  for (const layout of tensorLayouts(config, modelTypeOf(config))) {
    const parts = layout.parts.map(({ label }) => encodeFloats(weights.get(label)!, "F32"));
    const values = decodeFloats(joinParts(layout, parts, WIDTH), "F32");
    tensors.set(layout.name, { shape: layout.shape, values });
  }
  return tensors;
}

/**
 * Weights of a model from the tensors of its family: those of 32 bits bit for bit, those of 16
 * widened exactly.
 *
 * @param source The file and what it says it holds.
 * @param stored Its tensors; weights are views of them where nothing had to be rearranged.
 * @returns Every weight of the model by label.
 * @throws {RangeError} If a tensor is missing, misshapen or unknown, naming it.
 * @throws {TypeError} If a tensor does not hold floats.
 */
export function weightsFromTensors(
  source: WeightsFile,
  { tensors }: Safetensors,
): Map<string, Float32Array<ArrayBuffer>> {
  const { config, file } = source;
  const { layouts, hasTiedCopy } = matchTensors(source, tensors);
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, layout] of layouts) {
    const bytes = encodeFloats(floatTensor(tensors.get(name)!, name, file).values, "F32");
    const parts = splitParts(layout, bytes, WIDTH);
    for (const [index, { label }] of layout.parts.entries()) {
      weights.set(label, decodeFloats(parts[index]!, "F32"));
    }
  }
  if (hasTiedCopy) {
    const copy = floatTensor(tensors.get(OUTPUT_TENSOR)!, OUTPUT_TENSOR, file);
    if (!isSameBits(copy.values, weights.get("model.embed_tokens.weight")!)) throw untied(file);
  }
  // In the model's order, which is not that of fused tensors.
  return new Map(Array.from(weightShapes(config), ({ label }) => [label, weights.get(label)!]));
}

/**
 * Checks that values are given for every weight of a model, and for no others.
 *
 * @param what What the values are, for errors.
 * @throws {RangeError} If not, naming the weight.
 */
export function checkWeights(config: ModelConfig, weights: WeightValues, what = "weight"): void {
  let count = 0;
  for (const { label, shape } of weightShapes(config)) {
    const length = weights.get(label)?.length;
    count++;
    if (length === sizeOf(shape)) continue;
    throw new RangeError(
      `Cannot write a checkpoint: ${what} "${label}" must have shape [${shape.join(", ")}], ` +
        `got ${length === undefined ? "none" : `${length} values`}`,
    );
  }
  if (count === weights.size) return;
  const labels = new Set(Array.from(weightShapes(config), ({ label }) => label));
  const stranger = [...weights.keys()].find((label) => !labels.has(label));
  throw new RangeError(
    `Cannot write a checkpoint: each ${what} must belong to the model, got "${stranger}"`,
  );
}

function isSameBits(a: Float32Array, b: Float32Array): boolean {
  const bits = [a, b].map((x) => new Uint32Array(x.buffer, x.byteOffset, x.length));
  return a.length === b.length && bits[0]!.every((value, i) => value === bits[1]![i]);
}
