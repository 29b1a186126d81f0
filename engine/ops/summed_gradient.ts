import type { GradientWriter, Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import { addActivationGradient, checkActivation } from "./activation_gradient.ts";
import { castInto } from "./cast.ts";

/**
 * The gradient of an activation that is the sum of several dispatches. Where `x` is stored as halves
 * and there are several, they add up in f32, in an activation of their own, and are rounded once.
 */
export class SummedGradient {
  readonly #tape: Tape;
  readonly #x: Tensor;
  /** Whether the sum has memory of its own, and that memory once it is written. */
  readonly #isApart: boolean;
  #sum: Tensor | undefined;

  /**
   * @param tape Where to record.
   * @param x What is differentiated; nothing is recorded where it carries no gradient.
   * @param numParts How many dispatches add up.
   * @throws {TypeError} If `x` is a parameter of halves, whose gradient is f32.
   */
  constructor(tape: Tape, x: Tensor, numParts: number) {
    checkActivation(x);
    this.#tape = tape;
    this.#x = x;
    this.#isApart = x.dtype === "f16" && numParts > 1;
  }

  /** Records one part, which stores to what it is given, or adds to it. */
  add(write: GradientWriter): void {
    const [tape, x] = [this.#tape, this.#x];
    if (!x.needsGradient) return;
    if (!this.#isApart) {
      addActivationGradient(tape, x, write);
      return;
    }
    const isFirst = this.#sum === undefined;
    this.#sum ??= tape.activation(x.shape, { label: `sum of d(${x.label})` });
    write(this.#sum, !isFirst);
  }

  /** Records what brings the sum to the gradient of `x`; after all parts. */
  finish(): void {
    const [tape, sum] = [this.#tape, this.#sum];
    if (sum === undefined) return;
    addActivationGradient(tape, this.#x, (y, accumulate) => castInto(tape, sum, { y, accumulate }));
  }
}
