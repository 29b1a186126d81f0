import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";

/** Families of cases; rows of a table stand together by group. */
export const GROUPS = [
  "matmul",
  "attention",
  "decode attention",
  "norm",
  "elementwise",
  "embedding",
  "cross-entropy",
  "optimizer",
  "sampling",
] as const;
export type Group = (typeof GROUPS)[number];

/** How the operands that dominate a case's memory are stored. */
export type CaseDType = "f32" | "f16" | "int8" | "int4";

/**
 * Sizes of the cases: `"full"` for GPUs; `"small"` for software adapters, with few tokens and with
 * wide matrices cut, so that a run takes well below a second there.
 */
export type Scale = "small" | "full";

/** What one element should be, in float64. */
export interface Expected {
  readonly value: number;
  /** Sum of the magnitudes of the terms that make it up: what rounding errors are relative to. */
  readonly magnitude: number;
}

/** A result of a case, and how to check it. */
export interface CaseResult {
  readonly name: string;
  /** Persistent, or an activation that the case's plan keeps. */
  readonly tensor: Tensor;
  /** Elements to check; fewer where a reference is costly. @default {48} */
  readonly numSamples?: number;
  /**
   * What element `index` should be. Where several values are right, such as for a sampled token,
   * it may look at the one that was found.
   */
  readonly expected: (index: number, found: number) => Expected;
  /**
   * Largest error relative to the magnitude; the rounding to halves comes on top where the result
   * is stored as such.
   *
   * @default {F32_TOLERANCE}
   */
  readonly tolerance?: number;
}

/**
 * One piece of work at one size: what is measured, and how to know that it was computed rightly.
 * The same cases are tests, benchmarks, and what a web page runs on a visitor's device.
 */
export interface KernelCase {
  /** Unique, and the same in every version: results are compared by it. */
  readonly id: string;
  readonly group: Group;
  /** Sizes for people, such as `[512, 512] · [512, 512]ᵀ`. */
  readonly shape: string;
  readonly dtype: CaseDType;
  /** Whether kernels need `shader-f16`. */
  readonly needsFloat16: boolean;
  /** Whether it is part of a quick run. */
  readonly isQuick: boolean;
  /** Floating-point operations, a multiply-add counting two. */
  readonly flops: number;
  /** Bytes that must be read or written at least once. */
  readonly bytes: number;
  /** Records the work once and says what it should give. */
  readonly record: (tape: Tape, make: CaseTensors) => readonly CaseResult[];
}

/**
 * Rounding of sums in f32, relative to the sum of the terms' magnitudes. Terms err independently,
 * so that even thousands of them stay well below; one wrong term of as many lies far above.
 */
export const F32_TOLERANCE = 2e-6;

/** As above, where exponentials and divisions of the device come in. */
export const EXP_TOLERANCE = 1e-5;
