/**
 * Copies as halves: of weights as a product reads them, of sums as they are kept.
 *
 *     y[i] = f16(w[i])        or f16(y[i] + w[i]); infinite from 65,520 on
 *
 * WGSL leaves open what becomes of values that f16 cannot hold, and lets compilers assume that none
 * is infinite or NaN: these are told apart as bits, and made from bits that no compiler knows. All others are rounded to nearest
 * by every driver that we know; WGSL asks for one of the two neighbors.
 *
 * A lane takes a run of eight neighbors of a row, which lies within one block of a packed weight.
 */
import { enableF16 } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import {
  elementOf,
  loadRun,
  RUN,
  type WeightConstants,
  weightFunctions,
  weightType,
} from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** The smallest f32, as bits, that rounds to an infinite f16: 65,520. */
const FIRST_INFINITE = 0x477f_f000;

const PARAMS = { numRows: "u32", width: "u32" } as const;

/** Constants of {@linkcode castKernel}; a lane's elements are runs. */
export interface CastConstants extends WeightConstants, LaneConstants {
  /** Adds to `y` instead of storing; the sum is rounded once. */
  readonly accumulate: boolean;
}

/** f32 as f16, in every bit what rounding to nearest gives. */
const TO_HALF = wgsl`
    fn toHalf(value: f32) -> f16 {
      let bits = bitcast<u32>(value);
      let size = bits & 0x7fffffffu;
      if (size < ${FIRST_INFINITE}u) { return f16(clamp(value, -65504.0, 65504.0)); }
      let special = select(0x7c00u, 0x7e00u, size > 0x7f800000u); // infinity, or NaN
      return f16(unpack2x16float(((bits >> 16u) & 0x8000u) | special).x);
    }`;

const BUFFERS = { weight: "read", y: "read_write" } as const;

/** `y`, from a weight in any storage. */
export const castKernel: Kernel<CastConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "cast",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ accumulate, ...constants }) =>
    wgsl`
    ${enableF16("f16")}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> b: array<${weightType(constants)}>;  // [numRows, width], packed
    @group(0) @binding(2) var<storage, read_write> y: array<f16>;  // [numRows, width]

    ${weightFunctions(constants)}
    ${TO_HALF}

    ${mainOfElements(
      constants,
      `params.numRows * ((params.width + ${RUN - 1}u) / ${RUN}u)`,
      `let numRuns = (params.width + ${RUN - 1}u) / ${RUN}u;
        let row = i / numRuns;
        let run = i % numRuns;
        let column = run * ${RUN}u;
        let at = row * params.width + column;
        ${loadRun(constants, { name: "w", row: "row", run: "run", width: "params.width" })}
        ${each(RUN, (e) => {
          const y = `y[at + ${e}u]`;
          const value = elementOf("w", e);
          const store = `${y} = toHalf(${accumulate ? `f32(${y}) + ${value}` : value});`;
          return constants.alignment === RUN
            ? store
            : `if (column + ${e}u < params.width) { ${store} }`;
        })}`,
    )}`,
};
