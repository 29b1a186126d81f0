import { Gpu, type Variant } from "../../engine/gpu.ts";
import type { AdapterKind } from "../platform/adapter.ts";
import { openAdapter } from "../platform/dawn.ts";

/** Which kernels run; `"auto"` leaves it to the adapter. */
export type Kernels = Variant | "auto";

/** Choices of {@linkcode Kernels} on the command line. */
export const KERNELS: readonly Kernels[] = ["auto", "flat", "tiled"];

/** What was last said of the adapter: once a process will do. */
let said: string | undefined;

/** Does work on the best device, says on stderr which one it is, and closes it in the end. */
export async function withDevice<T>(
  kernels: Kernels,
  work: (gpu: Gpu, kind: AdapterKind) => Promise<T>,
): Promise<T> {
  const { adapter, kind, line } = await openAdapter();
  if (line !== said) process.stderr.write(`${(said = line)}\n`);
  const gpu = await Gpu.open(adapter, kernels === "auto" ? {} : { variant: kernels });
  try {
    return await work(gpu, kind);
  } finally {
    gpu.destroy();
  }
}
