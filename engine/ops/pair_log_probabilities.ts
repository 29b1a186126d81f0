import { pairLogProbabilities as kernel } from "../../shaders/pair_log_probabilities.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, type Tensor } from "../tensor.ts";
import { defaultTileSize, runningSoftmax, tilesOf } from "./linear_cross_entropy.ts";

/** What {@linkcode pairLogProbabilities} works on. */
export interface PairInputs {
  /** Hidden states, `[numRows, dModel]` f32. */
  readonly x: Tensor;
  /** Output embedding, `[vocabSize, dModel]` f32. */
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
 * @returns `[numPairs]` f32.
 * @throws {RangeError} If the shapes do not fit.
 */
export function pairLogProbabilities(tape: Tape, { x, weight, rows, tokens }: PairInputs): Tensor {
  const [vocabSize = 0, dModel = 0] = weight.shape;
  const [numRows = 0, width = 0] = x.shape;
  if (width !== dModel || x.shape.length !== 2 || describe(rows) !== describe(tokens)) {
    throw new RangeError(
      `Cannot apply pairLogProbabilities() to x ${describe(x)}: shapes must fit, ` +
        `got weight ${describe(weight)}, rows ${describe(rows)}, tokens ${describe(tokens)}`,
    );
  }
  // The statistics carry a target's logit too; nobody reads it here, so any target will do.
  const targets = tape.activation([numRows], { label: "no targets", dtype: "u32" });
  const tiles = tilesOf(vocabSize, defaultTileSize(numRows));
  const { statistics } = runningSoftmax(tape, { x, weight, targets }, tiles);
  const numPairs = sizeOf(rows.shape);
  const y = tape.activation([numPairs], { label: "pair log-probabilities" });
  tape.dispatch(kernel, {
    constants: { workgroupSize: WORKGROUP_SIZE },
    params: { numPairs, numRows, vocabSize, dModel },
    buffers: { x, weight, statistics, rows, tokens, y },
    workgroups: Math.ceil(numPairs / WORKGROUP_SIZE),
  });
  return y;
}
