import {
  attentionMatrix,
  attentionMatrixBytes,
  matrixQueries,
} from "../../shaders/attention_matrix.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { DType, Tensor } from "../tensor.ts";
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
  readonly headDim: number;
  /** Of queries, keys and values. */
  readonly storage: DType;
}

/**
 * Ways to compute attention forward with subgroup matrices; none where the device has none, or the
 * head is not of halves, of a width that matrices divide.
 */
export function attentionMatrixCandidates(
  { variant, traits }: TuningDevice,
  { headDim, storage }: AttentionMatrixProblem,
): readonly Choice[] {
  const { matrix } = traits;
  if (matrix === undefined || variant !== "tiled" || storage !== "f16") return [];
  if (headDim % 16 !== 0 || matrix.m > matrix.subgroupSize) return [];
  return SHAPES.flatMap(([subgroups, keys]) => {
    const constants = { matrix, headDim, subgroups, keys };
    const isWhole = [keys % matrix.n, keys % matrix.k, headDim % matrix.n, headDim % matrix.k];
    const fits =
      isWhole.every((rest) => rest === 0) &&
      subgroups * matrix.subgroupSize <= traits.maxWorkgroupLanes &&
      attentionMatrixBytes(constants) <= traits.maxWorkgroupBytes;
    return fits ? [{ kernel: "matrix", subgroups, keys }] : [];
  });
}

/** What {@linkcode recordAttentionMatrix} dispatches on: as the other kernels of attention. */
export interface AttentionMatrixDispatch {
  readonly headDim: number;
  readonly params: Readonly<Record<"numRows" | "seqLen" | "numHeads" | "numKvHeads", number>>;
  readonly buffers: Readonly<Record<"q" | "k" | "v" | "spans" | "y" | "statistics", Tensor>>;
}

/** Records attention forward with subgroup matrices, as one of the candidates has it. */
export function recordAttentionMatrix(
  tape: Tape,
  { headDim, params, buffers }: AttentionMatrixDispatch,
  choice: Choice,
): void {
  const { subgroups, keys } = choice as { readonly subgroups: number; readonly keys: number };
  const constants = { matrix: tape.traits.matrix!, headDim, subgroups, keys };
  const blocks = Math.ceil(params.seqLen / matrixQueries(constants));
  tape.dispatch(attentionMatrix, {
    constants,
    params,
    buffers,
    workgroups: params.numRows * blocks * params.numHeads,
  });
}
