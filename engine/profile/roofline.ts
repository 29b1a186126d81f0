import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import {
  FMA_UNROLL,
  type FmaConstants,
  rooflineCopy,
  rooflineFma,
  rooflineMatrix,
} from "../../shaders/roofline.wgsl.ts";
import type { Gpu } from "../gpu.ts";
import { Plan } from "../plan.ts";
import { Tape } from "../tape.ts";
import { bytesOf, type Tensor } from "../tensor.ts";
import type { MatrixTraits } from "../tuning/traits.ts";
import type { Roofline } from "./limit.ts";
import { type Clock, timePlan } from "./time_plan.ts";

export { limitMs, type Roofline } from "./limit.ts";

/** What a launch measures: memory, or one kind of arithmetic. */
export type RooflineKind = "copy" | "f32" | "f16" | "matrix";

/** One launch shape and what it reached. */
export interface RooflineRun {
  readonly kind: RooflineKind;
  /** Such as `workgroups of 256, 8 chains of vec4`. */
  readonly shape: string;
  /** Bytes or operations a second. */
  readonly perSecond: number;
  readonly clock: Clock;
}

/** Ceilings, and the launches that they are the best of. */
export interface MeasuredRoofline extends Roofline {
  readonly runs: readonly RooflineRun[];
}

/** Options of {@linkcode measureRoofline}. */
export interface RooflineOptions {
  /** What to measure; what the device does not have is left out. @default {everything} */
  readonly kinds?: readonly RooflineKind[];
  /** Bytes of the buffers to copy, beyond what caches hold. @default {128, 256, 512 MiB, as far as they can be bound} */
  readonly copyBytes?: readonly number[];
  /** Operations of a launch, as a share of the default. @default {1} */
  readonly scale?: number;
  /** Time of a round in ms, and rounds to take the median of; see `timePlan()`. @default {10 and 3} */
  readonly minMs?: number;
  readonly rounds?: number;
  /** Told of each launch. */
  readonly onRun?: (run: RooflineRun) => void;
}

/** A launch to be timed. */
interface Launch {
  readonly kind: RooflineKind;
  readonly shape: string;
  /** Bytes that it moves, or operations that it does. */
  readonly work: number;
  /** Records it, on tensors that it makes; these are freed afterwards. */
  readonly record: (tape: Tape, make: (tensor: SmallTensor) => Tensor) => void;
}

/** A tensor of a launch. */
interface SmallTensor {
  readonly shape: readonly number[];
  readonly label: string;
  readonly dtype?: "f32" | "f16";
}

const MIB = 2 ** 20;

/**
 * Measures an adapter's ceilings with our own kernels: bandwidth of a copy (bytes read and written),
 * f32 and f16 multiply-adds in registers, and subgroup matrices where they are native. Each is the
 * best of several launch shapes; what the hardware's makers promise may be higher.
 *
 * @param gpu Device; nothing else should run on it meanwhile.
 * @param options What, and how thoroughly.
 * @throws {RangeError} If the device has no memory for the smallest copy.
 */
export async function measureRoofline(
  gpu: Gpu,
  options: RooflineOptions = {},
): Promise<MeasuredRoofline> {
  const { kinds = ["copy", "f32", "f16", "matrix"], onRun } = options;
  const runs: RooflineRun[] = [];
  for (const launch of launchesOf(gpu, options)) {
    if (!kinds.includes(launch.kind)) continue;
    const run = await measure(gpu, launch, options);
    runs.push(run);
    onRun?.(run);
  }
  const best = (kind: RooflineKind) =>
    Math.max(...runs.filter((run) => run.kind === kind).map(({ perSecond }) => perSecond));
  const has = (kind: RooflineKind) => runs.some((run) => run.kind === kind);
  return {
    bytesPerSecond: has("copy") ? best("copy") : NaN,
    flopsPerSecond: has("f32") ? best("f32") : NaN,
    ...(has("f16") && { halfFlopsPerSecond: best("f16") }),
    ...(has("matrix") && { matrixFlopsPerSecond: best("matrix") }),
    runs,
  };
}

/** All launches that a device can do. */
function launchesOf(gpu: Gpu, { copyBytes, scale = 1 }: RooflineOptions): Launch[] {
  const { hasFloat16, matrix } = gpu.traits;
  const fits = (bytes: number) => bytes <= gpu.maxBindingBytes;
  const sizes = copyBytes ?? [128 * MIB, 256 * MIB, 512 * MIB].filter(fits);
  return [
    ...(sizes.length > 0 ? sizes : [gpu.maxBindingBytes]).flatMap((bytes) => copies(gpu, bytes)),
    ...multiplyAdds(gpu, "f32", scale),
    ...(hasFloat16 ? multiplyAdds(gpu, "f16", scale) : []),
    ...(matrix !== undefined && !matrix.emulated ? matrixProducts(gpu, matrix, scale) : []),
  ];
}

/** Times one launch and frees its memory. */
async function measure(gpu: Gpu, launch: Launch, options: RooflineOptions): Promise<RooflineRun> {
  const { minMs = 10, rounds = 3 } = options;
  const made: Tensor[] = [];
  const tape = new Tape(gpu);
  let plan: Plan | undefined;
  try {
    launch.record(tape, ({ shape, ...tensor }) => {
      gpu.checkFits(bytesOf({ shape, dtype: tensor.dtype ?? "f32" }), tensor.label);
      made.push(gpu.tensor(shape, tensor));
      return made.at(-1)!;
    });
    await gpu.checkMemory(made.flatMap(({ buffer }) => buffer ?? [])); // or nothing would run, fast
    plan = await new Plan(gpu, tape).compile();
    const { ms, clock } = await timePlan(gpu, plan, { minMs, rounds });
    const { kind, shape, work } = launch;
    return { kind, shape, perSecond: (1000 * work) / ms, clock };
  } finally {
    plan?.destroy();
    for (const { buffer } of made) buffer?.destroy();
  }
}

function copies(gpu: Gpu, bytes: number): Launch[] {
  const length = Math.floor(bytes / 16);
  const sizes = gpu.variant === "flat" ? [gpu.subgroupSize || 8, 64] : [64, 256];
  return sizes.flatMap((workgroupSize) =>
    (gpu.variant === "flat" ? [64] : [1, 4, 16]).map((elementsPerLane) => ({
      kind: "copy",
      shape: `${(bytes / MIB).toPrecision(3)} MiB, workgroups of ${workgroupSize}, ${elementsPerLane} vectors a lane`,
      work: 32 * length,
      record: (tape, make) => {
        const constants = { workgroupSize, elementsPerLane };
        tape.dispatch(rooflineCopy, {
          constants,
          params: { length },
          buffers: {
            x: make({ shape: [length, 4], label: "x" }),
            y: make({ shape: [length, 4], label: "y" }),
          },
          workgroups: laneWorkgroups(constants, length),
        });
      },
    })),
  );
}

/** Lanes and iterations of a launch: enough to fill a large GPU, or the cores of a CPU. */
function fillOf({ variant }: Gpu, scale: number): { lanes: number; iterations: number } {
  const [lanes, iterations] = variant === "flat" ? [2 ** 13, 32] : [2 ** 20, 64];
  return { lanes, iterations: Math.max(1, Math.round(iterations * scale)) };
}

function multiplyAdds(gpu: Gpu, storage: "f32" | "f16", scale: number): Launch[] {
  const { lanes, iterations } = fillOf(gpu, scale);
  const isFlat = gpu.variant === "flat";
  const shapes: Omit<FmaConstants, "storage">[] = (
    isFlat ? [gpu.subgroupSize || 8] : [64, 128, 256]
  ).flatMap((workgroupSize) => [
    { workgroupSize, chains: 2, width: 4 } as const,
    { workgroupSize, chains: 3, width: 4 } as const,
    { workgroupSize, chains: 4, width: 4 } as const,
    { workgroupSize, chains: 8, width: storage === "f16" ? 2 : 1 } as const,
  ]);
  return shapes.map((constants) => {
    const { workgroupSize, chains, width } = constants;
    const type = width === 1 ? storage : `vec${width}<${storage}>`;
    return {
      kind: storage,
      shape: `workgroups of ${workgroupSize}, ${chains} chains of ${type}`,
      work: 2 * lanes * iterations * FMA_UNROLL * chains * width,
      record: (tape, make) => {
        tape.dispatch(rooflineFma, {
          constants: { storage, ...constants },
          params: { iterations, factor: 0.5, term: 0.25 },
          buffers: { y: make({ shape: [lanes], label: "y" }) },
          workgroups: lanes / workgroupSize,
        });
      },
    };
  });
}

/** Results of all subgroups take so many bytes at most. */
const MOST_RESULT_BYTES = 32 * MIB;

function matrixProducts(gpu: Gpu, matrix: MatrixTraits, scale: number): Launch[] {
  const { m, n, k, subgroupSize } = matrix;
  const iterations = Math.max(1, Math.round(2048 * scale));
  const most = Math.floor(gpu.traits.maxWorkgroupLanes / subgroupSize);
  return [2, 4, 8, 16].flatMap((chains) =>
    [1, 4, 8]
      .filter((numSubgroups) => numSubgroups <= most)
      .map((numSubgroups) => {
        const room = Math.floor(MOST_RESULT_BYTES / (4 * chains * m * n));
        const workgroups = Math.max(1, Math.floor(Math.min(8192, room) / numSubgroups));
        const subgroups = workgroups * numSubgroups;
        return {
          kind: "matrix",
          shape: `${numSubgroups} subgroups of ${subgroupSize} a workgroup, ${chains} chains of ${m} × ${n} × ${k}`,
          work: 2 * m * n * k * chains * iterations * subgroups,
          record: (tape, make) => {
            tape.dispatch(rooflineMatrix, {
              constants: { shape: matrix, chains, numSubgroups },
              params: { iterations },
              buffers: {
                operands: make({
                  shape: [chains * m * k + k * n],
                  label: "operands",
                  dtype: "f16",
                }),
                sums: make({ shape: [subgroups, chains, m, n], label: "sums" }),
              },
              workgroups,
            });
          },
        } as const;
      }),
  );
}
