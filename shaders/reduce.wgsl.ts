import { wgsl } from "./wgsl.ts";

/**
 * WGSL function `workgroupSum(value, lane) -> f32`: the sum of `value` over a
 * workgroup, returned to every lane. Call it from uniform control flow.
 *
 * The tree adds pairs at distance n/2, n/4, … 1, so the rounding error grows
 * with log₂ n and the result does not depend on the scheduling of the lanes.
 * The barrier at the end of `workgroupUniformLoad` lets a second call reuse the memory.
 *
 * @param workgroupSize Lanes in the workgroup; a power of two.
 */
export function workgroupSum(workgroupSize: number): string {
  return wgsl`
    var<workgroup> partialSums: array<f32, ${workgroupSize}>;

    fn workgroupSum(value: f32, lane: u32) -> f32 {
      partialSums[lane] = value;
      workgroupBarrier();
      for (var half = ${workgroupSize / 2}u; half > 0u; half /= 2u) {
        if (lane < half) {
          partialSums[lane] += partialSums[lane + half];
        }
        workgroupBarrier();
      }
      return workgroupUniformLoad(&partialSums[0]);
    }`;
}
