import { constants } from "node:os";
import { Interruption, interruptibly } from "./interrupt.ts";

/**
 * Runs work that has nothing to save: after SIGINT or SIGTERM it stops at its next chance, and the
 * process exits with 130 or 143, as shells expect it of a program that a signal has ended.
 *
 * @param work It may return early, or throw what `signal.throwIfAborted()` throws.
 */
export async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  await interruptibly(async (signal) => {
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted || !isAbort(error)) throw error;
    }
    const reason: unknown = signal.reason;
    if (reason instanceof Interruption) {
      process.exitCode = 128 + constants.signals[reason.signal];
    }
  });
}

/** Whether this was thrown because somebody asked to stop; an exit code may be wrapped around it. */
function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || isAbort(error.cause);
}
