import { spawn } from "node:child_process";
import type { Report } from "./peers/tasks.ts";
import { median } from "./report/statistics.ts";

/** A program to run; its last line is a {@linkcode Report}. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What is run in turn with others. */
export interface Contender {
  readonly name: string;
  readonly command: Command;
}

/** What is known of one contender after all rounds. */
export interface Figure {
  /** Median over the rounds. */
  readonly ms: number;
  /** Each round's own median. */
  readonly rounds: readonly number[];
  /** Median time of the first run, compilation included. */
  readonly firstMs: number;
  /** Largest error of any round. */
  readonly error: number;
  /**
   * How many times the reference's time it takes, the median of the rounds' ratios: above 1, the
   * reference is faster. Missing where the reference has no figure.
   */
  readonly ratio?: number;
  /** Least and greatest ratio of a round: how far noise reaches. */
  readonly band?: readonly [number, number];
  readonly note?: string;
}

/** A figure, or why there is none. */
export type Outcome = Figure | { readonly problem: string; readonly error?: number };

/** Options of {@linkcode interleave}. */
export interface InterleaveOptions {
  readonly rounds: number;
  /** Contender that others are compared with. */
  readonly reference: string;
  /** Largest error that counts as right. */
  readonly tolerance: number;
  readonly timeoutMs: number;
  readonly onProgress?: (line: string) => void;
}

/** The order of a round: rotated by one each time, so that nobody is always behind the same. */
export function orderOf<T>(items: readonly T[], round: number): T[] {
  const shift = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(shift), ...items.slice(0, shift)];
}

/**
 * Runs contenders in turn, a process each, and compares the medians of their times. Who fails, or
 * computes something else, is told apart and not run again.
 */
export async function interleave(
  contenders: readonly Contender[],
  options: InterleaveOptions,
): Promise<Record<string, Outcome>> {
  const { rounds, tolerance, onProgress = () => {} } = options;
  const reports = new Map<string, Report[]>(contenders.map(({ name }) => [name, []]));
  const problems = new Map<string, { readonly problem: string; readonly error?: number }>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of orderOf(contenders, round)) {
      if (problems.has(name)) continue;
      const report = await run(command, options.timeoutMs);
      const problem = "problem" in report ? report : problemOf(report, tolerance);
      if (problem !== undefined) problems.set(name, problem);
      else reports.get(name)!.push(report as Report);
      const said = problem?.problem ?? `${median((report as Report).timesMs).toPrecision(3)} ms`;
      onProgress(`  round ${round + 1}/${rounds} ${name}: ${said}`);
    }
  }
  const base = problems.has(options.reference) ? undefined : reports.get(options.reference);
  return Object.fromEntries(
    contenders.map(({ name }) => [name, problems.get(name) ?? figureOf(reports.get(name)!, base)]),
  );
}

/** Why a report does not count; an infinite error arrives as null, which is no number. */
function problemOf({ error: told, timesMs, note }: Report, tolerance: number) {
  const error = typeof told === "number" ? told : Infinity;
  if (!(error <= tolerance)) {
    const detail = note === undefined ? "" : ` (${note})`;
    return {
      problem: `wrong result: error ${error.toExponential(1)}, allowed ${tolerance}${detail}`,
      error,
    };
  }
  return timesMs.length === 0 ? { problem: "no times", error } : undefined;
}

/** Medians of a contender's rounds, and their ratios to the reference's rounds. */
export function figureOf(reports: readonly Report[], base?: readonly Report[]): Figure {
  const rounds = reports.map(({ timesMs }) => median(timesMs));
  const ratios = (base ?? []).flatMap(({ timesMs }, i) => {
    const own = rounds[i];
    return own === undefined ? [] : [own / median(timesMs)];
  });
  const note = reports.at(-1)?.note;
  return {
    ms: median(rounds),
    rounds,
    firstMs: median(reports.map(({ firstMs }) => firstMs)),
    error: Math.max(...reports.map(({ error }) => error)),
    ...(ratios.length > 0 && {
      ratio: median(ratios),
      band: [Math.min(...ratios), Math.max(...ratios)] as const,
    }),
    ...(note !== undefined && { note }),
  };
}

/** Runs a program to its end; gives its report, or what went wrong. */
function run(
  { file, args, env }: Command,
  timeoutMs: number,
): Promise<Report | { readonly problem: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    let [output, complaint, isLate] = ["", "", false];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.on("error", ({ message }) => resolve({ problem: message }));
    child.on("close", (code) => {
      clearTimeout(timer);
      if (isLate) return resolve({ problem: `took more than ${timeoutMs / 1000} s` });
      const report = code === 0 ? parse(output) : undefined;
      resolve(report ?? { problem: lastLine(complaint) || `ended with code ${code}` });
    });
  });
}

function parse(output: string): Report | undefined {
  try {
    return JSON.parse(lastLine(output)) as Report;
  } catch {
    return undefined;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!;
}
