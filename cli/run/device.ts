import { freemem } from "node:os";
import { Gpu } from "../../engine/gpu.ts";
import type { AdapterKind } from "../platform/adapter.ts";
import { openAdapter } from "../platform/dawn.ts";
import { paperAdapter } from "../platform/paper_adapter.ts";
import { identityOf, type TuningDeviceIdentity } from "../../engine/tuning/device_identity.ts";
import type { Kernels } from "./choices.ts";
import { tunedChoices } from "./tuning.ts";

/** How a device is opened, as the flags of every command say. */
export interface DeviceChoice {
  /** Trades Dawn's checks for speed. @default {false} */
  readonly fast?: boolean;
  /** Where the choices of kernels come from: `"auto"`, `"off"`, or a file. @default {TENURE_TUNING, or "auto"} */
  readonly tuning?: string;
}

/** How a device is opened. */
export interface DeviceOptions extends DeviceChoice {
  /** Memory that work may take, where the user knows better, in GiB. */
  readonly maxMemoryGiB?: number;
}

/** What work is given. */
export interface DeviceInfo {
  readonly kind: AdapterKind;
  /** All of the device that times and bits depend on. */
  readonly identity: TuningDeviceIdentity;
  /** A device that takes notes: it allocates nothing, and so can say what something would take. */
  readonly openPaperGpu: () => Promise<Gpu>;
}

/** Share of the free memory that a software adapter leaves to the process and to others. */
const MARGIN = 0.1;

/**
 * Memory that no device has: what needs more is refused where nobody knows how much there is.
 * WebGPU does not tell, and Dawn's Node binding hides the heaps that Dawn knows.
 */
const BEYOND_BYTES = 2 ** 42;

/** What was last said of the adapter: once a process will do. */
let said: string | undefined;

/** What `--tuning` is where nobody says: what is in `TENURE_TUNING`, else `"auto"`. */
function usualTuning(): string {
  return process.env["TENURE_TUNING"] || "auto";
}

/** Does work on the best device, says on stderr which one it is, and closes it in the end. */
export async function withDevice<T>(
  kernels: Kernels,
  work: (gpu: Gpu, info: DeviceInfo) => Promise<T>,
  options: DeviceOptions = {},
): Promise<T> {
  const { gpu, info } = await openDevice(kernels, options);
  try {
    return await work(gpu, info);
  } finally {
    gpu.destroy();
  }
}

/** Opens the best device and says on stderr which one it is; who asks destroys it in the end. */
export async function openDevice(
  kernels: Kernels,
  { maxMemoryGiB, fast = false, tuning = usualTuning() }: DeviceOptions = {},
): Promise<{ readonly gpu: Gpu; readonly info: DeviceInfo }> {
  const { adapter, kind, line, toggles } = await openAdapter({ fast });
  if (line !== said) process.stderr.write(`${(said = line)}\n`);
  const options = {
    ...(kernels !== "auto" && { variant: kernels }),
    maxMemoryBytes: maxMemoryGiB === undefined ? memoryOf(kind) : maxMemoryGiB * 2 ** 30,
  };
  const gpu = await Gpu.open(adapter, options);
  const openPaperGpu = () => Gpu.open(paperAdapter(adapter), { ...options, choices: gpu.choices });
  try {
    const identity = identityOf(gpu, toggles);
    const choices = await tunedChoices(identity, tuning);
    if (choices !== undefined) gpu.choices = choices;
    return { gpu, info: { kind, identity, openPaperGpu } };
  } catch (error) {
    gpu.destroy();
    throw error;
  }
}

/** Bytes that a device has for us, as far as known: a software adapter's are the machine's. */
function memoryOf(kind: AdapterKind): number {
  if (kind === "gpu") return BEYOND_BYTES;
  return Math.floor((1 - MARGIN) * availableMemory());
}

/** Bytes that this process may still take; inside a container, what the container may. */
function availableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  const { rss } = process.memoryUsage();
  // Without a limit, it is 0 or far beyond the machine's memory.
  return Math.min(freemem(), limit > rss ? limit - rss : Infinity);
}
