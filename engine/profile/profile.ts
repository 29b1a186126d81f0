import type { RecordedDispatch } from "../tape.ts";
import { rootOf, type Tensor } from "../tensor.ts";
import type { Cost } from "./cost_rules.ts";
import type { Roofline } from "./limit.ts";
import type { Clock } from "./time_plan.ts";

/** Which part of a step a dispatch belongs to. */
export type Phase = "forward" | "backward" | "update";

/** One dispatch of a step. */
export interface DispatchProfile extends Cost {
  /** Its place in the step, counted from 0. */
  readonly index: number;
  /** Name of its plan. */
  readonly plan: string;
  readonly phase: Phase;
  readonly kernel: string;
  /** Constants that it was compiled for, as short text. */
  readonly constants: string;
  /** Params, as short text. */
  readonly params: string;
  /** What it writes, such as `linear(model.layers.0.mlp.up_proj.weight)`. */
  readonly label: string;
  /** {@linkcode label} for all blocks alike: `linear(model.layers.*.mlp.up_proj.weight)`. */
  readonly op: string;
  /** Time on the device: the median of all runs. */
  readonly ms: number;
  /** Time that the adapter would need at least; NaN without a roofline. */
  readonly limitMs: number;
  /** Bytes of the activations that are alive while it runs. */
  readonly liveBytes: number;
}

/** What the host does for a step, in ms. */
export interface HostProfile {
  /** Before the first step, as far as the caller measured it. */
  readonly recordMs?: number;
  readonly planMs?: number;
  readonly compileMs?: number;
  /** Each step: encoding the dispatches, submitting them, waiting for the device. */
  readonly encodeMs: number;
  readonly submitMs: number;
  readonly waitMs: number;
  /** Submits of a step. */
  readonly submits: number;
}

/** Where the time of a step goes. */
export interface Profile {
  readonly adapter: string;
  readonly clock: Clock;
  /** Smallest step of the device's clock in ms; Infinity where there is none. */
  readonly resolutionMs: number;
  /** Every dispatch of a step, in order, each in a pass of its own. */
  readonly dispatches: readonly DispatchProfile[];
  /** The step as it runs otherwise, in one pass: its median. */
  readonly replayMs: number;
  readonly host: HostProfile;
  /** Bytes of device memory by what they are for, activations before sharing, and of all buffers. */
  readonly memory: Readonly<Record<string, number>>;
  readonly roofline?: Roofline;
}

/** Dispatches that have something in common. */
export interface ProfileGroup extends Cost {
  readonly name: string;
  readonly count: number;
  readonly ms: number;
  readonly limitMs: number;
}

/** Adds up dispatches by kernel, by op or by phase; the slowest group comes first. */
export function groupDispatches(
  dispatches: readonly DispatchProfile[],
  by: "kernel" | "op" | "phase",
): ProfileGroup[] {
  const groups = new Map<string, DispatchProfile[]>();
  for (const dispatch of dispatches) {
    const group = groups.get(dispatch[by]) ?? [];
    groups.set(dispatch[by], group);
    group.push(dispatch);
  }
  return Array.from(groups, ([name, members]) => ({ name, ...sumOf(members) })).toSorted(
    (one, other) => other.ms - one.ms,
  );
}

/** Sums over dispatches. */
export function sumOf(dispatches: readonly DispatchProfile[]): Omit<ProfileGroup, "name"> {
  const sum = (value: (dispatch: DispatchProfile) => number) =>
    dispatches.reduce((total, dispatch) => total + value(dispatch), 0);
  return {
    count: dispatches.length,
    ms: sum(({ ms }) => ms),
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    limitMs: sum((dispatch) => dispatch.limitMs),
  };
}

/** Rates of work that took some time: GFLOP/s, GB/s, and its limit as a share of the time. */
export function ratesOf({
  ms,
  flops,
  bytes,
  limitMs: limit,
}: Pick<ProfileGroup, "ms" | "flops" | "bytes" | "limitMs">): {
  readonly gflopsPerSecond: number;
  readonly gbPerSecond: number;
  /** 1 where nothing on this adapter could be faster; NaN without a roofline. */
  readonly shareOfLimit: number;
} {
  return {
    gflopsPerSecond: flops / ms / 1e6,
    gbPerSecond: bytes / ms / 1e6,
    shareOfLimit: limit / ms,
  };
}

/** What a dispatch says of itself, without times. */
export function describeDispatch(
  { kernel, constants, params, buffers, isBackward }: RecordedDispatch,
  plan: string,
): Pick<DispatchProfile, "plan" | "phase" | "kernel" | "constants" | "params" | "label" | "op"> {
  const written = Object.keys(kernel.buffers)
    .filter((name) => kernel.buffers[name] === "read_write")
    .map((name) => buffers[name]!);
  // A step of the optimizer also clears the gradient, and backward also keeps statistics.
  const { label = "" } =
    written.find(({ purpose }) => purpose === "weights") ??
    written.find((tensor) => isBackward && tensor.label.startsWith("d(")) ??
    written[0] ??
    {};
  const phase = isBackward ? "backward" : plan === "update" ? "update" : "forward";
  return {
    plan,
    phase,
    kernel: kernel.name,
    constants: shortText(constants),
    params: shortText(params),
    label,
    op: label.replaceAll(/(\.|block )\d+/g, "$1*").replaceAll(/\[\d+:\d+\]/g, "[…]"),
  };
}

/** Constants or params on one line: what is false or 0 is left out. */
function shortText(values: unknown): string {
  if (typeof values !== "object" || values === null) return "";
  return Object.entries(values)
    .filter(([, value]) => value !== false && value !== 0)
    .map(([name, value]) => {
      if (value === true) return name;
      return `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`;
    })
    .join(", ");
}

/** Bytes of activations that are alive at each dispatch. */
export function liveBytesOf(
  numDispatches: number,
  lifetimes: ReadonlyMap<Tensor, { readonly first: number; readonly last: number }>,
  bytesOf: (tensor: Tensor) => number,
): number[] {
  const changes = Array.from({ length: numDispatches + 1 }, () => 0);
  for (const [tensor, { first, last }] of lifetimes) {
    const bytes = bytesOf(rootOf(tensor));
    changes[first]! += bytes;
    if (last + 1 < numDispatches) changes[last + 1]! -= bytes;
  }
  let live = 0;
  return changes.slice(0, numDispatches).map((change) => (live += change));
}
