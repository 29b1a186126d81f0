import {
  attentionMatrix,
  attentionMatrixBytes,
  matrixQueries,
} from "../../shaders/attention_matrix.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Subgroups of a workgroup, and keys of a tile: the likeliest first. */
const SHAPES = [
  [4, 32],
  [4, 64],
  [2, 32],
  [2, 64],
  [8, 32],
  [1, 32],
  [4, 16],
] as const;

/** What ways to attend depend on. */
export interface AttentionMatrixProblem {
  readonly numRows: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Of queries, keys, values and results. */
  readonly storage: "f32" | "f16";
}

/** What the forward pass is recorded on: as the other kernels of attention. */
export interface AttentionMatrixCall {
  readonly problem: AttentionMatrixProblem;
  readonly buffers: Readonly<Record<"q" | "k" | "v" | "spans" | "y" | "statistics", Tensor>>;
}

/**
 * Attention forward with subgroup matrices: for heads of halves, of a width that matrices divide, on
 * tiled devices that have them. Other passes have no such kernel.
 */
export const matrixAttention = {
  kernel: "matrix",
  candidates(
    { variant, traits }: Pick<TuningDevice, "variant" | "traits">,
    { headDim, storage }: Pick<AttentionMatrixProblem, "headDim" | "storage">,
    pass: "forward" | "query" | "key" = "forward",
  ): readonly Choice[] {
    const { matrix } = traits;
    if (matrix === undefined || variant !== "tiled" || storage !== "f16") return [];
    if (pass !== "forward" || headDim % 16 !== 0 || matrix.m > matrix.subgroupSize) return [];
    return SHAPES.flatMap(([subgroups, keys]) => {
      const constants = { matrix, headDim, subgroups, keys };
      const rests = [keys % matrix.n, keys % matrix.k, headDim % matrix.n, headDim % matrix.k];
      const fits =
        rests.every((rest) => rest === 0) &&
        subgroups * matrix.subgroupSize <= traits.maxWorkgroupLanes &&
        attentionMatrixBytes(constants) <= traits.maxWorkgroupBytes;
      return fits ? [{ kernel: "matrix", subgroups, keys }] : [];
    });
  },
  forward(tape: Tape, { problem, buffers }: AttentionMatrixCall, choice: Choice): void {
    const { numRows, seqLen, numHeads, numKvHeads, headDim } = problem;
    const { subgroups, keys } = choice as { readonly subgroups: number; readonly keys: number };
    const constants = { matrix: tape.traits.matrix!, headDim, subgroups, keys };
    const blocks = Math.ceil(seqLen / matrixQueries(constants));
    tape.dispatch(attentionMatrix, {
      constants,
      params: { numRows, seqLen, numHeads, numKvHeads },
      buffers,
      workgroups: numRows * blocks * numHeads,
    });
  },
};
