/**
 * How kernels of one element at a time share the elements among lanes: a workgroup takes
 * `workgroupSize · elementsPerLane` neighbors, its lanes side by side.
 *
 * A software adapter pays for every workgroup it starts (some 0.6 µs on Mesa's), as much as for 64
 * elements of a sum: there, lanes loop. A GPU hides its latency behind many workgroups instead.
 */
import { wgsl } from "./wgsl.ts";

/** Constants of kernels of one element at a time. */
export interface LaneConstants {
  readonly workgroupSize: number;
  readonly elementsPerLane: number;
}

/** Workgroups that so many elements need. */
export function laneWorkgroups(
  { workgroupSize, elementsPerLane }: LaneConstants,
  length: number,
): number {
  return Math.ceil(length / (workgroupSize * elementsPerLane));
}

/**
 * WGSL entry point that runs `body` for every element `i`.
 *
 * @param constants How to share the elements.
 * @param length WGSL expression: how many elements there are.
 * @param body WGSL statements; they must not return.
 */
export function mainOfElements(
  { workgroupSize, elementsPerLane }: LaneConstants,
  length: string,
  body: string,
): string {
  return wgsl`
    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let begin = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize * elementsPerLane}u;
      let end = min(begin + ${workgroupSize * elementsPerLane}u, ${length});
      for (var i = begin + lane; i < end; i += ${workgroupSize}u) {
        ${body}
      }
    }`;
}
