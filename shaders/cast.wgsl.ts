/**
 * Copies of weights in the storage that a product reads: half precision, from any other.
 *
 *     y[i] = f16(w[i])        to the nearest; infinite beyond 65,504
 *
 * A lane takes a run of eight neighbors of a row, which lies within one block of a packed weight.
 */
import { enableF16 } from "./elementwise.wgsl.ts";
import { kernel, paramsBinding, type Storage } from "./kernel.ts";
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

const PARAMS = { numRows: "u32", width: "u32" } as const;

/** Constants of {@linkcode castKernel}; a lane's elements are runs. */
export interface CastConstants extends WeightConstants, LaneConstants {
  /** Of `y`. */
  readonly storage: Storage;
}

/** `y`, from a weight in any storage. */
export const castKernel = kernel({
  name: "cast",
  params: PARAMS,
  buffers: { weight: "read", y: "read_write" },
  code: ({ storage, ...constants }: CastConstants) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> b: array<${weightType(constants)}>;  // [numRows, width], packed
    @group(0) @binding(2) var<storage, read_write> y: array<${storage}>;          // [numRows, width]

    ${weightFunctions(constants)}

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
          const store = `y[at + ${e}u] = ${storage}(${elementOf("w", e)});`;
          return constants.alignment === RUN
            ? store
            : `if (column + ${e}u < params.width) { ${store} }`;
        })}`,
    )}`,
});
