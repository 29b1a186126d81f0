import type { Gpu } from "../gpu.ts";
import { type Plan, submit } from "../plan.ts";
import { bytesOf, rootOf } from "../tensor.ts";
import { type CostOptions, costOf } from "./costs.ts";
import { limitMs, type Roofline } from "./limit.ts";
import {
  describeDispatch,
  type DispatchProfile,
  type HostProfile,
  liveBytesOf,
  type Profile,
} from "./profile.ts";
import { SavedState } from "./saved_state.ts";
import { type Clock, emptySubmitMs, median, wallMs } from "./time_plan.ts";
import { hasTimestamps, type PassWork, resolutionMs, timePasses } from "./timestamps.ts";

/** Plans of a step in the order in which they run, by name; that of `update` is the update. */
export type StepPlans = Readonly<Record<string, Plan>>;

/** Options of {@linkcode profilePlan}. */
export interface ProfileOptions extends CostOptions {
  /** Times that each dispatch is measured, for the median. @default {5} */
  readonly runs?: number;
  /** The adapter's ceilings, to give each dispatch its limit. */
  readonly roofline?: Roofline;
  /** What the caller measured before the first step. */
  readonly prepared?: Pick<HostProfile, "recordMs" | "planMs" | "compileMs">;
  /**
   * Keeps what the plans write: weights, gradients and caches are copied on the device, and given
   * back before each run and in the end. Without it a profile trains.
   *
   * @default {true}
   */
  readonly restore?: boolean;
}

/** Steps of the clock that a measurement should last; a shorter dispatch is repeated in its pass. */
const LEAST_STEPS = 16;

/** As above where the host's clock tells, in ms. */
const LEAST_WALL_MS = 1;

/** Times that a dispatch is repeated at most. */
const MOST_REPEATS = 1024;

/** Measurements to find out how often, and by how much each may raise the number. */
const TRIALS = 3;
const MOST_GROWTH = 64;

/**
 * Measures every dispatch of a step, each in a compute pass of its own between two timestamps, and
 * the step as a whole in one pass, as it runs otherwise.
 *
 * A dispatch that is shorter than the clock can tell is repeated within its pass, so its inputs may
 * be in caches. Without timestamp queries the host's clock tells, dispatch by dispatch.
 *
 * What the plans write is given back, bit for bit, unless `restore` is off; activations are left as
 * the last run made them.
 *
 * @param gpu The plans' device.
 * @param plans Compiled, their inputs written.
 * @param options How often, and against which limits.
 * @throws {RangeError} If `runs` is not positive, or the device has no memory for the copies.
 */
export async function profilePlan(
  gpu: Gpu,
  plans: StepPlans,
  options: ProfileOptions = {},
): Promise<Profile> {
  const { runs = 5, restore = true, roofline, prepared = {} } = options;
  if (!(runs >= 1)) {
    throw new RangeError(`Cannot profile a plan: runs must be positive, got ${runs}`);
  }
  const all = Object.values(plans);
  const state = restore ? await SavedState.of(gpu, all) : undefined;
  try {
    const resolution = await resolutionMs(gpu);
    const clock: Clock = hasTimestamps(gpu) && Number.isFinite(resolution) ? "timestamps" : "wall";
    const begin = () => state?.restore();
    submit(gpu, all); // drivers finish compiling at the first run
    const host = await measureHost(gpu, all, { runs, begin });
    const replayMs = await measureReplay(gpu, all, { runs, begin, clock });
    const times = await measureDispatches(gpu, all, { runs, begin, clock, resolution });
    return {
      adapter: gpu.info.description || gpu.info.device || gpu.info.vendor,
      clock,
      resolutionMs: resolution,
      dispatches: dispatchesOf(plans, times, options),
      replayMs,
      host: { ...prepared, ...host },
      memory: memoryOf(gpu, all, state?.bytes ?? 0),
      ...(roofline !== undefined && { roofline }),
    };
  } finally {
    state?.restore();
    state?.destroy();
    await gpu.finish([]);
  }
}

/** How a measurement is taken: `begin` makes each run begin alike. */
interface Measurement {
  readonly runs: number;
  readonly begin: () => void;
}

/** Encodes all plans into one pass. */
function encodeAll(plans: readonly Plan[]): PassWork {
  return (pass) => {
    for (const plan of plans) plan.encode(pass);
  };
}

/** What the host does for a step, the median of each part. */
async function measureHost(
  gpu: Gpu,
  plans: readonly Plan[],
  { runs, begin }: Measurement,
): Promise<Pick<HostProfile, "encodeMs" | "submitMs" | "waitMs" | "submits">> {
  const { queue } = gpu.device;
  const times: [encode: number, submit: number, wait: number][] = [];
  for (let run = 0; run < runs; run++) {
    begin();
    await queue.onSubmittedWorkDone();
    const marks = [performance.now()];
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encodeAll(plans)(pass);
    pass.end();
    const commands = encoder.finish();
    marks.push(performance.now());
    queue.submit([commands]);
    marks.push(performance.now());
    await queue.onSubmittedWorkDone();
    marks.push(performance.now());
    gpu.check();
    times.push([marks[1]! - marks[0]!, marks[2]! - marks[1]!, marks[3]! - marks[2]!]);
  }
  return {
    encodeMs: median(times.map(([encode]) => encode)),
    submitMs: median(times.map(([, submitted]) => submitted)),
    waitMs: median(times.map(([, , wait]) => wait)),
    submits: 1,
  };
}

/** Median time of all plans in one pass. */
async function measureReplay(
  gpu: Gpu,
  plans: readonly Plan[],
  { runs, begin, clock }: Measurement & { readonly clock: Clock },
): Promise<number> {
  const empty = clock === "wall" ? await emptySubmitMs(gpu) : 0;
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    begin();
    times.push(await timeWork(gpu, encodeAll(plans), { clock, empty }));
  }
  return median(times);
}

/** Time of one pass, in ms. */
async function timeWork(
  gpu: Gpu,
  work: PassWork,
  { clock, empty }: { readonly clock: Clock; readonly empty: number },
): Promise<number> {
  if (clock === "wall") return Math.max(0, (await wallMs(gpu, work)) - empty);
  const [time] = await timePasses(gpu, [work]);
  return Math.max(0, time!.endMs - time!.beginMs);
}

/** Median time of every dispatch, in ms. */
async function measureDispatches(
  gpu: Gpu,
  plans: readonly Plan[],
  {
    runs,
    begin,
    clock,
    resolution,
  }: Measurement & { readonly clock: Clock; readonly resolution: number },
): Promise<number[]> {
  const works = plans.flatMap((plan) =>
    plan.dispatches.map((_, index) => (pass: GPUComputePassEncoder, repeats: number) => {
      for (let repeat = 0; repeat < repeats; repeat++) plan.encode(pass, index, index + 1);
    }),
  );
  const empty = clock === "wall" ? await emptySubmitMs(gpu) : 0;
  const measure = async (repeats: readonly number[]): Promise<number[]> => {
    begin();
    const passes = works.map<PassWork>((work, index) => (pass) => work(pass, repeats[index]!));
    if (clock === "timestamps") {
      const times = await timePasses(gpu, passes);
      return times.map(({ beginMs, endMs }, i) => Math.max(0, endMs - beginMs) / repeats[i]!);
    }
    const times: number[] = [];
    for (const [index, pass] of passes.entries()) {
      times.push((await timeWork(gpu, pass, { clock, empty })) / repeats[index]!);
    }
    return times;
  };
  const least = clock === "wall" ? LEAST_WALL_MS : LEAST_STEPS * resolution;
  let repeats = works.map(() => 1);
  for (let trial = 0; trial < TRIALS; trial++) {
    const before = repeats;
    repeats = (await measure(before)).map((ms, i) => repeatsFor(ms, before[i]!, least));
    if (repeats.every((count, i) => count <= 2 * before[i]!)) break;
  }
  const times: number[][] = [];
  for (let run = 0; run < runs; run++) times.push(await measure(repeats));
  return works.map((_, index) => median(times.map((one) => one[index]!)));
}

/**
 * How often a dispatch is to be repeated, to take at least so long.
 *
 * @param ms What a repeat took, when it was repeated `repeats` times; 0 if the clock stood still.
 */
export function repeatsFor(ms: number, repeats: number, least: number): number {
  const smallest = least / (MOST_GROWTH * repeats); // a short measurement says little
  const wanted = Math.ceil(least / Math.max(ms, smallest));
  return Math.min(MOST_REPEATS, Math.max(1, wanted));
}

function dispatchesOf(
  plans: StepPlans,
  times: readonly number[],
  { roofline, ...options }: ProfileOptions,
): DispatchProfile[] {
  const profiles: DispatchProfile[] = [];
  for (const [name, { dispatches, memory }] of Object.entries(plans)) {
    const live = liveBytesOf(dispatches.length, memory.lifetimes, bytesOf);
    dispatches.forEach((dispatch, place) => {
      const cost = costOf(dispatch, options);
      const index = profiles.length;
      profiles.push({
        index,
        ...describeDispatch(dispatch, name),
        ms: times[index]!,
        ...cost,
        limitMs: roofline === undefined ? NaN : limitMs(roofline, cost),
        liveBytes: live[place]!,
      });
    });
  }
  return profiles;
}

/** Bytes of the tensors that plans touch, by purpose; of the activations' buffers; of all buffers. */
function memoryOf(gpu: Gpu, plans: readonly Plan[], copies: number): Record<string, number> {
  const bound = plans.flatMap(({ dispatches }) =>
    dispatches.flatMap(({ buffers }) => Object.values(buffers)),
  );
  const memory: Record<string, number> = {};
  for (const tensor of new Set(bound.map(rootOf))) {
    memory[tensor.purpose] = (memory[tensor.purpose] ?? 0) + bytesOf(tensor);
  }
  const shared = plans.map((plan) => plan.describe().sharedActivationBytes);
  memory["sharedActivations"] = shared.reduce((sum, bytes) => sum + bytes, 0);
  return { ...memory, allocated: gpu.allocatedBytes - copies };
}
