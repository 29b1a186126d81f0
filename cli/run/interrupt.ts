import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Why work was told to stop: which signal came. Its name is that of other aborts. */
export class Interruption extends Error {
  readonly signal: (typeof SIGNALS)[number];

  constructor(signal: (typeof SIGNALS)[number]) {
    super(`Stopped by ${signal}`);
    this.name = "AbortError";
    this.signal = signal;
  }
}

/**
 * Runs work that can be told to stop: the first SIGINT or SIGTERM aborts the signal, the second
 * ends the process at once.
 *
 * @param work What to run; it finishes what it is at and returns when the signal aborts.
 */
export async function interruptibly<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (name: (typeof SIGNALS)[number]): void => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
    controller.abort(new Interruption(name));
    process.stderr.write(
      `\n${name}: stopping after the step in progress; once more ends at once\n`,
    );
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
  }
}
