import type { RecordedDispatch } from "./tape.ts";
import { rootOf, type Tensor } from "./tensor.ts";

/**
 * The dispatches whose results somebody reads: those that write persistent tensors, those that
 * write what is to be kept, and those that these read from. So a plan that fills a cache leaves out
 * what only the next token would have been predicted from.
 *
 * @param dispatches In the order of recording.
 * @param keep Activations that are read after a run.
 */
export function liveDispatches(
  dispatches: readonly RecordedDispatch[],
  keep: readonly Tensor[],
): RecordedDispatch[] {
  const read = new Set(keep.map(rootOf));
  const live: RecordedDispatch[] = [];
  for (const dispatch of dispatches.toReversed()) {
    const bound = Object.entries(dispatch.kernel.buffers).map(([name, access]) => ({
      root: rootOf(dispatch.buffers[name]!),
      isWritten: access === "read_write",
    }));
    const isLive = bound.some(
      ({ root, isWritten }) => isWritten && (root.buffer !== undefined || read.has(root)),
    );
    if (!isLive) continue;
    for (const { root } of bound) read.add(root);
    live.push(dispatch);
  }
  return live.toReversed();
}
