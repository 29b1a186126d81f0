import type { Outcome } from "./node_test.ts";
import type { Message } from "./worker.ts";

/** What became of one file. */
export interface FileOutcome {
  readonly outcomes: readonly Outcome[];
  /** Why the file did not come to its end. */
  readonly problem?: string;
}

/** What an adapter of this browser says of itself. */
export interface AdapterNote {
  readonly name: string;
  readonly features: readonly string[];
  readonly subgroupSizes: readonly [number, number];
}

/**
 * Runs the tests of one file in a worker of their own.
 *
 * @param entry Name of the worker's module.
 * @param timeoutMs When to give up.
 */
async function runFile(entry: string, timeoutMs: number): Promise<FileOutcome> {
  const outcomes: Outcome[] = [];
  const worker = new Worker(`/bundle/${entry}`, { type: "module" });
  const problem = await new Promise<string | undefined>((resolve) => {
    setTimeout(() => resolve(`still running after ${timeoutMs} ms`), timeoutMs);
    worker.addEventListener("message", ({ data }: MessageEvent<Message>) => {
      if (data === "done") resolve(undefined);
      else outcomes.push(data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event.message || "the worker's module could not be loaded");
    });
    worker.addEventListener("messageerror", () => resolve("a message could not be read"));
  });
  worker.terminate();
  return { outcomes, ...(problem !== undefined && { problem }) };
}

async function describeAdapter(): Promise<AdapterNote> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error("Cannot open an adapter: the browser must have one");
  const { info, features } = adapter;
  return {
    name: [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" "),
    features: [...features].toSorted(),
    subgroupSizes: [info.subgroupMinSize, info.subgroupMaxSize],
  };
}

/** What the page does when it is asked from outside. */
export interface CoreTests {
  readonly runFile: typeof runFile;
  readonly describeAdapter: typeof describeAdapter;
}

Object.assign(globalThis, { coreTests: { runFile, describeAdapter } satisfies CoreTests });
