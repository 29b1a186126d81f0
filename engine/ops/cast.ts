import { castKernel } from "../../shaders/cast.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { alignmentOf, RUN } from "../../shaders/packed.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import { type Range, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { bytesOf, sizeOf, type Tensor } from "../tensor.ts";
import { weightStorageOf } from "./packed_matmul.ts";

/**
 * Records a copy of a weight in another storage, for the products that follow; not differentiable
 * by itself, since gradients reach the weight past its copies.
 *
 *     y = dtype(weight)
 *
 * Rounds to nearest; what f16 cannot hold becomes infinite. The copy is an activation: its memory
 * is free again after its last use, so copy once for each use that lies far from another.
 *
 * @param tape Where to record.
 * @param weight Of any storage and shape; blocks are unpacked.
 * @param dtype What to store as.
 * @returns Shaped as `weight`; `weight` itself if it is stored so.
 * @throws {TypeError} If the elements are u32.
 */
export function cast(tape: Tape, weight: Tensor, dtype: "f32" | "f16"): Tensor {
  if (weight.dtype === dtype) return weight;
  const storage = weightStorageOf(weight);
  const width = weight.shape.at(-1) ?? 1;
  const numRows = sizeOf(weight.shape) / width;
  const y = tape.activation(weight.shape, { label: `${dtype}(${weight.label})`, dtype });
  const lanes = runLanes(tape);
  tape.dispatch(castKernel, {
    constants: {
      weight: storage,
      alignment: alignmentOf(storage, width),
      storage: dtype,
      ...lanes,
    },
    params: { numRows, width },
    buffers: { weight, y },
    workgroups: laneWorkgroups(lanes, numRows * Math.ceil(width / RUN)),
  });
  return y;
}

/**
 * Ranges of a weight's rows that can be bound, as they are and as copies of another storage.
 *
 * @param weight `[numRows, …]`, of any storage.
 * @param dtype What copies are stored as.
 * @param maxBytes Most bytes of a range or its copy.
 * @throws {RangeError} If so few rows fit that the second range could not be bound.
 */
export function castChunks(
  weight: Tensor,
  dtype: "f32" | "f16",
  maxBytes: number,
): readonly Range[] {
  return rowChunks(weight, maxBytes / growth(weight, dtype));
}

/** How many times as many bytes a copy has, 1 at least. */
export function growth(weight: Tensor, dtype: "f32" | "f16"): number {
  return Math.max(1, bytesOf({ shape: weight.shape, dtype }) / bytesOf(weight));
}

/** Lanes as of other kernels, but in runs of eight elements. */
function runLanes({ variant }: Tape): ReturnType<typeof lanesOf> {
  const { workgroupSize, elementsPerLane } = lanesOf(variant);
  return { workgroupSize, elementsPerLane: Math.max(1, elementsPerLane / RUN) };
}
