import {
  layerNormBackwardInput,
  layerNormBackwardWeight,
  layerNormForward,
} from "../../shaders/layer_norm.wgsl.ts";
import { rowWorkgroups } from "../../shaders/rows.wgsl.ts";
import { addActivationGradient } from "./activation_gradient.ts";
import { rowConstants } from "./rows.ts";
import { chunksOf, COLUMN_WORKGROUP_SIZE, sumChunks, sumColumns } from "./sum_columns.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";

/** Weights and options of {@linkcode layerNorm}. */
export interface LayerNormOptions {
  /** Gain, `[dModel]`, f32 or stored as `x`. */
  readonly weight: Tensor;
  /** Shift, shaped and stored as `weight`; none if absent. */
  readonly bias?: Tensor | undefined;
  /**
   * Added to the variance before the root, so that a constant row stays finite.
   *
   * @default {1e-5}
   */
  readonly eps?: number;
}

/**
 * Layer normalization over the last axis.
 *
 *     y = (x − mean(x)) / √(var(x) + eps) · weight + bias
 *
 * Sums in f32, the variance in a second pass. Keeps two f32 per row for the backward pass and
 * recomputes the rest. Differentiable in `x`, whose gradient is stored as `x`, `weight` and `bias`.
 *
 * @see {@link https://arxiv.org/abs/1607.06450 | Ba, Kiros & Hinton, 2016}
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dModel]`, f32 or f16.
 * @param options Weights and numerical options.
 * @returns Normalized activations, shaped and stored as `x`.
 * @throws {RangeError} If `weight` or `bias` is not `[dModel]`.
 * @throws {TypeError} If one of them is stored otherwise.
 */
export function layerNorm(
  tape: Tape,
  x: Tensor,
  { weight, bias, eps = 1e-5 }: LayerNormOptions,
): Tensor {
  check(x, { weight, bias });
  const numColumns = x.shape.at(-1)!;
  const numRows = sizeOf(x.shape) / numColumns;
  const label = `layerNorm(${weight.label})`;
  const y = tape.activation(x.shape, { label, dtype: x.dtype, from: [x, weight, bias] });
  const moments = tape.activation([numRows, 2], { label: `${label} moments` });
  const constants = {
    ...rowConstants(tape.variant),
    storage: storageOf(x),
    weightStorage: storageOf(weight),
  };
  const workgroups = rowWorkgroups(constants, numRows);
  tape.dispatch(layerNormForward, {
    constants: { ...constants, bias: bias !== undefined },
    params: { numRows, numColumns, eps },
    buffers: { x, weight, bias: bias ?? weight, y, moments },
    workgroups,
  });
  tape.onBackward(y, (dy) => {
    addActivationGradient(tape, x, (dx, accumulate) =>
      tape.dispatch(layerNormBackwardInput, {
        constants: { ...constants, accumulate },
        params: { numRows, numColumns },
        buffers: { x, weight, moments, dy, dx },
        workgroups,
      }),
    );
    addWeightGradients(tape, { x, weight, bias, moments, dy });
  });
  return y;
}

/** Sums the gradients of gain and shift over rows, in chunks. */
function addWeightGradients(
  tape: Tape,
  {
    x,
    weight,
    bias,
    moments,
    dy,
  }: Readonly<Record<"x" | "weight" | "moments" | "dy", Tensor>> & {
    readonly bias: Tensor | undefined;
  },
): void {
  const numColumns = sizeOf(weight.shape);
  const numRows = sizeOf(x.shape) / numColumns;
  tape.addGradient(weight, (dWeight, accumulate) => {
    const chunks = chunksOf(numRows, numColumns);
    const partial = tape.activation([chunks.numChunks, numColumns], {
      label: `partial ${dWeight.label}`,
    });
    tape.dispatch(layerNormBackwardWeight, {
      constants: { storage: storageOf(x), workgroupSize: COLUMN_WORKGROUP_SIZE },
      params: { numRows, numColumns, chunkRows: chunks.chunkRows },
      buffers: { x, moments, dy, partial },
      workgroups: chunks.workgroups,
    });
    sumChunks(tape, partial, dWeight, accumulate);
  });
  if (bias === undefined) return;
  tape.addGradient(bias, (dBias, accumulate) => sumColumns(tape, dy, dBias, accumulate));
}

function check(x: Tensor, weights: { weight: Tensor; bias: Tensor | undefined }): void {
  const dModel = x.shape.at(-1) ?? 0;
  for (const [name, tensor] of Object.entries(weights)) {
    if (tensor === undefined) continue;
    const dtype = name === "bias" ? weights.weight.dtype : x.dtype;
    const fits = tensor.dtype === dtype || (name === "weight" && tensor.dtype === "f32");
    if (tensor.shape.join() === `${dModel}` && fits) continue;
    const Kind = fits ? RangeError : TypeError;
    throw new Kind(
      `Cannot apply layerNorm() to x ${describe(x)}: ` +
        `${name} must be [${dModel}] ${dtype}, got ${describe(tensor)}`,
    );
  }
}
