import {
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyTile,
} from "../../shaders/cross_entropy.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, isParameter, rows, sizeOf, type Tensor } from "../tensor.ts";
import { matmul } from "./matmul.ts";
import { sumColumns } from "./sum_columns.ts";

/** What {@linkcode linearCrossEntropy} compares its predictions with. */
export interface CrossEntropyInputs {
  /** Final hidden states, `[numTokens, dModel]` f32. */
  readonly x: Tensor;
  /** Output embedding, `[vocabSize, dModel]` f32; a parameter if it carries a gradient. */
  readonly weight: Tensor;
  /** Token to predict, `[numTokens]` u32; anything from vocabSize up is ignored. */
  readonly targets: Tensor;
  /** Weight of each token's loss, `[numTokens]` f32. */
  readonly weights: Tensor;
}

/** Options of {@linkcode linearCrossEntropy}. */
export interface CrossEntropyOptions {
  /**
   * Vocabulary entries whose logits exist at a time; a multiple of 64.
   * With one tile, backward reuses the logits; with more it computes them again.
   *
   * @default {as many as fit in 64 MiB of logits}
   */
  readonly tileSize?: number;
}

/** Results of {@linkcode linearCrossEntropy}. */
export interface CrossEntropy {
  /** `Σ weights · −log P(target)`, `[1]` f32. */
  readonly loss: Tensor;
  /** `log P(target)` of every token, `[numTokens]` f32; 0 where ignored. Not differentiable. */
  readonly logProbabilities: Tensor;
}

const TILE_BYTES = 2 ** 26;
const FLAT_LANES = 8;
const TILED_LANES = 128;
const ELEMENT_LANES = 64;

/**
 * Cross-entropy of a linear output layer, over tiles of the vocabulary.
 *
 *     loss = −Σ_m weights[m] · log softmax(x[m] · weightᵀ)[targets[m]]
 *
 * Memory holds the logits of one tile at a time, never of the whole vocabulary. Sums are in f32.
 * Differentiable in `x` and `weight`.
 *
 * @param tape Where to record.
 * @param inputs Hidden states, output layer, targets and weights.
 * @param options How much to hold at a time.
 * @returns The loss, and the log-probability of every target.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If a dtype does not fit, or a trained weight is no parameter.
 */
export function linearCrossEntropy(
  tape: Tape,
  { x, weight, targets, weights }: CrossEntropyInputs,
  options: CrossEntropyOptions = {},
): CrossEntropy {
  const [vocabSize = 0, dModel = 0] = weight.shape;
  const numRows = sizeOf(x.shape) / dModel;
  if (
    x.shape.at(-1) !== dModel ||
    sizeOf(targets.shape) !== numRows ||
    sizeOf(weights.shape) !== numRows
  ) {
    throw new RangeError(
      `Cannot apply linearCrossEntropy() to x ${describe(x)}: shapes must fit, ` +
        `got weight ${describe(weight)}, targets ${describe(targets)}, weights ${describe(weights)}`,
    );
  }
  checkDtypes({ x, weight, targets, weights });
  if (weight.needsGradient && !isParameter(weight)) {
    throw new TypeError(
      `Cannot differentiate linearCrossEntropy(): weight "${weight.label}" must be a parameter, got an activation`,
    );
  }
  const tiles = tilesOf(vocabSize, options.tileSize ?? defaultTileSize(numRows));
  const { statistics, kept } = runningSoftmax(tape, { x, weight, targets }, tiles);
  const logProbabilities = tape.activation([numRows], { label: "log-probabilities" });
  const nll = tape.activation([numRows, 1], { label: "nll" });
  tape.dispatch(crossEntropyLoss, {
    constants: { workgroupSize: ELEMENT_LANES },
    params: { numRows, vocabSize },
    buffers: { targets, weights, statistics, logProbabilities, nll },
    workgroups: Math.ceil(numRows / ELEMENT_LANES),
  });
  const loss = tape.activation([1], { label: "loss", from: [x, weight] });
  sumColumns(tape, nll, loss, false);

  tape.onBackward(loss, (dLoss) => {
    for (const tile of tiles) {
      const { begin, end } = tile;
      const logits = kept ?? logitsOf(tape, { x, weight }, tile);
      tape.dispatch(crossEntropyGradient, {
        constants: { workgroupSize: ELEMENT_LANES },
        params: { numRows, tileBegin: begin, tileSize: end - begin, vocabSize },
        buffers: { targets, weights, statistics, dLoss, logits },
        workgroups: numRows * Math.ceil((end - begin) / ELEMENT_LANES),
      });
      tape.addGradient(x, (dx, accumulate) =>
        matmul(tape, "nn", { a: logits, b: rows(weight, begin, end), c: dx, accumulate }),
      );
      tape.addGradient(weight, (dWeight, accumulate) =>
        matmul(tape, "tn", { a: logits, b: x, c: rows(dWeight, begin, end), accumulate }),
      );
    }
  });
  return { loss, logProbabilities };
}

/** A kernel that reads f32 reads anything as f32, and WebGPU does not object. */
function checkDtypes({ targets, ...floats }: CrossEntropyInputs): void {
  for (const tensor of Object.values<Tensor>(floats)) {
    if (tensor.dtype === "f32") continue;
    throw new TypeError(
      `Cannot apply linearCrossEntropy(): "${tensor.label}" must be f32, got ${describe(tensor)}`,
    );
  }
  if (targets.dtype !== "u32") {
    throw new TypeError(
      `Cannot apply linearCrossEntropy(): targets must be u32, got ${describe(targets)}`,
    );
  }
}

/** Vocabulary entries `[begin, end)`. */
export interface VocabularyTile {
  readonly begin: number;
  readonly end: number;
}

/** Splits a vocabulary into tiles. */
export function tilesOf(vocabSize: number, tileSize: number): VocabularyTile[] {
  if (!(tileSize >= 64) || tileSize % 64 !== 0) {
    throw new RangeError(
      `Cannot tile a vocabulary: tileSize must be a multiple of 64, got ${tileSize}`,
    );
  }
  return Array.from({ length: Math.ceil(vocabSize / tileSize) }, (_, tile) => {
    const begin = tile * tileSize;
    return { begin, end: Math.min(begin + tileSize, vocabSize) };
  });
}

/** As many entries as keep a tile of logits within 64 MiB. */
export function defaultTileSize(numRows: number): number {
  return Math.max(64, Math.floor(TILE_BYTES / (4 * numRows) / 64) * 64);
}

/**
 * Records the softmax statistics of every row, one tile of logits after another.
 *
 * @returns `statistics`, `[numRows, 4]`: top, Σ exp(logit − top), the target's logit if there are
 *   targets; and the logits where one tile holds them all.
 */
export function runningSoftmax(
  tape: Tape,
  { x, weight, targets }: Pick<CrossEntropyInputs, "x" | "weight"> & { readonly targets?: Tensor },
  tiles: readonly VocabularyTile[],
): { readonly statistics: Tensor; readonly kept: Tensor | undefined } {
  const numRows = sizeOf(x.shape) / x.shape.at(-1)!;
  const statistics = tape.activation([numRows, 4], { label: "softmax statistics" });
  const tiled = tape.variant === "tiled";
  const workgroupSize = tiled ? TILED_LANES : FLAT_LANES;
  let kept: Tensor | undefined;
  for (const tile of tiles) {
    const logits = logitsOf(tape, { x, weight }, tile);
    if (tiles.length === 1) kept = logits;
    tape.dispatch(crossEntropyTile, {
      constants: { first: tile.begin === 0, targets: targets !== undefined, tiled, workgroupSize },
      params: { numRows, tileBegin: tile.begin, tileSize: tile.end - tile.begin },
      buffers: { logits, targets: targets ?? logits, statistics },
      workgroups: tiled ? numRows : Math.ceil(numRows / FLAT_LANES),
    });
  }
  return { statistics, kept };
}

function logitsOf(
  tape: Tape,
  { x, weight }: Pick<CrossEntropyInputs, "x" | "weight">,
  { begin, end }: VocabularyTile,
): Tensor {
  const numRows = sizeOf(x.shape) / x.shape.at(-1)!;
  const logits = tape.activation([numRows, end - begin], { label: "logits" });
  matmul(tape, "nt", { a: x, b: rows(weight, begin, end), c: logits });
  return logits;
}
