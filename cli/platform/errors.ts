import { GpuLostError } from "../../engine/gpu_errors.ts";

/** Exit codes of every command; scripts and schedulers may rely on them. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** A mistake of ours, or one without a code of its own. */
  failure: 1,
  /** Unknown option, missing argument, impossible combination. */
  usage: 2,
  /** Input that is missing, unreadable or malformed. */
  data: 3,
  /** No adapter, device lost, out of device memory. */
  device: 4,
  /** A checkpoint that is missing, damaged or of another model. */
  checkpoint: 5,
  /** Interrupted after saving: run the same command again to go on. */
  retry: 75,
} as const;

/** One of the values of {@linkcode EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error whose message is meant for the person at the terminal, with its exit code. */
export class CliError extends Error {
  /** What the process exits with. */
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

/**
 * Runs work whose errors are the input's fault, and gives them an exit code.
 *
 * The core throws `SyntaxError`, `RangeError` and `TypeError` for input that
 * does not parse, has the wrong size or the wrong kind; which input that was,
 * the caller knows. Errors that already carry a code keep it.
 *
 * @throws {CliError} With the message and cause of what `work` threw.
 * @example
 * const careers = await failingAs(EXIT.data, () => readCareers(stream));
 */
export async function failingAs<T>(exitCode: ExitCode, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const hasCode = error instanceof CliError || error instanceof GpuLostError;
    if (hasCode || !(error instanceof Error)) throw error;
    throw new CliError(exitCode, error.message, { cause: error });
  }
}

/** Turns anything thrown into one line for the terminal and an exit code. */
export function explain(error: unknown): { line: string; exitCode: ExitCode } {
  const message = error instanceof Error ? error.message : String(error);
  return {
    line: message.replaceAll(/\s*\n\s*/g, " ").trim() || "Unknown error",
    exitCode: exitCodeOf(error),
  };
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  return error instanceof GpuLostError ? EXIT.device : EXIT.failure;
}
