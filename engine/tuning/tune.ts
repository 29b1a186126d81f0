import type { Gpu } from "../gpu.ts";
import type { Plan } from "../plan.ts";
import { timePlan, type Clock } from "../profile/time_plan.ts";
import { contest, countMeasurements, middle } from "./contest.ts";
import { differenceOf, Entrant, type Result } from "./entrant.ts";
import { SampleTensors } from "./sample_tensors.ts";
import { sourceHash, typed } from "./source_hash.ts";
import { type Choice, keyOf, sameChoice, type TuningQuestion } from "./tunable.ts";

/** Times one replay of a compiled plan. */
export type PlanTimer = (
  gpu: Gpu,
  plan: Plan,
  options: { readonly rounds: number; readonly minMs: number },
) => Promise<{ readonly ms: number; readonly clock: Clock }>;

/** How a {@linkcode tune} goes about it. */
export interface TuneOptions {
  /** Measurements of each of the last few candidates. @default {5} */
  readonly rounds?: number;
  /** Least duration of a measurement in ms. @default {5} */
  readonly minMs?: number;
  /** No problem is begun later than this after the first, in ms. @default {Infinity} */
  readonly budgetMs?: number;
  /** Told after each measurement. */
  readonly onProgress?: (progress: TuningProgress) => void;
  /** Told of each result as it comes, before the next problem is begun. */
  readonly onResult?: (result: TuningResult) => void | Promise<void>;
  /** Ends the tuning after the measurement in progress. */
  readonly signal?: AbortSignal;
  /** Measures; a test may decide itself how long things take. @default {timePlan} */
  readonly timer?: PlanTimer;
}

/** How far a {@linkcode tune} has come; the total falls as candidates drop out. */
export interface TuningProgress {
  /** Measurements. */
  readonly done: number;
  readonly total: number;
  /** What is being measured. */
  readonly key: string;
  /** Time left, in ms, if the rest goes on as so far. */
  readonly leftMs: number;
}

/** A candidate and its time, or why it has none. */
export interface MeasuredCandidate {
  readonly choice: Choice;
  /** Median of its measurements, in ms. */
  readonly ms?: number;
  readonly numMeasured?: number;
  /** Why it dropped out. */
  readonly rejected?: string;
}

/** What was found for the problems of a key. */
export interface TuningResult {
  readonly key: string;
  /** What was measured: the problem asked about, or a smaller one if that exceeds the memory. */
  readonly question: TuningQuestion;
  readonly choice: Choice;
  readonly isDefault: boolean;
  /** Of the choice and of the default, in ms; undefined if the default could not be measured. */
  readonly ms: number;
  readonly defaultMs: number | undefined;
  /** Floating-point operations of the problem. */
  readonly flops: number;
  readonly clock: Clock;
  /** In the order of the tunable, the default first. */
  readonly candidates: readonly MeasuredCandidate[];
  /** {@linkcode sourceHash} of all candidates. */
  readonly source: string;
}

/** What {@linkcode tune} did. */
export interface TuningReport {
  readonly results: readonly TuningResult[];
  /** Keys that were not decided, and why; their defaults stay. */
  readonly skipped: ReadonlyMap<string, string>;
}

/** A problem is halved at most so often until it fits. */
const MOST_HALVINGS = 10;

/**
 * Measures on the device how problems are computed fastest. For each key among the questions, all
 * candidates run on the same random tensors: those that fail, or whose result differs from the
 * default's by more than rounding, are out, with the reason; the rest compete by
 * {@linkcode contest}. The default stays unless another is clearly faster.
 *
 * Nothing else should use the device meanwhile. All memory is freed in the end; compiled pipelines
 * live as long as the `Gpu`, so tune on one of its own.
 *
 * @param gpu Device to measure on; the choices in force on it play no part.
 * @param questions What ops asked; each key is measured once, in the order of first asking.
 * @param options How, and whom to tell.
 * @throws {unknown} The signal's reason, if it is aborted; results so far were told.
 * @throws {GpuLostError} If the device is lost.
 */
export async function tune(
  gpu: Gpu,
  questions: readonly TuningQuestion[],
  options: TuneOptions = {},
): Promise<TuningReport> {
  const { budgetMs = Infinity, onResult, signal } = options;
  const distinct = distinctQuestions(questions);
  const pace = new Pace(gpu, distinct, options);
  const begin = performance.now();
  const results: TuningResult[] = [];
  const skipped = new Map<string, string>();
  for (const [key, question] of distinct) {
    signal?.throwIfAborted();
    if (performance.now() - begin >= budgetMs) {
      skipped.set(key, "there was no time left");
      continue;
    }
    const result = await tuneOne(gpu, question, { ...options, pace, key });
    pace.finish(key);
    if (typeof result === "string") skipped.set(key, result);
    else {
      results.push(result);
      await onResult?.(result);
    }
  }
  return { results, skipped };
}

/** The first question of each key. */
export function distinctQuestions(
  questions: readonly TuningQuestion[],
): ReadonlyMap<string, TuningQuestion> {
  const distinct = new Map<string, TuningQuestion>();
  for (const question of questions) {
    const { tunable, problem } = typed(question);
    const key = keyOf(tunable, problem);
    if (!distinct.has(key)) distinct.set(key, question);
  }
  return distinct;
}

/** Counts measurements, and tells how many are left. */
class Pace {
  readonly #left: Map<string, number>;
  readonly #tell: TuneOptions["onProgress"];
  readonly #begin = performance.now();
  #done = 0;

  constructor(
    gpu: Gpu,
    distinct: ReadonlyMap<string, TuningQuestion>,
    { rounds, onProgress }: TuneOptions,
  ) {
    this.#tell = onProgress;
    this.#left = new Map(
      Array.from(distinct, ([key, question]) => {
        const { tunable, problem } = typed(question);
        return [key, countMeasurements(tunable.candidates(gpu, problem).length, rounds)];
      }),
    );
  }

  step(key: string): void {
    this.#done += 1;
    this.#left.set(key, Math.max(0, this.#left.get(key)! - 1));
    const left = [...this.#left.values()].reduce((sum, count) => sum + count, 0);
    const msEach = (performance.now() - this.#begin) / this.#done;
    this.#tell?.({ done: this.#done, total: this.#done + left, key, leftMs: left * msEach });
  }

  finish(key: string): void {
    this.#left.set(key, 0);
  }
}

type OneOptions = TuneOptions & { readonly pace: Pace; readonly key: string };

/** Decides one key, on a smaller problem if need be; returns why it cannot be decided. */
async function tuneOne(
  gpu: Gpu,
  question: TuningQuestion,
  options: OneOptions,
): Promise<TuningResult | string> {
  let current = question;
  for (let halvings = 0; ; halvings++) {
    const samples = new SampleTensors(gpu);
    try {
      return await compete(gpu, current, { ...options, samples });
    } catch (error) {
      if (!(error instanceof TooLargeError)) throw error;
      const { tunable, problem } = typed(current);
      const half = halvings < MOST_HALVINGS ? tunable.halve?.(problem) : undefined;
      if (half === undefined) return error.message;
      current = { tunable: current.tunable, problem: half };
    } finally {
      samples.destroy();
    }
  }
}

/** The default itself does not fit the device. */
class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

async function compete(
  gpu: Gpu,
  question: TuningQuestion,
  options: OneOptions & { readonly samples: SampleTensors },
): Promise<TuningResult | string> {
  const { tunable, problem } = typed(question);
  const { key, samples } = options;
  const choices = tunable.candidates(gpu, problem);
  const entrants = choices.map((choice) => new Entrant(gpu, question, { choice, samples }));
  const rejected = new Map<number, string>();
  const expected = await firstResults(gpu, entrants, rejected);
  const clocks = new Set<Clock>();
  const time = (index: number) =>
    timeEntrant(gpu, entrants[index]!, { ...options, index, expected, rejected, clocks });
  const { winner, times } = await contest(entrants.length, time, options);
  if (winner === undefined) return `no way to compute it worked: ${[...rejected.values()][0]}`;
  return {
    key,
    question,
    choice: choices[winner]!,
    isDefault: sameChoice(choices[winner]!, choices[0]!),
    ms: middle(times[winner]!),
    defaultMs: times[0]!.length > 0 ? middle(times[0]!) : undefined,
    flops: tunable.flops(problem),
    clock: clocks.has("wall") ? "wall" : "timestamps",
    source: sourceHash(gpu, question),
    candidates: choices.map((choice, index) => ({
      choice,
      ...(rejected.has(index)
        ? { rejected: rejected.get(index)! }
        : { ms: middle(times[index]!), numMeasured: times[index]!.length }),
    })),
  };
}

/** Results of the default, to check the others by; none if it fails. */
async function firstResults(
  gpu: Gpu,
  entrants: readonly Entrant[],
  rejected: Map<number, string>,
): Promise<readonly Result[] | undefined> {
  try {
    return await entrants[0]!.results();
  } catch (error) {
    gpu.check(); // a lost device is nobody's fault
    if (error instanceof RangeError) throw new TooLargeError(error.message, { cause: error });
    rejected.set(0, reasonOf(error));
    return undefined;
  }
}

interface TimeOptions extends TuneOptions {
  readonly pace: Pace;
  readonly key: string;
  readonly index: number;
  /** Results of the default. */
  readonly expected: readonly Result[] | undefined;
  /** Why candidates dropped out, by index. */
  readonly rejected: Map<number, string>;
  readonly clocks: Set<Clock>;
}

/** Checks a candidate when its turn first comes, and measures it; undefined if it drops out. */
async function timeEntrant(
  gpu: Gpu,
  entrant: Entrant,
  { index, expected, rejected, clocks, pace, key, ...options }: TimeOptions,
): Promise<number | undefined> {
  const { signal, minMs = 5, timer = timePlan } = options;
  signal?.throwIfAborted();
  if (rejected.has(index)) return undefined;
  try {
    if (index > 0 && expected !== undefined && !entrant.isChecked) {
      const difference = differenceOf(await entrant.results(), expected);
      if (difference !== undefined) throw new Error(difference);
      entrant.isChecked = true;
    }
    const measured = await entrant.withPlan((plan) => timer(gpu, plan, { rounds: 1, minMs }));
    clocks.add(measured.clock);
    pace.step(key);
    return measured.ms;
  } catch (error) {
    gpu.check();
    rejected.set(index, reasonOf(error));
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0]!;
}
