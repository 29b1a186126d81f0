import { wgsl } from "./wgsl.ts";

/**
 * WGSL function `name(value, lane) -> type`: combines `value` over a workgroup and returns the
 * result to every lane. Call it from uniform control flow.
 *
 * The tree combines pairs at distance n/2, n/4, … 1, so the rounding error grows
 * with log₂ n and the result does not depend on the scheduling of the lanes.
 * The barrier at the end of `workgroupUniformLoad` lets a second call reuse the memory.
 *
 * @param name Name of the function.
 * @param workgroupSize Lanes in the workgroup; a power of two.
 * @param combine WGSL expression of two values combined.
 * @param type WGSL type of the values.
 */
export function workgroupReduction(
  name: string,
  workgroupSize: number,
  combine: (a: string, b: string) => string,
  type = "f32",
): string {
  const partial = `${name}Partial`;
  return wgsl`
    var<workgroup> ${partial}: array<${type}, ${workgroupSize}>;

    fn ${name}(value: ${type}, lane: u32) -> ${type} {
      ${partial}[lane] = value;
      workgroupBarrier();
      for (var half = ${workgroupSize / 2}u; half > 0u; half /= 2u) {
        if (lane < half) {
          ${partial}[lane] = ${combine(`${partial}[lane]`, `${partial}[lane + half]`)};
        }
        workgroupBarrier();
      }
      return workgroupUniformLoad(&${partial}[0]);
    }`;
}

/** {@linkcode workgroupReduction} `workgroupSum`: the sum over a workgroup. */
export function workgroupSum(workgroupSize: number): string {
  return workgroupReduction("workgroupSum", workgroupSize, (a, b) => `${a} + ${b}`);
}

/** {@linkcode workgroupReduction} `workgroupMax`: the largest value of a workgroup. */
export function workgroupMax(workgroupSize: number): string {
  return workgroupReduction("workgroupMax", workgroupSize, (a, b) => `max(${a}, ${b})`);
}
