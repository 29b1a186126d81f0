import type { Finding } from "./section.ts";

/** What became of a section. */
export interface Attempt extends Finding {
  /** Whether it came to no end: then nothing else can be asked of the device. */
  readonly hangs: boolean;
}

/** When to stop waiting. */
export interface Patience {
  /** When the section should have ended, as `performance.now()` tells. */
  readonly deadline: number;
  /** Time that one piece of its work may take beyond, in ms. */
  readonly graceMs: number;
}

/**
 * Runs a section. One that throws is a failure, and so is one that is far beyond its time: a driver
 * may never answer, and what other sections found must not wait for it.
 */
export async function attempt(
  run: () => Promise<Finding>,
  { deadline, graceMs }: Patience,
): Promise<Attempt> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = Math.max(0, deadline - performance.now()) + graceMs;
  const hanging = new Promise<Attempt>((resolve) => {
    const message = `it must end, got nothing ${(graceMs / 1000).toFixed(0)} s beyond its time`;
    timer = setTimeout(() => resolve({ ...failure(message), hangs: true }), patience);
  });
  const running = run().then(
    (found) => ({ ...found, hangs: false }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      return { ...failure(message), hangs: false };
    },
  );
  try {
    return await Promise.race([running, hanging]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(message: string): Finding {
  return { body: { error: message }, lines: [], failures: [message] };
}
