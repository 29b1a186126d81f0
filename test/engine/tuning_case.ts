import { Gpu } from "../../engine/gpu.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { PlanTimer } from "../../engine/tuning/tune.ts";
import { type Choice, type Tunable, type TuningQuestion } from "../../engine/tuning/tunable.ts";
import { type Kernel, paramsBinding } from "../../shaders/kernel.ts";
import { openTestAdapter } from "../support.ts";

/** A problem of {@linkcode squares}. */
export interface SquaresProblem {
  readonly length: number;
}

interface SquaresConstants {
  readonly lanes: number;
  /** Added to the code, as a change of the kernel would be. */
  readonly comment: string;
  readonly fault: string;
}

const PARAMS = { length: "u32" } as const;
const BUFFERS = { x: "read", y: "read_write" } as const;

/** y = x², or something that is wrong with it. */
const squaresKernel: Kernel<SquaresConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "squares",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ lanes, comment, fault }) => `// ${comment}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(${lanes})
    fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x >= params.length) { return; }
      y[id.x] = x[id.x] * x[id.x]${fault === "wrong" ? " + 0.25" : ""}${fault === "broken" ? " +" : ""};
    }`,
};

/** What tests change about {@linkcode squares}. */
export interface SquaresChanges {
  readonly name?: string;
  /** Candidates by their lanes, the default first. @default {[8, 16, 32, 64]} */
  readonly lanes?: readonly number[];
  /** Lanes whose candidate has a fault. */
  readonly faults?: Readonly<Record<number, "wrong" | "broken" | "unbound" | "large">>;
  readonly comment?: string;
  readonly canHalve?: boolean;
}

/** Squares of numbers: a tunable whose candidates differ in lanes, and may have faults. */
export function squares({
  name = "squares",
  lanes = [8, 16, 32, 64],
  faults = {},
  comment = "",
  canHalve = false,
}: SquaresChanges = {}): Tunable<SquaresProblem> {
  const tunable: Tunable<SquaresProblem> = {
    name,
    bucket: ({ length }) => `n${2 ** Math.ceil(Math.log2(length))}`,
    candidates: () => lanes.map((each) => ({ lanes: each })),
    record: (tape, problem, make) => {
      const x = make([problem.length], { label: "x" });
      recordSquares(tape, { tunable, x, faults, comment });
    },
    flops: ({ length }) => length,
    ...(canHalve && {
      halve: ({ length }: SquaresProblem) =>
        length > 1 ? { length: Math.ceil(length / 2) } : undefined,
    }),
  };
  return tunable;
}

/** The op: asks how, and records it. */
export function recordSquares(
  tape: Tape,
  {
    tunable,
    x,
    faults = {},
    comment = "",
  }: Pick<SquaresChanges, "faults" | "comment"> & {
    readonly tunable: Tunable<SquaresProblem>;
    readonly x: Tensor;
  },
): Tensor {
  const [length = 0] = x.shape;
  const lanes = tape.choose(tunable, { length })["lanes"] as number;
  const fault = faults[lanes] ?? "";
  const y = tape.activation(x.shape, { label: "y", from: [x] });
  // A buffer of its own that no device has, or a binding that begins in its midst.
  const large = fault === "large" ? tape.activation([2 ** 40], { label: "large" }) : y;
  const view = { of: x, byteOffset: 4 };
  tape.dispatch(squaresKernel, {
    constants: { lanes, comment, fault },
    params: { length },
    buffers: { x: fault === "unbound" ? { ...x, shape: [length - 1], view } : x, y: large },
    workgroups: Math.ceil(length / lanes),
  });
  return y;
}

/** A question about squares. */
export function ask(tunable: Tunable<SquaresProblem>, length: number): TuningQuestion {
  return { tunable, problem: { length } };
}

/** Times by lanes, in ms, as a test wants them; `asked` notes who was measured. */
export function fakeTimer(
  times: Readonly<Record<number, number | readonly number[]>>,
  asked: number[] = [],
): PlanTimer {
  const counts = new Map<number, number>();
  return async (_gpu, plan) => {
    const { lanes } = plan.dispatches[0]!.constants as SquaresConstants;
    asked.push(lanes);
    const nth = counts.get(lanes) ?? 0;
    counts.set(lanes, nth + 1);
    const time = times[lanes] ?? 1;
    return { ms: typeof time === "number" ? time : time[nth % time.length]!, clock: "wall" };
  };
}

/** Lanes of a choice. */
export function lanesOf(choice: Choice | undefined): unknown {
  return choice?.["lanes"];
}

/** Opens a device of which so much memory may be used. */
export async function openGpuOf(maxMemoryBytes: number): Promise<Gpu> {
  return Gpu.open(await openTestAdapter(), { maxMemoryBytes });
}
