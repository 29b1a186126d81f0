import { sizeOf } from "../../engine/tensor.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { type ModelType, modelTypeOf } from "./config_json.ts";
import { type FloatTensor, floatTensor, type Safetensors } from "./safetensors.ts";
import { type TensorLayout, tensorLayouts } from "./tensor_layout.ts";
import { countWeights, weightShapes } from "../transformer/weight_shapes.ts";

/** Weights of a model by label, as `Transformer.create()` takes them. */
export type WeightValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** Tensors that some programs write and that hold no weights. */
const DERIVED: Readonly<Record<ModelType, RegExp | undefined>> = {
  llama: /\.rotary_emb\.inv_freq$/,
  gpt2: /\.attn\.(masked_)?bias$/,
  tenure: undefined,
};

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
    tensors.set(layout.name, { shape: layout.shape, values: join(layout, weights) });
  }
  return tensors;
}

/**
 * Weights of a model from the tensors of its family, bit for bit.
 *
 * @param source The file and what it says it holds.
 * @param stored Its tensors; weights are views of them where nothing had to be rearranged.
 * @returns Every weight of the model by label.
 * @throws {RangeError} If a tensor is missing, misshapen or unknown, naming it.
 * @throws {TypeError} If a tensor is not F32.
 */
export function weightsFromTensors(
  source: { readonly config: ModelConfig; readonly modelType: ModelType; readonly file: string },
  { tensors }: Safetensors,
): Map<string, Float32Array<ArrayBuffer>> {
  const { config, modelType, file } = source;
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  const used = new Set<string>();
  for (const layout of tensorLayouts(config, modelType)) {
    // The base model of GPT-2, without a head, is saved without the prefix.
    const name = tensors.has(layout.name) ? layout.name : layout.name.replace(/^transformer\./, "");
    const tensor = tensors.get(name);
    if (tensor === undefined || !isSameShape(tensor.shape, layout.shape)) {
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new RangeError(
        `Cannot read "${file}": tensor "${layout.name}" must have shape ` +
          `[${layout.shape.join(", ")}] in a model of ${describeSize(config)}, got ${got}`,
      );
    }
    used.add(name);
    const { values } = floatTensor(tensor, name, file);
    for (const [label, part] of split(layout, values)) weights.set(label, part);
  }
  for (const [name, tensor] of tensors) {
    if (used.has(name) || DERIVED[modelType]?.test(name) === true) continue;
    const isTiedCopy = name === "lm_head.weight" && config.tieEmbeddings;
    const embedding = weights.get("model.embed_tokens.weight")!;
    if (isTiedCopy && isSameBits(floatTensor(tensor, name, file).values, embedding)) continue;
    const rule = isTiedCopy
      ? 'tensor "lm_head.weight" must equal the embedding that config.json ties it to'
      : `tensors must be weights of a ${modelType} model`;
    const got = isTiedCopy ? "another" : `"${name}"`;
    throw new RangeError(`Cannot read "${file}": ${rule}, got ${got}`);
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

/** Weights one below the other, transposed if the file wants them so. */
function join({ shape, parts, isTransposed }: TensorLayout, weights: WeightValues) {
  if (parts.length === 1 && !isTransposed) return weights.get(parts[0]!.label)!;
  // As integers, because moving a NaN as a float may change its bits.
  const joined = new Uint32Array(sizeOf(shape));
  let offset = 0;
  for (const { label } of parts) {
    const values = weights.get(label)!;
    joined.set(new Uint32Array(values.buffer, values.byteOffset, values.length), offset);
    offset += values.length;
  }
  return new Float32Array((isTransposed ? transpose(joined, shape[1]!) : joined).buffer);
}

/** The inverse of {@linkcode join}. */
function split(
  { shape, parts, isTransposed }: TensorLayout,
  values: Float32Array<ArrayBuffer>,
): [label: string, values: Float32Array<ArrayBuffer>][] {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const { buffer, byteOffset } = isTransposed ? transpose(bits, shape[0]!) : bits;
  let offset = byteOffset;
  return parts.map((part) => {
    const length = sizeOf(part.shape);
    const view = new Float32Array(buffer, offset, length);
    offset += view.byteLength;
    return [part.label, view];
  });
}

/** The transpose of a row-major matrix with that many rows. */
function transpose(x: Uint32Array, numRows: number): Uint32Array<ArrayBuffer> {
  const numColumns = x.length / numRows;
  const y = new Uint32Array(x.length);
  for (let row = 0; row < numRows; row++) {
    for (let column = 0; column < numColumns; column++) {
      y[column * numRows + row] = x[row * numColumns + column]!;
    }
  }
  return y;
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

function isSameBits(a: Float32Array, b: Float32Array): boolean {
  const bits = [a, b].map((x) => new Uint32Array(x.buffer, x.byteOffset, x.length));
  return a.length === b.length && bits[0]!.every((value, i) => value === bits[1]![i]);
}
