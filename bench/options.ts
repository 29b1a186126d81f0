import { parseArgs } from "node:util";
import type { Scale } from "./cases/mod.ts";

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  readonly only?: RegExp;
  readonly scale?: Scale;
  readonly quick: boolean;
  /** Trades Dawn's checks for speed. */
  readonly fast: boolean;
  /** Where choices of kernels come from: `"auto"`, `"off"`, or a file. */
  readonly tuning?: string;
  readonly peers: boolean;
  /** An older file to compare with; or two files, to run nothing. */
  readonly compare: readonly string[];
  readonly output?: string;
  readonly experiment?: string;
  readonly help: boolean;
}

export const USAGE = `npm run bench [-- options]

  --only REGEX          rows whose names match, such as "matmul .* 512"
  --quick               a few cases of every group, fewer rounds
  --scale small|full    sizes; full on a GPU, small on a software adapter, unless told
  --fast                without some of Dawn's checks
  --tuning auto|off|FILE    what tenure tune found is followed, unless told
  --peers               other engines beside tenure, interleaved
  --compare OLD.json    ratios to an older run, with noise bands
  --compare A.json B.json   compares two files and runs nothing
  --output FILE.json    where results go, with .md and .svg beside it
  --experiment NAME     one of: EXPERIMENTS
`;

/**
 * Reads the command line.
 *
 * @param args Without program and script.
 * @throws {RangeError} If an option does not exist, or its value is none of those allowed.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args);
  const { only, scale, compare, output, experiment, tuning } = values;
  if (scale !== undefined && scale !== "small" && scale !== "full") {
    throw new RangeError(`Cannot run benchmarks: --scale must be small or full, got "${scale}"`);
  }
  if (positionals.length > (compare === undefined ? 0 : 1)) {
    throw new RangeError(
      `Cannot run benchmarks: only --compare takes files, got "${positionals.at(-1)}"`,
    );
  }
  if (experiment !== undefined && (only !== undefined || compare !== undefined)) {
    throw new RangeError(
      `Cannot run benchmarks: --experiment goes with neither --only nor --compare, got "${experiment}" with ${only === undefined ? "--compare" : "--only"}`,
    );
  }
  return {
    quick: values.quick === true,
    fast: values.fast === true,
    peers: values.peers === true,
    help: values.help === true,
    compare: compare === undefined ? [] : [compare, ...positionals],
    ...(only !== undefined && { only: regexOf(only) }),
    ...(scale !== undefined && { scale }),
    ...(tuning !== undefined && { tuning }),
    ...(output !== undefined && { output }),
    ...(experiment !== undefined && { experiment }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: "string" },
        scale: { type: "string" },
        quick: { type: "boolean" },
        fast: { type: "boolean" },
        tuning: { type: "string" },
        peers: { type: "boolean" },
        compare: { type: "string" },
        output: { type: "string" },
        experiment: { type: "string" },
        help: { type: "boolean" },
      },
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RangeError(`Cannot run benchmarks: options must be known, got ${reason}`, { cause });
  }
}

function regexOf(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    throw new RangeError(
      `Cannot run benchmarks: --only must be a regular expression, got "${source}"`,
      {
        cause,
      },
    );
  }
}
