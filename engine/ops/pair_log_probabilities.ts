import { pairLogProbabilities as kernel } from "../../shaders/pair_log_probabilities.wgsl.ts";
import { alignmentOf } from "../../shaders/packed.wgsl.ts";
import { part, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, type Tensor } from "../tensor.ts";
import { weightStorageOf } from "./packed_matmul.ts";
import { runningSoftmax, tilesOf } from "./linear_cross_entropy.ts";

/** What {@linkcode pairLogProbabilities} works on. */
export interface PairInputs {
  /** Hidden states, `[numRows, dModel]` f32. */
  readonly x: Tensor;
  /** Output embedding, `[vocabSize, dModel]`: f32, f16, bf16, int8 or int4. */
  readonly weight: Tensor;
  /** Row of each pair, `[numPairs]` u32. */
  readonly rows: Tensor;
  /** Token of each pair, `[numPairs]` u32. */
  readonly tokens: Tensor;
}

const WORKGROUP_SIZE = 32;

/**
 * Log-probabilities of chosen (row, token) pairs: many tokens a row, without a row of logits each.
 *
 *     y[j] = log softmax(x[rows[j]] · weightᵀ)[tokens[j]]
 *
 * Sums in f32. Not differentiable. Rows and tokens out of range are clamped: let padding be 0.
 *
 * @param tape Where to record.
 * @param inputs Hidden states, output layer and pairs.
 * @param options `tileSize`: entries whose logits exist at a time, a multiple of 64. By default it
 *   depends on the number of rows, and with it the last bits.
 * @returns `[numPairs]` f32.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If the dtypes do not fit.
 */
export function pairLogProbabilities(
  tape: Tape,
  { x, weight, rows, tokens }: PairInputs,
  { tileSize }: { readonly tileSize?: number } = {},
): Tensor {
  const [vocabSize = 0, dModel = 0] = weight.shape;
  const [numRows = 0, width = 0] = x.shape;
  if (width !== dModel || x.shape.length !== 2 || describe(rows) !== describe(tokens)) {
    throw new RangeError(
      `Cannot apply pairLogProbabilities() to x ${describe(x)}: shapes must fit, ` +
        `got weight ${describe(weight)}, rows ${describe(rows)}, tokens ${describe(tokens)}`,
    );
  }
  if (x.dtype !== "f32" || weight.dtype === "u32" || rows.dtype !== "u32") {
    throw new TypeError(
      `Cannot apply pairLogProbabilities(): x must be f32, weight no u32 and pairs u32, got ${x.dtype}, ${weight.dtype} and ${rows.dtype}`,
    );
  }
  const { statistics } = runningSoftmax(
    tape,
    { x, weight },
    tilesOf(tape, { x, weight }, tileSize),
  );
  const numPairs = sizeOf(rows.shape);
  const y = tape.activation([numPairs], { label: "pair log-probabilities" });
  const storage = weightStorageOf(weight);
  const alignment = alignmentOf(storage, dModel);
  // Every token lies in one part of the weight: each pair is written once.
  for (const range of rowChunks(weight, tape.maxBindingBytes)) {
    const { begin: tokenBegin, end: tokenEnd } = range;
    tape.dispatch(kernel, {
      constants: { weight: storage, alignment, workgroupSize: WORKGROUP_SIZE },
      params: { numPairs, numRows, vocabSize, dModel, tokenBegin, tokenEnd },
      buffers: { x, weight: part(weight, range), statistics, rows, tokens, y },
      workgroups: Math.ceil(numPairs / WORKGROUP_SIZE),
    });
  }
  return y;
}
