import { type Outcome, runTests } from "./node_test.ts";

/** What a worker posts: tests as they end, and that there are no more. */
export type Message = Outcome | "done";

/** Runs the tests that the file registered, and posts what happened. */
export async function report(): Promise<void> {
  // In a worker there is nobody else to hear it, and no origin to name.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const post = (message: Message): void => globalThis.postMessage(message);
  await runTests(post);
  post("done");
}
