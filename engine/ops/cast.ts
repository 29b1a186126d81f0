import { castKernel } from "../../shaders/cast.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { alignmentOf, RUN } from "../../shaders/packed.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import { type Range, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { bytesOf, sizeOf, type Tensor } from "../tensor.ts";
import { weightStorageOf } from "./packed_matmul.ts";

/**
 * Records a copy of a weight as halves, for the products that follow; not differentiable by itself,
 * since gradients reach the weight past its copies.
 *
 *     y = f16(weight)
 *
 * Rounds to nearest; what f16 cannot hold becomes infinite. The copy is an activation: its memory
 * is free again after its last use, so copy once for each use that lies far from another.
 *
 * @param tape Where to record.
 * @param weight Of any storage and shape; blocks are unpacked.
 * @returns Shaped as `weight`; `weight` itself if it is stored so.
 * @throws {TypeError} If the elements are u32.
 */
export function cast(tape: Tape, weight: Tensor): Tensor {
  if (weight.dtype === "f16") return weight;
  const y = tape.activation(weight.shape, { label: `f16(${weight.label})`, dtype: "f16" });
  castInto(tape, weight, { y, accumulate: false });
  return y;
}

/**
 * As {@linkcode cast}, into halves that exist.
 *
 * @param tape Where to record.
 * @param x Of any storage.
 * @param into `y`, as many f16 as `x` has; and whether to add to them.
 * @throws {TypeError} If the elements are u32.
 */
export function castInto(
  tape: Tape,
  x: Tensor,
  { y, accumulate }: { readonly y: Tensor; readonly accumulate: boolean },
): void {
  const weight = weightStorageOf(x);
  const width = x.shape.at(-1) ?? 1;
  const numRows = sizeOf(x.shape) / width;
  const lanes = runLanes(tape);
  tape.dispatch(castKernel, {
    constants: { weight, alignment: alignmentOf(weight, width), accumulate, ...lanes },
    params: { numRows, width },
    buffers: { weight: x, y },
    workgroups: laneWorkgroups(lanes, numRows * Math.ceil(width / RUN)),
  });
}

/**
 * Ranges of a weight's rows that can be bound, as they are and as copies of halves.
 *
 * @param weight `[numRows, …]`, of any storage.
 * @param maxBytes Most bytes of a range or its copy.
 * @throws {RangeError} If so few rows fit that the second range could not be bound.
 */
export function castChunks(weight: Tensor, maxBytes: number): readonly Range[] {
  return rowChunks(weight, maxBytes / growth(weight, "f16"));
}

/** How many times as many bytes a tensor has in another storage, 1 at least. */
export function growth(tensor: Tensor, dtype: "f32" | "f16"): number {
  return Math.max(1, bytesOf({ shape: tensor.shape, dtype }) / bytesOf(tensor));
}

/** Lanes as of other kernels, but in runs of eight elements. */
function runLanes({ variant }: Tape): ReturnType<typeof lanesOf> {
  const { workgroupSize, elementsPerLane } = lanesOf(variant);
  return { workgroupSize, elementsPerLane: Math.max(1, elementsPerLane / RUN) };
}
