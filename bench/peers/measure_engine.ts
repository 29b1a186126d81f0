import { argv } from "node:process";
import { type Report, type Task, taskNamed } from "./tasks.ts";
import { type Arrays, errorOf, matmulSize, readInputs } from "./work_files.ts";

/** Work that an engine has ready. */
export interface Job {
  /** Computes once, or asks the device to. */
  run(): unknown;
  /** Settles when all that was asked for is done; the results stay where they are. */
  finish(): Promise<unknown>;
  /** The last run's results by name (`c`; `y`; or `dq`, `dk`, `dv`), ordered as the inputs. */
  read(): Promise<Readonly<Record<string, ArrayLike<number>>>>;
}

/** A way to compute a task; an engine may have several, of which the fastest right one counts. */
export interface Form {
  /** What it is made of, where there is a choice. */
  readonly name?: string;
  readonly prepare: () => Promise<Job>;
}

/** What an engine can do, given inputs on the host. */
export interface EngineTasks {
  matmul?(inputs: Arrays, size: number): Form[];
  attention?(inputs: Arrays): Form[];
  attentionBackward?(inputs: Arrays): Form[];
}

const WARMUP_RUNS = 2;
/** Runs of a form that is tried beside others. */
const TRIAL_RUNS = 3;
const LEAST_RUNS = 3;
const MOST_RUNS = 15;
/** Where this is over, {@linkcode LEAST_RUNS} are enough. */
const BUDGET_MS = 1500;

/**
 * Takes the task that the command line names, checks its results against float64, times it and
 * prints a {@linkcode Report}. The process ends.
 *
 *     script TASK FOLDER REPEATS
 *
 * A timed run asks for `REPEATS` computations and waits once, for the last; nothing is read back.
 */
export async function measureEngine(engine: EngineTasks): Promise<never> {
  const [name, folder = "", repeats = "1"] = argv.slice(2);
  const task = taskNamed(name);
  const forms = formsOf(engine, task, readInputs(folder, task.name));
  let best: { readonly report: Report; readonly job: Job; readonly ms: number } | undefined;
  const notes: string[] = [];
  for (const form of forms) {
    try {
      const { job, ...report } = await check(form, folder);
      const isRight = report.error <= task.tolerance;
      const ms = isRight && forms.length > 1 ? Math.min(...(await time(job, 1, TRIAL_RUNS))) : 0;
      const isBest =
        best === undefined || (isRight && !(best.ms <= ms && best.report.error <= task.tolerance));
      if (isBest) best = { report, job, ms };
      if (!isRight)
        notes.push(`${form.name ?? "result"} is wrong by ${report.error.toExponential(1)}`);
    } catch (error) {
      notes.push(`${form.name ?? "it"} fails: ${firstLine(error)}`);
    }
  }
  if (best === undefined) return fail(notes.join("; ") || `cannot compute ${task.title}`);
  const isRight = best.report.error <= task.tolerance;
  const timesMs = isRight ? await time(best.job, Number(repeats), MOST_RUNS) : [];
  const note = [best.report.note, ...notes].filter((one) => one !== undefined).join("; ");
  return print({ ...best.report, timesMs, ...(note !== "" && { note }) });
}

function formsOf(engine: EngineTasks, { name }: Task, inputs: Arrays): Form[] {
  const size = matmulSize(name);
  if (size !== undefined) return engine.matmul?.(inputs, size) ?? [];
  if (name === "training") return [];
  return engine[name === "attention" ? "attention" : "attentionBackward"]?.(inputs) ?? [];
}

/** The first run of a form, and how far it is off. */
async function check({ name, prepare }: Form, folder: string) {
  const begin = performance.now();
  const job = await prepare();
  await job.run();
  await job.finish();
  const firstMs = performance.now() - begin;
  const error = errorOf(folder, await job.read());
  return { job, error, firstMs, timesMs: [], ...(name !== undefined && { note: name }) };
}

/** Times of single computations, in ms. */
async function time(job: Job, repeats: number, most: number): Promise<number[]> {
  const times: number[] = [];
  const start = performance.now();
  for (let run = -WARMUP_RUNS; run < most; run++) {
    const begin = performance.now();
    for (let repeat = 0; repeat < repeats; repeat++) await job.run();
    await job.finish();
    if (run >= 0) times.push((performance.now() - begin) / repeats);
    if (times.length >= LEAST_RUNS && performance.now() - start > BUDGET_MS) break;
  }
  return times;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n")[0]!.slice(0, 200);
}

/** Prints a report and ends the process, with whatever threads are left. */
export function print(report: Report): Promise<never> {
  process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
  return new Promise(() => {});
}

function fail(message: string): Promise<never> {
  process.stderr.write(`${message}\n`, () => process.exit(1));
  return new Promise(() => {});
}
