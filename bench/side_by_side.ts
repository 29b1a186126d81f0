/**
 * The same work in tenure and other engines, in one run: every result is checked against float64
 * before it is timed, rounds alternate, and ratios are of medians.
 *
 *     node --import tsx bench/side_by_side.ts [--rounds N] [--only PATTERN]
 *
 * A timed run asks the engine for its work and waits once; results stay on the device, but for ONNX
 * Runtime in Node, whose binding hands inputs over and reads results back in every run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { openAdapter } from "../cli/platform/dawn.ts";
import { type Figure, interleave, type Outcome } from "./interleaved.ts";
import { type Task, TASKS } from "./peers/tasks.ts";
import { writeWork } from "./peers/work_files.ts";
import { versionsIn, writeResult } from "./result_file.ts";
import { allEngines, type Engine, REFERENCE } from "./side_by_side_engines.ts";

/** A figure with its rate, or why there is none. */
export type EngineResult =
  | (Figure & {
      /** Of operations that the maths needs. */
      readonly gflops?: number;
      readonly tokensPerSecond?: number;
    })
  | Exclude<Outcome, Figure>;

/** What engines gave, by task and engine. */
export interface SideBySide {
  readonly tasks: Readonly<
    Record<
      string,
      {
        readonly title: string;
        readonly engines: Readonly<Record<string, EngineResult>>;
        /** The fastest other engine on WebGPU, and its time over tenure's. */
        readonly bestPeer?: { readonly name: string; readonly ratio: number };
      }
    >
  >;
  /** Engines that could not run here, and the remedy. */
  readonly missing: Readonly<Record<string, string>>;
}

/** Options of {@linkcode sideBySide}. */
export interface SideBySideOptions {
  /** @default {3} */
  readonly rounds?: number;
  /** Tasks and engines to take, matched against its name, title and the engine; tenure always. @default {all} */
  readonly only?: RegExp;
  /** @default {to stderr} */
  readonly onProgress?: (line: string) => void;
  /** Most time that an engine may take for a round. @default {300 s} */
  readonly timeoutMs?: number;
  /** @default {all that are known} */
  readonly engines?: readonly Engine[];
  /** @default {all} */
  readonly tasks?: readonly Task[];
}

/** Computations for each wait: on a GPU so many that waiting hardly counts. */
const REPEATS = { software: 1, gpu: 20 };

/** Measures engines side by side; see the top of this file. */
export async function sideBySide(options: SideBySideOptions = {}): Promise<SideBySide> {
  const { rounds = 3, only = /(?:)/, timeoutMs = 300_000, tasks = TASKS } = options;
  const { onProgress = (line) => stderr.write(`${line}\n`) } = options;
  const scratch = mkdtempSync(join(tmpdir(), "tenure-side-by-side-"));
  try {
    const { kind } = await openAdapter();
    const engines = options.engines ?? allEngines(kind, scratch);
    const repeats = REPEATS[kind === "gpu" ? "gpu" : "software"];
    const present = engines.filter(({ missing }) => missing === undefined);
    const results: Record<string, SideBySide["tasks"][string]> = {};
    for (const task of tasks) {
      const folder = join(scratch, task.name.replace("Backward", ""));
      const contenders = present.flatMap(({ name, command }) => {
        const isWanted = name === REFERENCE || only.test(`${task.name} ${task.title} ${name}`);
        const found = isWanted ? command(task.name, { folder, repeats }) : undefined;
        return found === undefined ? [] : [{ name, command: found }];
      });
      if (!contenders.some(({ name }) => only.test(`${task.name} ${task.title} ${name}`))) continue;
      onProgress(task.title);
      writeWork(folder, task.name);
      const { tolerance } = task;
      const settings = { rounds, reference: REFERENCE, tolerance, timeoutMs, onProgress };
      results[task.name] = summary(task, await interleave(contenders, settings), engines);
    }
    const missing = engines.flatMap((engine) =>
      engine.missing === undefined ? [] : [[engine.name, engine.missing] as const],
    );
    return { tasks: results, missing: Object.fromEntries(missing) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function summary(
  task: Task,
  outcomes: Readonly<Record<string, Outcome>>,
  engines: readonly Engine[],
): SideBySide["tasks"][string] {
  const results = Object.entries(outcomes).map(
    ([name, outcome]) => [name, withRate(task, outcome)] as const,
  );
  const peers = results.flatMap(([name, result]) => {
    const isPeer = engines.some((one) => one.name === name && one.medium === "webgpu");
    const ratio = "ms" in result ? result.ratio : undefined;
    return name === REFERENCE || !isPeer || ratio === undefined ? [] : [{ name, ratio }];
  });
  const [bestPeer] = peers.toSorted((a, b) => a.ratio - b.ratio);
  return {
    title: task.title,
    engines: Object.fromEntries(results),
    ...(bestPeer !== undefined && { bestPeer }),
  };
}

function withRate({ flops, tokens }: Task, outcome: Outcome): EngineResult {
  if (!("ms" in outcome)) return outcome;
  return {
    ...outcome,
    ...(flops !== undefined && { gflops: flops / outcome.ms / 1e6 }),
    ...(tokens !== undefined && { tokensPerSecond: (1000 * tokens) / outcome.ms }),
  };
}

/** Figures as lines of text. */
export function sideBySideLines({ tasks, missing }: SideBySide): string[] {
  const lines: string[] = [];
  for (const { title, engines, bestPeer } of Object.values(tasks)) {
    lines.push("", title);
    for (const [name, result] of Object.entries(engines)) lines.push(lineOf(name, result));
    if (bestPeer !== undefined) {
      const { name, ratio } = bestPeer;
      lines.push(
        `  ${REFERENCE} is ${ratio.toFixed(2)} times as fast as the best WebGPU peer, ${name}`,
      );
    }
  }
  const absent = Object.entries(missing).map(([name, reason]) => `  ${name}: ${reason}`);
  return absent.length === 0 ? lines : [...lines, "", "Skipped", ...absent];
}

function lineOf(name: string, result: EngineResult): string {
  const head = `  ${name.padEnd(28)}`;
  if (!("ms" in result)) return `${head} ${result.problem}`;
  const { ms, firstMs, error, ratio, band, gflops, tokensPerSecond, note } = result;
  const rate =
    gflops === undefined
      ? `${tokensPerSecond?.toFixed(0).padStart(7)} tokens/s`
      : `${gflops.toFixed(1).padStart(7)} GFLOP/s`;
  const spread = band === undefined ? "" : ` (${band.map((edge) => edge.toFixed(2)).join("-")})`;
  const times = ratio === undefined ? "" : `  ${ratio.toFixed(2)}× ${REFERENCE}'s time${spread}`;
  const first = `first ${(firstMs / 1000).toFixed(2)} s`;
  const tail = note === undefined ? "" : `  [${note}]`;
  return `${head} ${ms.toFixed(1).padStart(8)} ms ${rate}${times}  ${first}  error ${error.toExponential(1)}${tail}`;
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const { values } = parseArgs({
    options: { rounds: { type: "string" }, only: { type: "string" } },
  });
  const result = await sideBySide({
    rounds: Number(values.rounds ?? 3),
    only: new RegExp(values.only ?? ""),
  });
  const text = sideBySideLines(result).join("\n").trimStart();
  stdout.write(`${text}\n`);
  const file = writeResult({
    prefix: "side-by-side-",
    opened: await openAdapter(),
    body: { ...result, peers: versionsIn("bench/peers/package.json") },
    beside: { md: `# Side by side\n\n\`\`\`text\n${text}\n\`\`\`\n` },
  });
  stderr.write(`wrote ${file}, with .md beside it\n`);
  exit(0);
}
