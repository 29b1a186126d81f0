/** A function of many variables, and its gradient. */
export interface Evaluation {
  readonly value: number;
  /** `[length]`; the caller may keep it. */
  readonly gradient: Float64Array;
}

/** A function to minimize. */
export type Objective = (at: Float64Array) => Promise<Evaluation>;

/** Options of {@linkcode minimize}. */
export interface MinimizeOptions {
  /** Most iterations. @default {200} */
  readonly maxIterations?: number;
  /** Ends where the norm of the gradient is at most this share of the first one. @default {1e-4} */
  readonly tolerance?: number;
  /**
   * Ends, too, where ten iterations together have made the value smaller by less than this share.
   *
   * @default {0}
   */
  readonly valueTolerance?: number;
  /** Steps and changes of the gradient that are remembered. @default {10} */
  readonly history?: number;
  /**
   * A guess at the diagonal of the inverse Hessian, positive; only its proportions matter.
   *
   * @default {ones}
   */
  readonly inverseDiagonal?: Float64Array;
  /** Told after every iteration. */
  readonly onIteration?: (progress: MinimizeProgress) => void;
  /** Ends with its error between two evaluations. */
  readonly signal?: AbortSignal;
}

/** Where a minimization is. */
export interface MinimizeProgress {
  /** Counted from 1. */
  readonly iteration: number;
  readonly numEvaluations: number;
  readonly value: number;
  /** Norm of the gradient, as a share of the first one. */
  readonly relativeNorm: number;
}

/** Where a minimization ended, and why. */
export interface Minimum extends MinimizeProgress {
  readonly at: Float64Array;
  readonly gradient: Float64Array;
  /**
   * `"converged"`; `"no descent"` where no step makes the value smaller, as when rounding hides
   * what is left to gain; `"all iterations taken"`.
   */
  readonly reason: "converged" | "no descent" | "all iterations taken";
}

/** A step must gain this share of what the slope promises (Armijo). */
const SUFFICIENT = 1e-4;
/** Halvings, or sharper cuts, of a step before the search gives up. */
const MOST_TRIALS = 20;
/** Iterations over which the value must fall. */
const SPAN = 10;
/** A pair of changes is remembered if its curvature is at least this share of the gradient's. */
const LEAST_CURVATURE = 1e-10;

/**
 * Minimizes a smooth function by L-BFGS with backtracking; all vectors in float64 on the host.
 *
 * Deterministic: the same function and start give the same bits.
 *
 * @see {@link https://doi.org/10.1007/BF01589116 | Liu & Nocedal, 1989}
 *
 * @param objective The function.
 * @param start Where to begin; it is not changed.
 * @param options When to end, and how much to remember.
 * @throws {RangeError} If the function is not finite at the start.
 */
export async function minimize(
  objective: Objective,
  start: Float64Array,
  options: MinimizeOptions = {},
): Promise<Minimum> {
  const { maxIterations = 200, tolerance = 1e-4, valueTolerance = 0 } = options;
  const { onIteration, signal } = options;
  const memory = new Memory(options.history ?? 10, options.inverseDiagonal);
  let at: Float64Array = start.slice();
  let { value, gradient } = await objective(at);
  if (!Number.isFinite(value)) {
    throw new RangeError(
      `Cannot minimize: the function must be finite at the start, got ${value}; check the data for NaN and infinity`,
    );
  }
  let numEvaluations = 1;
  const firstNorm = norm(gradient);
  let progress = { iteration: 0, numEvaluations, value, relativeNorm: firstNorm > 0 ? 1 : 0 };
  const ended = (reason: Minimum["reason"]) => ({ ...progress, at, gradient, reason });
  const values = [value];
  while (progress.relativeNorm > tolerance) {
    const before = values.at(-1 - SPAN);
    if (before !== undefined && before - value < valueTolerance * Math.abs(before)) break;
    if (progress.iteration === maxIterations) return ended("all iterations taken");
    let direction = memory.direction(gradient);
    if (!(dot(direction, gradient) < 0)) {
      memory.clear();
      direction = memory.direction(gradient);
    }
    const first = memory.isEmpty ? Math.min(1, 1 / norm(direction)) : 1;
    const next = await search(objective, { at, value, gradient, direction, first, signal });
    numEvaluations += next.numTrials;
    progress = { ...progress, numEvaluations };
    if (next.found === undefined) {
      if (memory.isEmpty) return ended("no descent");
      memory.clear(); // what is remembered may mislead: try the steepest way once
      continue;
    }
    const { found } = next;
    memory.add(difference(found.at, at), difference(found.gradient, gradient));
    ({ at, value, gradient } = found);
    const relativeNorm = norm(gradient) / firstNorm;
    progress = { iteration: progress.iteration + 1, numEvaluations, value, relativeNorm };
    values.push(value);
    onIteration?.(progress);
  }
  return ended("converged");
}

interface Search extends Evaluation {
  readonly at: Float64Array;
  readonly direction: Float64Array;
  /** Length of the first step to try. */
  readonly first: number;
  readonly signal: AbortSignal | undefined;
}

/** The first of ever shorter steps that gains enough. */
async function search(
  objective: Objective,
  { at, value, gradient, direction, first, signal }: Search,
): Promise<{
  readonly numTrials: number;
  readonly found?: Evaluation & { readonly at: Float64Array };
}> {
  const slope = dot(direction, gradient);
  let length = first;
  for (let numTrials = 1; numTrials <= MOST_TRIALS; numTrials++) {
    signal?.throwIfAborted();
    const there = at.map((element, i) => element + length * direction[i]!);
    const tried = await objective(there);
    const gain = tried.value - value;
    if (gain <= SUFFICIENT * length * slope) return { numTrials, found: { ...tried, at: there } };
    // The minimum of the parabola through both values and the slope, within bounds.
    const parabola = (-slope * length * length) / (2 * (gain - slope * length));
    const isUsable = Number.isFinite(parabola);
    length = isUsable ? Math.min(0.5 * length, Math.max(0.1 * length, parabola)) : 0.1 * length;
  }
  return { numTrials: MOST_TRIALS };
}

/** The latest steps and changes of the gradient. */
class Memory {
  readonly #size: number;
  /** Of the inverse Hessian, up to a factor. */
  readonly #diagonal: Float64Array | undefined;
  readonly #pairs: { s: Float64Array; y: Float64Array; rho: number }[] = [];

  constructor(size: number, diagonal: Float64Array | undefined) {
    this.#size = size;
    this.#diagonal = diagonal;
  }

  get isEmpty(): boolean {
    return this.#pairs.length === 0;
  }

  clear(): void {
    this.#pairs.length = 0;
  }

  /** Remembers a step, unless the function bends down along it. */
  add(s: Float64Array, y: Float64Array): void {
    const curvature = dot(s, y);
    if (!(curvature > LEAST_CURVATURE * dot(y, y))) return;
    this.#pairs.push({ s, y, rho: 1 / curvature });
    if (this.#pairs.length > this.#size) this.#pairs.shift();
  }

  /** −H · gradient, by the two loops of Nocedal (1980). */
  direction(gradient: Float64Array): Float64Array {
    const q = gradient.map((element) => -element);
    const alphas = this.#pairs.map(() => 0);
    for (let i = this.#pairs.length - 1; i >= 0; i--) {
      const { s, y, rho } = this.#pairs[i]!;
      alphas[i] = rho * dot(s, q);
      addScaled(q, y, -alphas[i]!);
    }
    const last = this.#pairs.at(-1);
    const scale = last === undefined ? 1 : 1 / (last.rho * dot(last.y, this.#scaled(last.y)));
    const scaled = this.#scaled(q);
    for (let i = 0; i < q.length; i++) q[i] = scale * scaled[i]!;
    this.#pairs.forEach(({ s, y, rho }, i) => addScaled(q, s, alphas[i]! - rho * dot(y, q)));
    return q;
  }

  #scaled(x: Float64Array): Float64Array {
    const diagonal = this.#diagonal;
    return diagonal === undefined ? x : x.map((element, i) => element * diagonal[i]!);
  }
}

function addScaled(x: Float64Array, y: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i]! += factor * y[i]!;
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((element, i) => element - b[i]!);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
