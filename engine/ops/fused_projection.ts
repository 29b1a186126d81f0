import { type Activation } from "../../shaders/activation.wgsl.ts";
import type { WeightStorage } from "../../shaders/packed.wgsl.ts";
import type { Tape } from "../tape.ts";
import { bytesOf, describe, sizeOf, type Tensor } from "../tensor.ts";
import { dispatchFewRows, MOST_FEW_ROWS } from "./few_rows.ts";

/** A matrix `[dOut, dIn]` in any storage, and perhaps a bias `[dOut]`. */
export interface Projection {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

/** How rows are normalized before they are projected; gain and shift are `[dIn]`. */
export interface ProjectionNorm {
  readonly kind: "rmsNorm" | "layerNorm";
  readonly weight: Tensor;
  /** Of a layer norm. */
  readonly bias?: Tensor;
  readonly eps: number;
}

/** What {@linkcode fusedProjection} computes. */
export interface FusedProjection {
  /** `[numRows, dIn]` f32, up to 8 rows. */
  readonly x: Tensor;
  /** @default {none: `x` is projected as it is} */
  readonly norm?: ProjectionNorm;
  /** Up to three, all stored alike, and with biases all or none. */
  readonly by: readonly Projection[];
  /**
   * What is made of the products: the function of one, or with `"swiGlu"` of two, the gate first.
   *
   * @default {"none"}
   */
  readonly activation?: Activation | "swiGlu" | "none";
  /** Added to the product with one matrix: `[numRows, dOut]` f32. */
  readonly residual?: Tensor;
}

/** Storage buffers that every WebGPU device binds to a kernel. */
const MOST_BUFFERS = 8;

/**
 * Projections of few rows with all that stands around them, in one dispatch; for inference.
 *
 *     y = f(norm(x) · Wᵀ + bias) + residual
 *     y = silu(norm(x) · Gᵀ + …) · (norm(x) · Uᵀ + …)
 *     y = norm(x) · Qᵀ + …, then norm(x) · Kᵀ + …, then norm(x) · Vᵀ + …, each of them whole
 *
 * Sums in f32. In the flat variant the bits are those of the ops that it stands for; in the tiled
 * one they agree within rounding, and are the same for a row whatever rows lie beside it. Not
 * differentiable: no gradient flows through it.
 *
 * @param tape Where to record.
 * @param fused What to compute; {@linkcode canFuseProjection} must hold.
 * @returns `[numRows, dOut]` f32; of several matrices beside one another `[Σ numRows · dOut]`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If it cannot be fused.
 */
export function fusedProjection(tape: Tape, fused: FusedProjection): Tensor {
  const { x, norm, by, activation = "none", residual } = fused;
  check(tape, fused);
  const [first] = by as [Projection];
  const depth = first.weight.shape[1]!;
  const numRows = sizeOf(x.shape) / depth;
  const numColumns = by.map(({ weight }) => weight.shape[0]!);
  const gated = activation === "swiGlu";
  const total = numColumns.reduce((sum, count) => sum + count, 0);
  const shape = gated || by.length === 1 ? [numRows, numColumns[0]!] : [numRows * total];
  const y = tape.activation(shape, { label: `project(${first.weight.label})` });
  const bias = first.bias !== undefined;
  const named = (name: string, tensors: readonly (Tensor | undefined)[]) =>
    Object.fromEntries(tensors.map((tensor, m) => [`${name}${m}`, tensor!]));
  dispatchFewRows(tape, {
    constants: {
      weight: first.weight.dtype as WeightStorage,
      gated,
      bias,
      matrices: by.length,
      accumulate: false,
      norm: norm?.kind ?? "none",
      shift: norm?.bias !== undefined,
      activation: gated ? "none" : activation,
      residual: residual !== undefined,
    },
    numRows,
    depth,
    numColumns,
    eps: norm?.eps ?? 0,
    buffers: {
      x,
      ...(norm && { gain: norm.weight }),
      ...(norm?.bias && { shift: norm.bias }),
      ...named(
        "w",
        by.map(({ weight }) => weight),
      ),
      ...(bias &&
        named(
          "bias",
          by.map((one) => one.bias),
        )),
      ...(residual && { residual }),
      y,
    },
  });
  return y;
}

/**
 * Whether {@linkcode fusedProjection} takes this: up to 8 rows of f32, weights stored alike that the
 * device can bind, vectors of f32, and no more buffers than every device binds.
 */
export function canFuseProjection(
  { maxBindingBytes }: Pick<Tape, "maxBindingBytes">,
  { x, norm, by, residual }: FusedProjection,
): boolean {
  const [first] = by;
  if (first === undefined || by.length > 3) return false;
  const numRows = sizeOf(x.shape) / first.weight.shape[1]!;
  const vectors = [x, norm?.weight, norm?.bias, residual, ...by.map(({ bias }) => bias)];
  const present = vectors.filter((tensor) => tensor !== undefined);
  const { dtype } = first.weight;
  return (
    numRows <= MOST_FEW_ROWS &&
    dtype !== "u32" &&
    present.every((tensor) => tensor.dtype === "f32") &&
    by.every(({ weight }) => weight.dtype === dtype && bytesOf(weight) <= maxBindingBytes) &&
    by.every(({ bias }) => (bias === undefined) === (first.bias === undefined)) &&
    present.length + by.length + 1 <= MOST_BUFFERS
  );
}

/**
 * Width of rows up to which the flat variant normalizes them in the dispatch of their projection:
 * each of its workgroups does so anew, which from 512 on takes longer than a dispatch of its own.
 */
const MOST_FLAT_NORM = 256;

/** Whether {@linkcode fusedProjection} takes this, and its norm is better fused than alone. */
export function shouldFuseNorm(
  tape: Pick<Tape, "maxBindingBytes" | "variant">,
  fused: FusedProjection,
): boolean {
  const width = fused.x.shape.at(-1) ?? 0;
  return canFuseProjection(tape, fused) && (tape.variant === "tiled" || width <= MOST_FLAT_NORM);
}

function check(tape: Tape, fused: FusedProjection): void {
  const { x, norm, by, activation = "none", residual } = fused;
  const weights = by.map(({ weight }) => describe(weight)).join(", ");
  const dIn = x.shape.at(-1) ?? 0;
  const dOut = by[0]?.weight.shape[0] ?? 0;
  const numRows = sizeOf(x.shape) / dIn;
  const fits =
    by.every(({ weight }) => weight.shape.length === 2 && weight.shape[1] === dIn) &&
    by.every(({ weight, bias }) => bias === undefined || sizeOf(bias.shape) === weight.shape[0]) &&
    [norm?.weight, norm?.bias].every((one) => one === undefined || sizeOf(one.shape) === dIn) &&
    (activation === "none" || by.length === (activation === "swiGlu" ? 2 : 1)) &&
    (activation !== "swiGlu" || by[1]!.weight.shape[0] === dOut) &&
    (residual === undefined || (by.length === 1 && sizeOf(residual.shape) === numRows * dOut));
  if (!fits) {
    throw new RangeError(
      `Cannot project x ${describe(x)}: weights, biases, norm and residual must fit, ` +
        `got weights ${weights || "none"} and activation "${activation}"`,
    );
  }
  if (!canFuseProjection(tape, fused)) {
    throw new TypeError(
      `Cannot project x ${describe(x)} in one dispatch: up to ${MOST_FEW_ROWS} rows of f32 and up to ` +
        `three weights stored alike are taken, got ${weights}; use linear()`,
    );
  }
}
