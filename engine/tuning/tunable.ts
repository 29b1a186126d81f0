import type { Variant } from "../gpu.ts";
import type { Tape } from "../tape.ts";
import type { DType, Purpose, Tensor } from "../tensor.ts";
import type { Values } from "../values.ts";
import type { Traits } from "./traits.ts";

/** How a kernel is run: which implementation, and the constants that are free to choose. */
export type Choice = Readonly<Record<string, number | string | boolean>>;

/** The device as far as candidates depend on it. */
export interface TuningDevice {
  readonly variant: Variant;
  /** Lanes of a subgroup where it has one size and kernels may use it, else 0. */
  readonly subgroupSize: number;
  readonly traits: Traits;
}

/**
 * Allocates a tensor to measure a kernel with: of random values in [-1, 1), of zeros where they are
 * u32, unless `values` says what it holds.
 */
export type TensorMaker = (
  shape: readonly number[],
  options?: {
    readonly dtype?: DType;
    readonly purpose?: Purpose;
    readonly label?: string;
    /** What it holds, such as ids or a mask, where random values would not do. */
    readonly values?: () => Values;
  },
) => Tensor;

/**
 * Something that can be computed in several ways, of which the fastest depends on the device and
 * on sizes. All ways give the same result within rounding; each gives the same bits every time.
 *
 * `Problem` is plain data: whatever candidates, cost and result depend on.
 */
export interface Tunable<Problem> {
  /** Such as `"matmul"`. */
  readonly name: string;
  /**
   * The problems that share a choice, as a short text such as `nt f32 m512 n512 k128`: sizes
   * rounded to powers of two, everything else exactly.
   */
  readonly bucket: (problem: Problem) => string;
  /** All ways for a device, the default first; at least one. */
  readonly candidates: (device: TuningDevice, problem: Problem) => readonly Choice[];
  /** Records the computation once, on tensors that it makes; for measuring. */
  readonly record: (tape: Tape, problem: Problem, make: TensorMaker) => void;
  /** Floating-point operations of a problem. */
  readonly flops: (problem: Problem) => number;
  /**
   * A smaller problem, such as half the rows, to be measured in place of one that exceeds the
   * device's memory. Without it, such a problem keeps its default.
   */
  readonly halve?: (problem: Problem) => Problem | undefined;
}

/** A tunable whose problems' type is erased. */
export type AnyTunable = Omit<Tunable<never>, "halve"> & {
  readonly halve?: (problem: never) => unknown;
};

/** What an op asked: to be tuned later. */
export interface TuningQuestion {
  readonly tunable: AnyTunable;
  readonly problem: unknown;
}

/** Choices by {@linkcode keyOf}: those of a tuner, or none, so that all defaults hold. */
export interface Choices extends ReadonlyMap<string, Choice> {
  /** Asked in place of `get()`, by choices that depend on more than the key, or that take notes. */
  readonly consult?: (device: TuningDevice, question: TuningQuestion) => Choice | undefined;
}

/** Key of a problem's choice. */
export function keyOf<Problem>(tunable: Tunable<Problem>, problem: Problem): string {
  return `${tunable.name} ${tunable.bucket(problem)}`;
}

/** Whether two choices are the same. */
export function sameChoice(one: Choice, other: Choice): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  );
}

/**
 * How to compute a problem: what a tuner chose, if it is still among the candidates, else the
 * default.
 */
export function choose<Problem>(
  device: TuningDevice & { readonly choices: Choices },
  tunable: Tunable<Problem>,
  problem: Problem,
): Choice {
  const candidates = tunable.candidates(device, problem);
  const { choices } = device;
  const chosen = choices.consult
    ? choices.consult(device, { tunable, problem })
    : choices.get(keyOf(tunable, problem));
  return (
    (chosen && candidates.find((candidate) => sameChoice(candidate, chosen))) ?? candidates[0]!
  );
}
