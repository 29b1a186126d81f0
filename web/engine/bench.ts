import {
  CEILING_EFFORT,
  higher,
  type KernelCase,
  kernelCases,
  limitOf,
  measureCase,
  QUICK,
  THOROUGH,
  WrongResultError,
} from "../../bench/cases/mod.ts";
import { isSoftware } from "../../engine/adapter_info.ts";
import type { Gpu } from "../../engine/gpu.ts";
import {
  type MeasuredRoofline,
  measureRoofline,
  type Roofline,
} from "../../engine/profile/roofline.ts";
import type { BenchEvent, BenchOptions, Progress } from "./api.ts";
import { EngineError } from "./errors.ts";

const MIB = 2 ** 20;

/** Buffers that are copied to find the bandwidth, until they fit: phones have little memory. */
const COPY_BYTES: Readonly<Record<"small" | "full", readonly (readonly number[])[]>> = {
  small: [[64 * MIB], [16 * MIB], [4 * MIB]],
  full: [[128 * MIB, 256 * MIB], [64 * MIB], [16 * MIB]],
};

/** What tests replace: which cases there are, and how much is copied. */
export interface BenchParts {
  readonly cases?: readonly KernelCase[];
  readonly copyBytes?: readonly (readonly number[])[];
}

/**
 * Measures an adapter's ceilings and the cases of `bench/cases`, as `npm run bench` does: each case
 * is checked against float64 and then timed, and frees its memory. One that is wrong, does not fit
 * or needs what the device lacks is left out, with the reason.
 *
 * @param gpu Device; nothing else should run on it meanwhile.
 * @param options What to measure; a signal ends it between cases.
 * @param parts Other cases than those of `bench/cases`.
 * @throws {EngineError} `"bad-input"` if no case is asked for, `"out-of-memory"` if the device
 *   cannot even copy a few MiB.
 * @throws {GpuLostError} If the device is lost.
 */
export async function* benchKernels(
  gpu: Gpu,
  options: BenchOptions = {},
  { cases, copyBytes }: BenchParts = {},
): AsyncGenerator<BenchEvent, void, undefined> {
  const { signal, quick = true } = options;
  const { scale = isSoftware(gpu.info) ? "small" : "full" } = options;
  const asked = casesOf(cases ?? kernelCases(scale), { ...options, quick });
  const say = progressOf(options, asked.length);
  const copies = copyBytes ?? COPY_BYTES[scale];
  const measure = () => measureCeilings(gpu, { scale, copies, ...options });

  say("the limits of the device", 0);
  const first = await measure();
  yield eventOf(first);
  const effort = quick ? QUICK : THOROUGH;
  for (const [index, kernelCase] of asked.entries()) {
    signal?.throwIfAborted();
    say(kernelCase.id, index);
    yield await measureOrLeaveOut(gpu, kernelCase, { effort, limitMs: limitOf(first) });
  }
  signal?.throwIfAborted();
  say("the limits of the device, once more", asked.length);
  yield eventOf(higher(first, await measure()));
}

/** The cases that are asked for. */
function casesOf(
  all: readonly KernelCase[],
  { quick, only = "", group }: BenchOptions,
): readonly KernelCase[] {
  const asked = all.filter(
    (one) =>
      (one.isQuick || quick !== true) &&
      one.id.includes(only) &&
      (group === undefined || one.group === group),
  );
  if (asked.length > 0) return asked;
  throw new EngineError({
    kind: "bad-input",
    message: `Cannot run benchmarks: some case must match, got none for "${only}"${group === undefined ? "" : ` in ${group}`}`,
    remedy: "Measure all cases rather than a few, or ask for other names.",
  });
}

function progressOf(
  { onProgress }: BenchOptions,
  total: number,
): (what: string, done: number) => void {
  return (what, done) =>
    onProgress?.({ phase: "bench", what, done, total, unit: "cases" } satisfies Progress);
}

/** The ceilings, with the largest copies that fit. */
async function measureCeilings(
  gpu: Gpu,
  options: Required<Pick<BenchOptions, "scale">> &
    Pick<BenchOptions, "signal"> & { readonly copies: readonly (readonly number[])[] },
): Promise<MeasuredRoofline> {
  const { scale, signal, copies } = options;
  const onRun = () => signal?.throwIfAborted();
  for (const sizes of copies) {
    const copyBytes = sizes.filter((bytes) => bytes <= gpu.maxBindingBytes);
    if (copyBytes.length === 0) continue;
    try {
      return await measureRoofline(gpu, { ...CEILING_EFFORT[scale], copyBytes, onRun });
    } catch (error) {
      gpu.check(); // nothing can be measured on a lost device
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new EngineError({
    kind: "out-of-memory",
    message: "Cannot measure the device: it must have memory for a copy of a few MiB, got none",
    remedy: "Close other tabs and programs that use the GPU, and try again.",
  });
}

/** A row, or why there is none. */
async function measureOrLeaveOut(
  gpu: Gpu,
  kernelCase: KernelCase,
  options: Parameters<typeof measureCase>[2],
): Promise<BenchEvent> {
  const { id, group } = kernelCase;
  if (kernelCase.needsFloat16 && !gpu.traits.hasFloat16) {
    return { kind: "left out", id, why: "The device has no 16-bit floats (shader-f16)" };
  }
  try {
    return { kind: "row", row: await measureCase(gpu, kernelCase, options), group };
  } catch (error) {
    gpu.check();
    if (!(error instanceof WrongResultError || error instanceof RangeError)) throw error;
    return { kind: "left out", id, why: error.message };
  }
}

function eventOf({
  bytesPerSecond,
  flopsPerSecond,
  halfFlopsPerSecond,
  matrixFlopsPerSecond,
}: Roofline): BenchEvent {
  return {
    kind: "roofline",
    bytesPerSecond,
    flopsPerSecond,
    ...(halfFlopsPerSecond !== undefined && { halfFlopsPerSecond }),
    ...(matrixFlopsPerSecond !== undefined && { matrixFlopsPerSecond }),
  };
}
