import {
  crossEntropyGradient,
  crossEntropyLoss,
  crossEntropyTile,
} from "../../shaders/cross_entropy.wgsl.ts";
import { fittingRows, part, type Range } from "../split.ts";
import type { Tape } from "../tape.ts";
import { bytesOf, describe, isParameter, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { cast, growth } from "./cast.ts";
import { matmul } from "./matmul.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { sumColumns } from "./sum_columns.ts";
import { SummedGradient } from "./summed_gradient.ts";

/** What {@linkcode linearCrossEntropy} compares its predictions with. */
export interface CrossEntropyInputs {
  /** Final hidden states, `[numTokens, dModel]`, f32 or f16. */
  readonly x: Tensor;
  /**
   * Output embedding, `[vocabSize, dModel]` f32; a parameter if it carries a gradient. Frozen ones
   * also f16, bf16, int8 or int4.
   */
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
   * Fewer where the device cannot bind as many rows of the weight at once; and more where a tile of
   * the weight could not begin there, since bindings begin at multiples of 256 bytes: 64
   * entries of an odd width, or 128 of f16 and bf16.
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
 * Memory holds the logits of one tile at a time, never of the whole vocabulary. Logits and sums are
 * in f32; halves are multiplied by halves, to which a tile of the weight is copied. Differentiable
 * in `x`, whose gradient is stored as `x`, and `weight`.
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
  inputs: CrossEntropyInputs,
  options: CrossEntropyOptions = {},
): CrossEntropy {
  const { x, weight, targets, weights } = inputs;
  const numRows = check(inputs);
  const [vocabSize = 0] = weight.shape;
  const tiles = tilesOf(tape, { x, weight }, options.tileSize);
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
  tape.onBackward(loss, (dLoss) =>
    addGradients(tape, inputs, { tiles, statistics, kept, dLoss, numRows }),
  );
  return { loss, logProbabilities };
}

/** What backward needs of forward, and the gradient that reached the loss. */
interface Forward {
  readonly tiles: readonly Range[];
  readonly statistics: Tensor;
  readonly kept: Tensor | undefined;
  readonly dLoss: Tensor;
  readonly numRows: number;
}

/** Gradients of `x` and `weight`, tile by tile. */
function addGradients(
  tape: Tape,
  { x, weight, targets, weights }: CrossEntropyInputs,
  { tiles, statistics, kept, dLoss, numRows }: Forward,
): void {
  const [vocabSize = 0] = weight.shape;
  const sum = new SummedGradient(tape, x, tiles.length);
  for (const tile of tiles) {
    const { begin, end } = tile;
    const logits = kept ?? logitsOf(tape, { x, weight }, tile);
    tape.dispatch(crossEntropyGradient, {
      constants: { workgroupSize: ELEMENT_LANES },
      params: { numRows, tileBegin: begin, tileSize: end - begin, vocabSize },
      buffers: { targets, weights, statistics, dLoss, logits },
      workgroups: numRows * Math.ceil((end - begin) / ELEMENT_LANES),
    });
    sum.add((dx, accumulate) =>
      matmul(tape, "nn", { a: logits, b: operand(tape, { x, weight }, tile), c: dx, accumulate }),
    );
    tape.addGradient(weight, (dWeight, accumulate) =>
      matmul(tape, "tn", { a: logits, b: x, c: part(dWeight, tile), accumulate }),
    );
  }
  sum.finish();
}

/** Number of rows; throws where anything does not fit. */
function check(inputs: CrossEntropyInputs): number {
  const { x, weight, targets, weights } = inputs;
  const dModel = weight.shape[1] ?? 0;
  const numRows = sizeOf(x.shape) / dModel;
  const fits = [targets, weights].every(({ shape }) => sizeOf(shape) === numRows);
  if (x.shape.at(-1) !== dModel || !fits) {
    throw new RangeError(
      `Cannot apply linearCrossEntropy() to x ${describe(x)}: shapes must fit, ` +
        `got weight ${describe(weight)}, targets ${describe(targets)}, weights ${describe(weights)}`,
    );
  }
  checkDtypes(inputs);
  if (isPacked(weight, x)) checkFrozen("linearCrossEntropy()", weight);
  if (weight.needsGradient && !isParameter(weight)) {
    throw new TypeError(
      `Cannot differentiate linearCrossEntropy(): weight "${weight.label}" must be a parameter, got an activation`,
    );
  }
  return numRows;
}

/** A kernel that reads f32 reads anything as f32, and WebGPU does not object. */
function checkDtypes({ targets, ...floats }: CrossEntropyInputs): void {
  const { x, weight } = floats;
  const fits = (tensor: Tensor): boolean => {
    if (tensor === x) return x.dtype === "f16";
    return tensor === weight && (weight.dtype === x.dtype || isPacked(weight, x));
  };
  for (const tensor of Object.values<Tensor>(floats)) {
    if (tensor.dtype === "f32" || fits(tensor)) continue;
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

/**
 * Splits a vocabulary into tiles, so that neither a tile's logits nor its part of the weight exceed
 * what can be bound.
 *
 * @param tape Knows how much that is.
 * @param inputs Hidden states and output layer.
 * @param tileSize Entries of a tile, a multiple of 64, rounded down to where tiles of the weight may
 *   begin, but to one such step at least, which may be more; as many as keep the logits within
 *   64 MiB if absent.
 * @throws {RangeError} If `tileSize` is no multiple of 64, or the least tile is too large to bind.
 */
export function tilesOf(
  tape: Tape,
  { x, weight }: Pick<CrossEntropyInputs, "x" | "weight">,
  tileSize?: number,
): Range[] {
  if (tileSize !== undefined && (!(tileSize >= 64) || tileSize % 64 !== 0)) {
    throw new RangeError(
      `Cannot tile a vocabulary: tileSize must be a multiple of 64, got ${tileSize}`,
    );
  }
  const [vocabSize = 0] = weight.shape;
  const logitBytes = (4 * sizeOf(x.shape)) / x.shape.at(-1)!; // of one entry
  const wanted = tileSize ?? Math.max(64, Math.floor(TILE_BYTES / logitBytes / 64) * 64);
  const most = Math.min(wanted, Math.floor(tape.maxBindingBytes / logitBytes));
  // A tile's copy as halves must fit, too, and so must its gradient, which is f32.
  const copied = x.dtype === "f16" ? growth(weight, "f16") : 1;
  const trained = weight.needsGradient ? growth(weight, "f32") : 1;
  const weightBytes = tape.maxBindingBytes / Math.max(copied, trained);
  if (vocabSize <= most && bytesOf(weight) <= weightBytes) {
    return [{ begin: 0, end: vocabSize }];
  }
  const fitting = fittingRows(weight, weightBytes);
  const unit = fitting.step;
  const size = Math.max(unit, Math.floor(Math.min(most, fitting.most) / unit) * unit);
  if (size * logitBytes > tape.maxBindingBytes) {
    throw new RangeError(
      `Cannot tile the vocabulary of "${weight.label}" ${describe(weight)}: this device must bind the logits of ${size} entries at once, ${size * logitBytes} bytes, got a limit of ${tape.maxBindingBytes}; use a smaller batch`,
    );
  }
  return Array.from({ length: Math.ceil(vocabSize / size) }, (_, tile) => ({
    begin: tile * size,
    end: Math.min((tile + 1) * size, vocabSize),
  }));
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
  tiles: readonly Range[],
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
  tile: Range,
): Tensor {
  const numRows = sizeOf(x.shape) / x.shape.at(-1)!;
  const logits = tape.activation([numRows, tile.end - tile.begin], { label: "logits" });
  matmul(tape, "nt", { a: x, b: operand(tape, { x, weight }, tile), c: logits });
  return logits;
}

/** A tile of the weight as products with `x` read it: halves for halves. */
function operand(
  tape: Tape,
  { x, weight }: Pick<CrossEntropyInputs, "x" | "weight">,
  tile: Range,
): Tensor {
  const rows = part(weight, tile);
  return storageOf(x) === "f16" ? cast(tape, rows) : rows;
}
