/**
 * The end of a product whose depth is split: adds what the parts have summed, in their order, and
 * applies the epilogue.
 *
 *     c (+)= f(scale · Σ_part sums[part] + bias) + residual
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import {
  elementType,
  enableF16Of,
  type EpilogueConstants,
  finishFunction,
  type ProductStorage,
  type Width,
} from "./linear_product.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of {@linkcode addSplits}. */
export interface AddSplitsConstants extends EpilogueConstants, LaneConstants {
  readonly storage: Pick<ProductStorage, "bias" | "residual" | "c">;
  /** Elements at a time; 4 only where `cStride`, `cBegin` and `numColumns` are multiples of four. */
  readonly width: Width;
}

/** `length`: of one part, in elements. */
const PARAMS = {
  length: "u32",
  numParts: "u32",
  numColumns: "u32",
  cStride: "u32",
  cBegin: "u32",
  scale: "f32",
} as const;

const BUFFERS = {
  sums: "read", // [numParts, numRows, numColumns]
  bias: "read", // [cStride]
  residual: "read", // [numRows, cStride]
  c: "read_write", // [numRows, cStride]
} as const;

/** One element, or vector, of `c` at a time. */
export const addSplits: Kernel<AddSplitsConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "addSplits",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ storage, width, ...constants }) => {
    const type = (name: "bias" | "residual" | "c") => elementType(storage[name], width);
    const sum = elementType("f32", width);
    return wgsl`
    ${enableF16Of(storage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> sums: array<${sum}>;
    @group(0) @binding(2) var<storage, read> bias: array<${type("bias")}>;
    @group(0) @binding(3) var<storage, read> residual: array<${type("residual")}>;
    @group(0) @binding(4) var<storage, read_write> c: array<${type("c")}>;

    ${finishFunction({ ...constants, storage }, width)}

    ${mainOfElements(
      constants,
      `params.length / ${width}u`,
      `var sum = ${sum}();
        for (var part = 0u; part < params.numParts; part++) {
          sum += sums[(part * params.length) / ${width}u + i];
        }
        let m = i * ${width}u / params.numColumns;
        let column = params.cBegin + i * ${width}u % params.numColumns;
        finish((m * params.cStride + column) / ${width}u, column / ${width}u, sum);`,
    )}`;
  },
};
