import { rotaryKernel, type RotaryLayout } from "../../shaders/rotary.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";

import { type RopeScaling, rotaryFrequencies } from "./rope_scaling.ts";

export type { RotaryLayout };

/** Options of {@linkcode rotary}. */
export interface RotaryOptions {
  /** Width of one head; even. */
  readonly headDim: number;
  /**
   * Which elements of a head rotate together: `i` and `i + headDim / 2` (`"half"`, Hugging Face's
   * Llama), or neighbors (`"interleaved"`, the paper and llama2.c).
   */
  readonly layout: RotaryLayout;
}

/** What {@linkcode rotaryTable} needs. */
export interface RotaryTableOptions {
  readonly headDim: number;
  /** Positions to tabulate. */
  readonly maxSeqLen: number;
  /** Base of the frequencies. @default {10000} */
  readonly theta?: number;
  /** How the frequencies reach a longer context. @default {null} */
  readonly scaling?: RopeScaling | null;
}

/**
 * Cosines and sines of every position and frequency, for {@linkcode rotary}.
 *
 *     table[p, i] = cos(p · θ^(−2i/headDim)),  table[p, headDim/2 + i] = sin(…),  i < headDim/2
 *
 * With `scaling`, angles are those of {@linkcode rotaryFrequencies}, and YaRN multiplies the table.
 * Computed in float64: WGSL's own cosine may be off by 5e-4, and worse for large angles.
 *
 * @returns `[maxSeqLen, headDim]`, row-major.
 * @throws {RangeError} If `headDim` is odd.
 */
export function rotaryTable({
  headDim,
  maxSeqLen,
  theta = 10_000,
  scaling = null,
}: RotaryTableOptions): Float32Array<ArrayBuffer> {
  checkHeadDim(headDim);
  const table = new Float32Array(maxSeqLen * headDim);
  const amplitude = scaling?.type === "yarn" ? scaling.attentionFactor : 1;
  rotaryFrequencies({ headDim, theta, scaling }).forEach((frequency, i) => {
    for (let position = 0; position < maxSeqLen; position++) {
      table[position * headDim + i] = amplitude * Math.cos(position * frequency);
      table[position * headDim + headDim / 2 + i] = amplitude * Math.sin(position * frequency);
    }
  });
  return table;
}

/**
 * Rotary position embedding of queries or keys.
 *
 *     (a, b) → (a · cos − b · sin, b · cos + a · sin)   for every pair of every head
 *
 * Computed in f32. Differentiable in `x`. Positions are data, so that packed rows may begin anew;
 * one beyond the table is taken for the table's last, and it is the writer's duty to check.
 *
 * @see {@link https://arxiv.org/abs/2104.09864 | Su et al., "RoFormer", 2021}
 *
 * @param tape Where to record.
 * @param x `[numTokens, numHeads · headDim]`, f32 or f16.
 * @param at `table`: {@linkcode rotaryTable}, `[maxSeqLen, headDim]` f32; `positions`: `[numTokens]` u32.
 * @param options Width of a head and layout of its pairs.
 * @returns Shaped and stored as `x`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If the table is not f32, or the positions are not u32.
 */
export function rotary(
  tape: Tape,
  x: Tensor,
  { table, positions }: { readonly table: Tensor; readonly positions: Tensor },
  { headDim, layout }: RotaryOptions,
): Tensor {
  check({ x, table, positions }, headDim);
  const rowPairs = x.shape.at(-1)! / 2;
  const [maxSeqLen = 0] = table.shape;
  const y = tape.activation(x.shape, { label: `rotary(${x.label})`, dtype: x.dtype, from: [x] });
  const numPairs = sizeOf(x.shape) / 2;
  const lanes = lanesOf(tape.variant);
  const rotate = (from: Tensor, to: Tensor, options: { inverse: boolean; accumulate: boolean }) =>
    tape.dispatch(rotaryKernel, {
      constants: { ...options, ...lanes, layout, storage: storageOf(x) },
      params: { numPairs, rowPairs, headPairs: headDim / 2, maxSeqLen },
      buffers: { x: from, table, positions, y: to },
      workgroups: laneWorkgroups(lanes, numPairs),
    });
  rotate(x, y, { inverse: false, accumulate: false });
  tape.onBackward(y, (dy) =>
    addActivationGradient(tape, x, (dx, accumulate) =>
      rotate(dy, dx, { inverse: true, accumulate }),
    ),
  );
  return y;
}

function check(
  { x, table, positions }: { x: Tensor; table: Tensor; positions: Tensor },
  headDim: number,
): void {
  checkHeadDim(headDim);
  const width = x.shape.at(-1) ?? 0;
  if (width === 0 || width % headDim !== 0) {
    throw new RangeError(
      `Cannot apply rotary() to x ${describe(x)}: its last axis must be a multiple of headDim ${headDim}, got ${width}`,
    );
  }
  if (table.shape.length !== 2 || table.shape[1] !== headDim) {
    throw new RangeError(
      `Cannot apply rotary(): table must be [maxSeqLen, ${headDim}], got ${describe(table)}`,
    );
  }
  const numTokens = sizeOf(x.shape) / width;
  if (sizeOf(positions.shape) !== numTokens) {
    throw new RangeError(
      `Cannot apply rotary() to x ${describe(x)}: positions must be [${numTokens}], got ${describe(positions)}`,
    );
  }
  if (table.dtype !== "f32" || positions.dtype !== "u32") {
    throw new TypeError(
      `Cannot apply rotary(): table must be f32 and positions u32, got ${table.dtype} and ${positions.dtype}`,
    );
  }
}

function checkHeadDim(headDim: number): void {
  if (headDim < 2 || headDim % 2 !== 0) {
    throw new RangeError(`Cannot rotate pairs: headDim must be even and positive, got ${headDim}`);
  }
}
