import type { FORWARD_BUFFERS } from "../../shaders/attention.wgsl.ts";
import type { KEY_BUFFERS, QUERY_BUFFERS } from "../../shaders/attention_backward.wgsl.ts";
import type { ATTENTION_PARAMS } from "../../shaders/attention_walk.wgsl.ts";
import type { Storage } from "../../shaders/kernel.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Whatever the ways to compute attention, and their speed, depend on. */
export interface AttentionProblem {
  readonly numRows: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Of queries, keys, values and results. */
  readonly storage: Storage;
}

/** The three passes, which are tuned apart. */
export type AttentionPass = "forward" | "query" | "key";

/** What a pass reads and writes, by the names of its kernels' buffers. */
export interface AttentionBuffers {
  readonly forward: Readonly<Record<keyof typeof FORWARD_BUFFERS, Tensor>>;
  readonly query: Readonly<Record<keyof typeof QUERY_BUFFERS, Tensor>>;
  readonly key: Readonly<Record<keyof typeof KEY_BUFFERS, Tensor>>;
}

/** Which of its results a pass adds to rather than stores. */
export interface AttentionSums {
  readonly forward: unknown;
  readonly query: { readonly accumulate: boolean };
  readonly key: { readonly accumulateKey: boolean; readonly accumulateValue: boolean };
}

/** A pass as it is recorded. */
export interface AttentionCall<Pass extends AttentionPass> {
  readonly problem: AttentionProblem;
  readonly buffers: AttentionBuffers[Pass];
  readonly sums: AttentionSums[Pass];
}

/** Ways to compute attention that have their kernels in common. */
export interface AttentionFamily {
  /** The `kernel` of its choices. */
  readonly kernel: string;
  /** Its ways for a device and a problem, the best guess first; none where it cannot run. */
  readonly candidates: (
    device: TuningDevice,
    problem: AttentionProblem,
    pass: AttentionPass,
  ) => readonly Choice[];
  /** Appends the forward pass; absent where the family has none, as are the others. */
  readonly forward?: (tape: Tape, call: AttentionCall<"forward">, choice: Choice) => void;
  /** Appends `dq` and `delta`. */
  readonly query?: (tape: Tape, call: AttentionCall<"query">, choice: Choice) => void;
  /** Appends `dk` and `dv`. */
  readonly key?: (tape: Tape, call: AttentionCall<"key">, choice: Choice) => void;
}

/** Params of every attention kernel. */
export function attentionParams({
  numRows,
  seqLen,
  numHeads,
  numKvHeads,
}: AttentionProblem): Record<keyof typeof ATTENTION_PARAMS, number> {
  return { numRows, seqLen, numHeads, numKvHeads };
}

/** Workgroups where each owns `rows` queries, or keys, of a head. */
export function blocksOf(problem: AttentionProblem, pass: AttentionPass, rows: number): number {
  const heads = pass === "key" ? problem.numKvHeads : problem.numHeads;
  return problem.numRows * Math.ceil(problem.seqLen / rows) * heads;
}
