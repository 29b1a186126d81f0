import type { Gpu, Values } from "../../engine/gpu.ts";
import { pack, type WeightDType } from "../../engine/pack.ts";
import { BLOCK_FORMATS, type BlockFormat, packBlocks } from "../../engine/pack_blocks.ts";
import { packParameters } from "../../engine/parameters.ts";
import { bytesOf, destroyAll, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { toFloat32 } from "../checkpoint/gguf/to_float32.ts";
import type { EncodedWeight, StoredModel } from "../checkpoint/stored_model.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { Transformer, type TransformerParts } from "../transformer/transformer.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";

/** How far loading is. */
export interface LoadProgress {
  /** Label of the weight that was just loaded. */
  readonly label: string;
  readonly loadedBytes: number;
  /** Bytes of all weights on the device. */
  readonly totalBytes: number;
}

/** Options of {@linkcode loadTransformer}. */
export interface LoadOptions {
  /**
   * How matrices are held; vectors are always f32. The embedding and the output layer of an int4
   * model are held as int8, since their errors reach every logit.
   *
   * @default {"f32"}
   */
  readonly dtype?: WeightDType;
  /**
   * Longest text to be read, to take less memory than the model's own context. That is cut, too,
   * where its rotary table would not fit one binding of the device (262,144 positions of heads of
   * 128 in 128 MiB); learned positions are never cut, nor is a model that is trained.
   *
   * @default {the model's own}
   */
  readonly maxSeqLen?: number;
  /** Whether all weights are to be trained, which needs f32. @default {false} */
  readonly trainable?: boolean;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Stops between two weights. */
  readonly signal?: AbortSignal;
}

/** Bytes that may wait for the device before loading waits for it, beyond one weight. */
const BYTES_IN_FLIGHT = 2 ** 26;

/**
 * Loads a model onto a device, weight by weight: host memory holds about the largest of them in
 * the file's encoding and in the device's.
 *
 * @param gpu Where to.
 * @param stored The model's files; weights in the device's own format are taken over bit for bit.
 * @param options How weights are held.
 * @throws {RangeError} If the weights do not fit the device, with the estimate, before any is read;
 *   if a weight is damaged.
 * @throws {TypeError} If a trainable model is asked for in another format than f32.
 */
export async function loadTransformer(
  gpu: Gpu,
  stored: StoredModel,
  options: LoadOptions = {},
): Promise<Transformer> {
  const { dtype = "f32", trainable = false, onProgress, signal } = options;
  if (trainable && dtype !== "f32") {
    throw new TypeError(
      `Cannot train all weights of "${stored.name}": they must be held as f32, got ${dtype}; train adapters instead, or load as f32`,
    );
  }
  const config = trainable ? stored.config : contextFor(gpu, stored.config, options);
  const totalBytes = weightBytes(config, dtype);
  gpu.checkFits(totalBytes + tableBytes(config), `the weights of "${stored.name}" as ${dtype}`);
  const parameters = trainable ? packParameters(gpu, weightShapes(config)) : [];
  const tensors = new Map<string, Tensor>(parameters.map((one) => [one.label, one]));
  let [loadedBytes, inFlight] = [0, 0];
  try {
    for (const [label, weight] of stored.weights) {
      signal?.throwIfAborted();
      const held = dtypeOf(label, weight.shape, dtype);
      const values = valuesOf(await weight.read(), held);
      const { shape } = weight;
      const parameter = tensors.get(label);
      if (parameter !== undefined) {
        gpu.write(parameter, values);
      } else {
        tensors.set(label, gpu.tensor(shape, { label, purpose: "weights", dtype: held, values }));
      }
      const bytes = bytesOf({ shape, dtype: held });
      loadedBytes += bytes;
      inFlight += bytes;
      if (inFlight > BYTES_IN_FLIGHT) {
        await gpu.finish(tensors.values()); // the queue keeps a copy of what is written until then
        inFlight = 0;
      }
      onProgress?.({ label, loadedBytes, totalBytes });
    }
    return await modelOf(gpu, config, { tensors, parameters });
  } catch (error) {
    destroyAll(tensors.values());
    throw error;
  }
}

/** A model of weights that have been written, once all of it is known to be in memory. */
async function modelOf(
  gpu: Gpu,
  config: ModelConfig,
  parts: Pick<TransformerParts, "tensors" | "parameters">,
): Promise<Transformer> {
  const model = new Transformer(gpu, config, parts);
  const { tensors, rotaryTable } = model;
  try {
    await gpu.finish([...tensors.values(), ...(rotaryTable === undefined ? [] : [rotaryTable])]);
    return model;
  } catch (error) {
    model.destroy();
    throw error;
  }
}

/** A configuration whose context is as long as asked and as the device can tabulate. */
function contextFor(
  gpu: Gpu,
  config: ModelConfig,
  { maxSeqLen = Infinity }: Pick<LoadOptions, "maxSeqLen">,
): ModelConfig {
  if (config.position !== "rotary") return config;
  const bound = Math.floor(gpu.maxBindingBytes / (4 * config.headDim));
  return { ...config, maxSeqLen: Math.min(config.maxSeqLen, maxSeqLen, bound) };
}

/** Bytes of the table of rotary positions. */
function tableBytes({ position, maxSeqLen, headDim }: ModelConfig): number {
  return position === "rotary" ? 4 * maxSeqLen * headDim : 0;
}

/** Bytes that the weights of a model take on the device. */
export function weightBytes(config: ModelConfig, dtype: WeightDType): number {
  let bytes = 0;
  for (const { label, shape } of weightShapes(config)) {
    bytes += bytesOf({ shape, dtype: dtypeOf(label, shape, dtype) });
  }
  return bytes;
}

/** How a weight is held. */
export function dtypeOf(label: string, shape: readonly number[], dtype: WeightDType): WeightDType {
  if (shape.length < 2) return "f32";
  const isOutside = /^(model\.embed_\w+|lm_head)\./.test(label);
  return isOutside && dtype === "int4" ? "int8" : dtype;
}

/** Values for the device: the file's own where the formats are the same. */
function valuesOf(encoded: EncodedWeight, dtype: WeightDType): Values {
  const { shape, bytes } = encoded;
  const same = { F16: "f16", BF16: "bf16" } as const;
  if (encoded.dtype in same && same[encoded.dtype as keyof typeof same] === dtype) {
    const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
    return new Uint16Array(aligned.buffer, aligned.byteOffset, sizeOf(shape));
  }
  if (isBlockFormat(encoded.dtype) && BLOCK_FORMATS[encoded.dtype].dtype === dtype) {
    return packBlocks(bytes, shape, encoded.dtype).values;
  }
  return pack(toFloat32(encoded), shape, dtype);
}

function isBlockFormat(dtype: string): dtype is BlockFormat {
  return Object.hasOwn(BLOCK_FORMATS, dtype);
}
