import { type DispatchProfile, type Profile, ratesOf } from "./profile.ts";

/** An event of the Trace Event Format; times are in µs. */
export interface TraceEvent {
  readonly name: string;
  /** Phase: a complete slice, a counter, or the name of a track. */
  readonly ph: "X" | "C" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args?: Readonly<Record<string, string | number>>;
}

/** A file that Perfetto and chrome://tracing open. */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly TraceEvent[];
  readonly otherData: Readonly<Record<string, string | number>>;
}

/** Where tracks are: processes and their threads. */
const HOST = { pid: 1, tid: 1 } as const;
const DISPATCHES = { pid: 2, tid: 1 } as const;
const REPLAY = { pid: 2, tid: 2 } as const;
const MEMORY = { pid: 3, tid: 1 } as const;

/**
 * A profile as slices on a timeline: what the host does; on the device a slice for every dispatch,
 * and the step as one pass; and counters of memory.
 *
 * Dispatches were measured apart, so their slices are laid end to end, each as long as its median:
 * the order and the lengths are measured, the places are not.
 *
 * @see {@link https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU | Trace Event Format}
 */
export function chromeTrace(profile: Profile): ChromeTrace {
  const { adapter, clock, resolutionMs, replayMs } = profile;
  const host = hostSlices(profile);
  // The device begins once the commands are there.
  const begin = host.find(({ name }) => name === "wait")?.ts ?? 0;
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      ...trackNames(),
      ...host,
      ...deviceEvents(profile.dispatches, begin),
      {
        name: "replay in one pass",
        cat: "replay",
        ph: "X",
        ...REPLAY,
        ts: begin,
        dur: micros(replayMs),
      },
      ...memoryCounters(profile, begin),
    ],
    otherData: {
      adapter,
      clock,
      ...(Number.isFinite(resolutionMs) && { resolutionMs }),
      replayMs,
    },
  };
}

/** To whole nanoseconds, so that ends and beginnings meet. */
function micros(ms: number): number {
  return Math.round(ms * 1e6) / 1000;
}

function trackNames(): TraceEvent[] {
  const name = (kind: string, track: { pid: number; tid: number }, text: string): TraceEvent => ({
    name: kind,
    ph: "M",
    ...track,
    args: { name: text },
  });
  return [
    name("process_name", HOST, "Host"),
    name("thread_name", HOST, "record, plan, replay"),
    name("process_name", DISPATCHES, "GPU"),
    name("thread_name", DISPATCHES, "dispatches, each in a pass of its own"),
    name("thread_name", REPLAY, "the step in one pass"),
    name("process_name", MEMORY, "Memory"),
  ];
}

/** What the host does, one after another. */
function hostSlices({ host, dispatches }: Profile): TraceEvent[] {
  const { recordMs, planMs, compileMs, encodeMs, submitMs, waitMs, submits } = host;
  const slices: [name: string, ms: number | undefined, args?: Record<string, number>][] = [
    ["record", recordMs],
    ["plan", planMs],
    ["compile", compileMs],
    ["encode", encodeMs, { dispatches: dispatches.length }],
    ["submit", submitMs, { submits }],
    ["wait", waitMs],
  ];
  let ts = 0;
  return slices.flatMap(([name, ms, args]) => {
    if (ms === undefined) return [];
    const slice: TraceEvent = {
      name,
      cat: "host",
      ph: "X",
      ...HOST,
      ts,
      dur: micros(ms),
      ...(args !== undefined && { args }),
    };
    ts = Math.round(1000 * (ts + micros(ms))) / 1000;
    return [slice];
  });
}

/** A slice for every dispatch and, where it begins, the bytes of the activations that are alive. */
function deviceEvents(dispatches: readonly DispatchProfile[], begin: number): TraceEvent[] {
  let nanoseconds = Math.round(1000 * begin);
  return dispatches.flatMap((dispatch) => {
    const ts = nanoseconds / 1000;
    const length = Math.round(dispatch.ms * 1e6);
    nanoseconds += length;
    return [
      {
        name: dispatch.kernel,
        cat: dispatch.phase,
        ph: "X",
        ...DISPATCHES,
        ts,
        dur: length / 1000,
        args: argsOf(dispatch),
      },
      { name: "live activations", ph: "C", ...MEMORY, ts, args: { bytes: dispatch.liveBytes } },
    ] as const;
  });
}

function argsOf(dispatch: DispatchProfile): Record<string, string | number> {
  const { index, label, plan, phase, constants, params, flops, bytes } = dispatch;
  const { gflopsPerSecond, gbPerSecond, shareOfLimit } = ratesOf(dispatch);
  const rates = {
    "GFLOP/s": gflopsPerSecond,
    "GB/s": gbPerSecond,
    "% of limit": 100 * shareOfLimit,
  };
  const finite = Object.entries(rates).filter(([, rate]) => Number.isFinite(rate));
  return {
    index,
    writes: label,
    plan,
    phase,
    constants,
    params,
    flops,
    bytes,
    ...Object.fromEntries(finite.map(([name, rate]) => [name, Number(rate.toPrecision(4))])),
  };
}

/** Bytes that do not change during a step. */
function memoryCounters({ memory }: Profile, ts: number): TraceEvent[] {
  return Object.entries(memory).map(([name, bytes]) => ({
    name: `memory: ${name}`,
    ph: "C",
    ...MEMORY,
    ts,
    args: { bytes },
  }));
}
