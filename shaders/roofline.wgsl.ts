/**
 * Kernels that do nothing but reach an adapter's ceilings.
 *
 *     copy     y = x, vectors of four floats, neighbors side by side
 *     fma      x ← x · factor + term in independent chains, all in registers
 *     matrix   sums[c] += left[c] · right in independent chains of subgroup matrices
 *
 * Factor, term and operands come from memory and every chain is stored in the end, so no compiler
 * can leave the work out; chains begin apart, so none can be merged.
 */
import { enableF16 } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import {
  enableMatrices,
  loadMatrix,
  matrixDeclarations,
  type MatrixMemory,
  type MatrixShape,
  multiplyAdd,
  storeMatrix,
  subgroupIndex,
  subgroupParameter,
} from "./subgroup_matrix.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

const COPY_PARAMS = { length: "u32" } as const;

const COPY_BUFFERS = { x: "read", y: "read_write" } as const;

/** `y = x`; `length` counts vectors of four. */
export const rooflineCopy: Kernel<LaneConstants, typeof COPY_PARAMS, typeof COPY_BUFFERS> = {
  name: "rooflineCopy",
  params: COPY_PARAMS,
  buffers: COPY_BUFFERS,
  code: (constants) =>
    wgsl`
    ${paramsBinding(COPY_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<vec4f>;
    @group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

    ${mainOfElements(constants, "params.length", "y[i] = x[i];")}`,
};

/** Constants of {@linkcode rooflineFma}. */
export interface FmaConstants {
  readonly storage: Storage;
  /** Elements of a chain's vector. */
  readonly width: 1 | 2 | 4;
  /** Vectors that a lane works on, independent of each other. */
  readonly chains: number;
  readonly workgroupSize: number;
}

/** Multiply-adds of a chain in an iteration: the loop itself then costs little. */
export const FMA_UNROLL = 8;

const FMA_PARAMS = { iterations: "u32", factor: "f32", term: "f32" } as const;

const FMA_BUFFERS = { y: "read_write" } as const;

/** Chains of fused multiply-adds; each lane stores the sum of its own. */
export const rooflineFma: Kernel<FmaConstants, typeof FMA_PARAMS, typeof FMA_BUFFERS> = {
  name: "rooflineFma",
  params: FMA_PARAMS,
  buffers: FMA_BUFFERS,
  code: ({ storage, width, chains, workgroupSize }) => {
    const type = width === 1 ? storage : `vec${width}<${storage}>`;
    const elements = (value: string) =>
      width === 1 ? value : Array.from("xyzw".slice(0, width), (e) => `${value}.${e}`).join(" + ");
    return wgsl`
    ${enableF16(storage)}
    ${paramsBinding(FMA_PARAMS)}
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;  // [lanes]
    alias T = ${type};

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let i = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      let factor = T(${storage}(params.factor));
      let term = T(${storage}(params.term));
      ${each(chains, (c) => `var x${c} = T(${storage}(f32(lane + ${c}u) * 0.001));`)}
      for (var k = 0u; k < params.iterations; k++) {
        ${each(FMA_UNROLL, () => each(chains, (c) => `x${c} = fma(x${c}, factor, term);`))}
      }
      let sum = ${each(chains, (c) => `x${c}`, " + ")};
      if (i < arrayLength(&y)) { y[i] = f32(${elements("sum")}); }
    }`;
  },
};

/** Constants of {@linkcode rooflineMatrix}. */
export interface MatrixPeakConstants {
  readonly shape: MatrixShape;
  /** Results that a subgroup adds to, independent of each other. */
  readonly chains: number;
  readonly numSubgroups: number;
}

const MATRIX_PARAMS = { iterations: "u32" } as const;
const OPERANDS: MatrixMemory = { name: "operands", type: "f16", roles: ["left", "right"] };
const SUMS: MatrixMemory = { name: "sums", type: "f32", roles: ["result"] };

const MATRIX_BUFFERS = { operands: "read", sums: "read_write" } as const;

/** Chains of products of subgroup matrices; each subgroup stores its results, for which there is room. */
export const rooflineMatrix: Kernel<
  MatrixPeakConstants,
  typeof MATRIX_PARAMS,
  typeof MATRIX_BUFFERS
> = {
  name: "rooflineMatrix",
  params: MATRIX_PARAMS,
  buffers: MATRIX_BUFFERS,
  code: ({ shape, chains, numSubgroups }) => {
    const { m, n, k, subgroupSize } = shape;
    const left = (c: number) =>
      loadMatrix(shape, "left", { memory: OPERANDS, offset: `${c * m * k}u`, stride: `${k}u` });
    const right = loadMatrix(shape, "right", {
      memory: OPERANDS,
      offset: `${chains * m * k}u`,
      stride: `${n}u`,
    });
    const store = (c: number) => {
      const offset = `(owner * ${chains}u + ${c}u) * ${m * n}u`;
      return storeMatrix(shape, `sums${c}`, { memory: SUMS, offset, stride: `${n}u` });
    };
    return wgsl`
    ${enableMatrices(shape)}
    ${paramsBinding(MATRIX_PARAMS)}
    @group(0) @binding(1) var<storage, read> operands: array<f16>;    // [chains, m, k], [k, n]
    @group(0) @binding(2) var<storage, read_write> sums: array<f32>;  // [subgroups, chains, m, n]

    ${matrixDeclarations(shape, [OPERANDS, SUMS])}

    @compute @workgroup_size(${numSubgroups * subgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      ${subgroupParameter(shape)}
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${subgroupIndex(shape)}
      let owner = (workgroup.y * grid.x + workgroup.x) * ${numSubgroups}u + subgroup;
      let right = ${right};
      ${each(chains, (c) => `let left${c} = ${left(c)}; var sums${c}: ResultMatrix;`)}
      for (var i = 0u; i < params.iterations; i++) {
        ${each(chains, (c) => multiplyAdd(shape, `sums${c}`, [`left${c}`, "right"]))}
      }
      ${each(chains, store)}
    }`;
  },
};
