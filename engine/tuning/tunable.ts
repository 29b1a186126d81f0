import type { Variant } from "../gpu.ts";
import type { Tape } from "../tape.ts";
import type { DType, Purpose, Tensor } from "../tensor.ts";
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

/** Allocates a tensor of random values to measure a kernel with. */
export type TensorMaker = (
  shape: readonly number[],
  options?: { readonly dtype?: DType; readonly purpose?: Purpose; readonly label?: string },
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
}

/** A tunable whose problems' type is erased. */
export type AnyTunable = Tunable<never>;

/** What an op asked: to be tuned later. */
export interface TuningQuestion {
  readonly tunable: AnyTunable;
  readonly problem: unknown;
}

/** Choices by {@linkcode keyOf}: those of a tuner, or none, so that all defaults hold. */
export type Choices = ReadonlyMap<string, Choice>;

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
  const chosen = device.choices.get(keyOf(tunable, problem));
  return (
    (chosen && candidates.find((candidate) => sameChoice(candidate, chosen))) ?? candidates[0]!
  );
}
