import type { Gpu } from "../gpu.ts";

/** Encodes the work of one compute pass. */
export type PassWork = (pass: GPUComputePassEncoder) => void;

/** When a pass began and ended on the device's clock, in ms since the first pass of its submit. */
export interface PassTime {
  readonly beginMs: number;
  readonly endMs: number;
}

/** Queries of a set at most, as WebGPU has it; a pass takes two. */
const MOST_QUERIES = 4096;

/** Bytes of a timestamp: a u64 of nanoseconds. */
const TIMESTAMP_BYTES = 8;

/** Whether a device can say when a pass begins and ends. */
export function hasTimestamps(gpu: Gpu): boolean {
  return gpu.device.features.has("timestamp-query");
}

/**
 * Runs passes in one submit, and asks the device when each began and ended.
 *
 * @throws {Error} If the device has no timestamp queries.
 */
export async function timePasses(gpu: Gpu, passes: readonly PassWork[]): Promise<PassTime[]> {
  const stamps = await stampsOf(gpu, passes);
  const first = stamps[0] ?? 0n;
  const ms = (stamp: bigint | undefined) => Number((stamp ?? first) - first) / 1e6;
  return passes.map((_, index) => ({
    beginMs: ms(stamps[2 * index]),
    endMs: ms(stamps[2 * index + 1]),
  }));
}

/** Timestamps in nanoseconds, two for each pass. */
async function stampsOf(gpu: Gpu, passes: readonly PassWork[]): Promise<bigint[]> {
  if (!hasTimestamps(gpu)) {
    throw new Error(
      "Cannot time passes: the device must have timestamp-query, got none; use the wall clock",
    );
  }
  gpu.check();
  const sets: GPUQuerySet[] = [];
  const parts: { buffer: GPUBuffer; bytes: number }[] = [];
  for (let begin = 0; begin < passes.length; begin += MOST_QUERIES / 2) {
    const count = 2 * Math.min(MOST_QUERIES / 2, passes.length - begin);
    const bytes = count * TIMESTAMP_BYTES;
    sets.push(gpu.device.createQuerySet({ type: "timestamp", count }));
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const buffer = gpu.allocate({ label: "timestamps", size: bytes, usage }, "owner");
    parts.push({ buffer, bytes });
  }
  try {
    const copies = await gpu.readBuffers(parts, (encoder) => {
      passes.forEach((work, index) => {
        const at = 2 * (index % (MOST_QUERIES / 2));
        const pass = encoder.beginComputePass({
          timestampWrites: {
            querySet: sets[Math.floor((2 * index) / MOST_QUERIES)]!,
            beginningOfPassWriteIndex: at,
            endOfPassWriteIndex: at + 1,
          },
        });
        work(pass);
        pass.end();
      });
      sets.forEach((set, index) => {
        encoder.resolveQuerySet(set, 0, set.count, parts[index]!.buffer, 0);
      });
    });
    return copies.flatMap((copy) => [...new BigUint64Array(copy)]);
  } finally {
    for (const { buffer } of parts) buffer.destroy();
    for (const set of sets) set.destroy();
  }
}

/** Submits of empty passes to find the clock's resolution with, and passes of each. */
const PROBES = 12;
const PROBE_PASSES = 32;

const resolutions = new WeakMap<Gpu, Promise<number>>();

/**
 * Resolution of the device's clock as its timestamps show it: the smallest difference that is not
 * zero, over a few hundred of them. Browsers and Dawn round timestamps to 65 or 100 µs.
 *
 * @returns In ms; Infinity where there are no timestamps, or they stand still.
 */
export function resolutionMs(gpu: Gpu): Promise<number> {
  let resolution = resolutions.get(gpu);
  if (resolution === undefined) resolutions.set(gpu, (resolution = measureResolution(gpu)));
  return resolution;
}

async function measureResolution(gpu: Gpu): Promise<number> {
  if (!hasTimestamps(gpu)) return Infinity;
  const nothing = Array.from<PassWork>({ length: PROBE_PASSES }).fill(() => {});
  const stamps: bigint[] = [];
  // One after another: a coarse clock must have the time to move on.
  for (let probe = 0; probe < PROBES; probe++) stamps.push(...(await stampsOf(gpu, nothing)));
  const differences = stamps
    .toSorted((one, other) => Number(one - other))
    .map((stamp, index, sorted) => Number(stamp - (sorted[index - 1] ?? stamp)))
    .filter((difference) => difference > 0);
  return differences.reduce((least, one) => Math.min(least, one), Infinity) / 1e6;
}
