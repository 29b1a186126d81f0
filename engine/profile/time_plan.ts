import type { Gpu } from "../gpu.ts";
import type { Plan } from "../plan.ts";
import { resolutionMs, timePasses } from "./timestamps.ts";

/** What told the time: the device, or the host that waited for it. */
export type Clock = "timestamps" | "wall";

/** How {@linkcode timePlan} measures. */
export interface TimePlanOptions {
  /** Measurements to take the median of. @default {5} */
  readonly rounds?: number;
  /** A round replays the plan so often that it takes at least this long, in ms. @default {10} */
  readonly minMs?: number;
  /** No round begins later than this after the first, in ms; one is always taken. @default {Infinity} */
  readonly maxMs?: number;
}

/** Time of a replay. */
export interface PlanTime {
  /** Of one replay: the median of {@linkcode rounds}. */
  readonly ms: number;
  /** Of one replay, as each round measured it. */
  readonly rounds: readonly number[];
  readonly clock: Clock;
}

/** Steps of the clock that a round must last for timestamps to be used: one percent of error. */
const LEAST_STEPS = 100;

/** Dispatches that are encoded for a round at most. */
const MOST_DISPATCHES = 2 ** 15;

/** A round is lengthened by at most this factor at a time: a short one says little. */
const MOST_GROWTH = 16;

/** Empty submits to take the median of. */
const EMPTY_SUBMITS = 7;

/** Median of numbers; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle - 0.5)]! + sorted[Math.floor(middle)]!) / 2;
}

/**
 * Measures one replay of compiled plans on the device. A round replays them many times in one
 * submit, after a warm-up and a calibration; it is timed by timestamp queries where they are fine
 * enough, else by the wall clock, from which an empty submit is taken off.
 *
 * The replays are real: gradients add up, and weights are stepped.
 *
 * @param gpu The plans' device.
 * @param plans What a replay runs, in order.
 * @param options How often, and how long.
 * @throws {RangeError} If `rounds` or `minMs` is not positive.
 */
export async function timePlan(
  gpu: Gpu,
  plans: Plan | readonly Plan[],
  { rounds = 5, minMs = 10, maxMs = Infinity }: TimePlanOptions = {},
): Promise<PlanTime> {
  if (!(rounds >= 1) || !(minMs > 0)) {
    throw new RangeError(
      `Cannot time a plan: rounds and minMs must be positive, got ${rounds} and ${minMs}`,
    );
  }
  const all: readonly Plan[] = Array.isArray(plans) ? plans : [plans as Plan];
  const clock = (await resolutionMs(gpu)) * LEAST_STEPS <= minMs ? "timestamps" : "wall";
  const round = await roundOf(gpu, all, clock);
  const begin = performance.now();
  await round(1); // drivers finish compiling at the first run
  const numDispatches = all.reduce((sum, { dispatches }) => sum + dispatches.length, 0);
  const most = Math.max(1, Math.floor(MOST_DISPATCHES / Math.max(1, numDispatches)));
  const { replays, ms } = await calibrate(round, minMs, most);
  const times = [ms / replays];
  while (times.length < rounds && performance.now() - begin < maxMs) {
    times.push((await round(replays)) / replays);
  }
  return { ms: median(times), rounds: times, clock };
}

/** Runs plans so often in one submit; returns how long the device took, in ms. */
type Round = (replays: number) => Promise<number>;

/** Finds how many replays last long enough; the last measurement is a round already. */
async function calibrate(
  round: Round,
  minMs: number,
  most: number,
): Promise<{ replays: number; ms: number }> {
  let replays = 1;
  for (;;) {
    const ms = await round(replays);
    if (ms >= minMs || replays >= most) return { replays, ms };
    const wanted = Math.ceil((1.2 * replays * minMs) / Math.max(ms, 1e-6));
    replays = Math.min(most, MOST_GROWTH * replays, Math.max(replays + 1, wanted));
  }
}

async function roundOf(gpu: Gpu, plans: readonly Plan[], clock: Clock): Promise<Round> {
  const encode = (pass: GPUComputePassEncoder, replays: number) => {
    for (let replay = 0; replay < replays; replay++) {
      for (const plan of plans) plan.encode(pass);
    }
  };
  if (clock === "timestamps") {
    return async (replays) => {
      const [time] = await timePasses(gpu, [(pass) => encode(pass, replays)]);
      return Math.max(0, time!.endMs - time!.beginMs);
    };
  }
  const empty = await emptySubmitMs(gpu);
  return async (replays) =>
    Math.max(0, (await wallMs(gpu, (pass) => encode(pass, replays))) - empty);
}

/** What the host waits for a submit that does nothing, in ms. */
export async function emptySubmitMs(gpu: Gpu): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < EMPTY_SUBMITS; i++) times.push(await wallMs(gpu, () => {}));
  return median(times);
}

/** Runs one pass in a submit of its own; ms from the submit until the device is done. */
export async function wallMs(
  gpu: Gpu,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<number> {
  const { queue } = gpu.device;
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  const commands = encoder.finish();
  await queue.onSubmittedWorkDone();
  gpu.check();
  const begin = performance.now();
  queue.submit([commands]);
  await queue.onSubmittedWorkDone();
  const ms = performance.now() - begin;
  gpu.check();
  return ms;
}
