import { formatDuration } from "../run/progress.ts";

/** Kinds of steps whose times are alike within a family of models. */
export type StepKind = "fit" | "ask" | "extra";

/** A step as the estimate of the time left sees it. */
export interface TimedStep {
  readonly kind: StepKind;
  readonly family: string;
  /** Size of its work: people to learn from, or to ask about. */
  readonly size: number;
}

/**
 * How long is left: from the times that steps of a kind and family took by size, and, where none
 * has been seen yet, from those of the kind.
 */
export class StepClock {
  readonly #left = new Set<TimedStep>();
  readonly #seen: (TimedStep & { readonly seconds: number })[] = [];

  /** Adds a step that is yet to be done. */
  add(step: TimedStep): void {
    this.#left.add(step);
  }

  /** Tells how long a step took, now or in an earlier run. */
  done(step: TimedStep, seconds: number): void {
    this.#left.delete(step);
    this.#seen.push({ ...step, seconds });
  }

  /** Takes out a step that is not going to be done. */
  drop(step: TimedStep): void {
    this.#left.delete(step);
  }

  /** Steps that are left. */
  get numLeft(): number {
    return this.#left.size;
  }

  /** Seconds left; undefined as long as no step has been done. */
  get secondsLeft(): number | undefined {
    if (this.#seen.length === 0) return undefined;
    let sum = 0;
    for (const step of this.#left) sum += this.#rate(step) * step.size;
    return sum;
  }

  /** `"12 steps left, about 25 min 10 s"`. */
  get text(): string {
    const { numLeft, secondsLeft } = this;
    const steps = `${numLeft} ${numLeft === 1 ? "step" : "steps"} left`;
    return secondsLeft === undefined
      ? steps
      : `${steps}, about ${formatDuration(1000 * secondsLeft)}`;
  }

  /** Seconds by size, of the steps that are most alike. */
  #rate({ kind, family }: TimedStep): number {
    const sameKind = this.#seen.filter((step) => step.kind === kind);
    const alike = sameKind.filter((step) => step.family === family);
    const among = alike.length > 0 ? alike : sameKind.length > 0 ? sameKind : this.#seen;
    const size = among.reduce((total, step) => total + step.size, 0);
    return among.reduce((total, step) => total + step.seconds, 0) / Math.max(1, size);
  }
}
