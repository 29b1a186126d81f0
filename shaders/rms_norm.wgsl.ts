/**
 * RMSNorm over the last axis.
 *
 *     forward   y  = x · rstd · weight        rstd = 1 / √(mean(x²) + eps)
 *     backward  dx = rstd · (g − x̂ · mean(g · x̂))      g = dy · weight
 *               dWeight = Σ_rows dy · x̂                 x̂ = x · rstd
 *
 * Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019.
 * https://arxiv.org/abs/1910.07467
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type RowConstants, walkRows } from "./rows.wgsl.ts";
import { wgsl } from "./wgsl.ts";

const FORWARD_PARAMS = { numRows: "u32", numColumns: "u32", eps: "f32" } as const;
const BACKWARD_PARAMS = { numRows: "u32", numColumns: "u32" } as const;
const WEIGHT_PARAMS = { numRows: "u32", numColumns: "u32", chunkRows: "u32" } as const;

/** How the tensors of an RMS norm are stored. */
export interface RmsNormStorage {
  /** Of `x`, `y` and their gradients. */
  readonly storage: Storage;
  /** Of `weight`. */
  readonly weightStorage: Storage;
}

const FORWARD_BUFFERS = { x: "read", weight: "read", y: "read_write", rstd: "read_write" } as const;

/** `x` → `y` and `rstd`; sums in f32 whatever the storage. */
export const rmsNormForward: Kernel<
  RowConstants & RmsNormStorage,
  typeof FORWARD_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "rmsNormForward",
  params: FORWARD_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ storage, weightStorage, ...constants }) => {
    const walk = walkRows(constants);
    return wgsl`
    ${enableF16(storage === "f16" ? storage : weightStorage)}
    ${paramsBinding(FORWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;             // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> weight: array<${weightStorage}>;  // [numColumns]
    @group(0) @binding(3) var<storage, read_write> y: array<${storage}>;       // [numRows, numColumns]
    @group(0) @binding(4) var<storage, read_write> rstd: array<f32>;           // [numRows]

    ${walk.functions}

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${walk.begin}
      var sumOfSquares = 0.0;
      ${walk.eachColumn} {
        let value = f32(x[begin + i]);
        sumOfSquares = fma(value, value, sumOfSquares);
      }
      let r = inverseSqrt(rowSum(sumOfSquares, lane) / f32(params.numColumns) + params.eps);
      if (isRow) {
        ${walk.eachColumn} {
          y[begin + i] = ${storage}(f32(x[begin + i]) * r * f32(weight[i]));
        }
      }
      if (${walk.isFirstLane}) { rstd[row] = r; }
    }`;
  },
};

const BACKWARD_BUFFERS = {
  x: "read",
  weight: "read",
  rstd: "read",
  dy: "read",
  dx: "read_write",
} as const;

/** `dx`, from `dy`. */
export const rmsNormBackwardInput: Kernel<
  RowConstants & RmsNormStorage & { readonly accumulate: boolean },
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "rmsNormBackwardInput",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ storage, weightStorage, accumulate, ...constants }) => {
    const walk = walkRows(constants);
    return wgsl`
    ${enableF16(storage === "f16" ? storage : weightStorage)}
    ${paramsBinding(BACKWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;             // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> weight: array<${weightStorage}>;  // [numColumns]
    @group(0) @binding(3) var<storage, read> rstd: array<f32>;                 // [numRows]
    @group(0) @binding(4) var<storage, read> dy: array<${storage}>;            // [numRows, numColumns]
    @group(0) @binding(5) var<storage, read_write> dx: array<${storage}>;      // [numRows, numColumns]

    ${walk.functions}

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${walk.begin}
      let r = rstd[min(row, params.numRows - 1u)];
      var dot = 0.0;  // Σ g · x
      ${walk.eachColumn} {
        dot = fma(f32(dy[begin + i]) * f32(weight[i]), f32(x[begin + i]), dot);
      }
      let mean = rowSum(dot, lane) * r / f32(params.numColumns);
      if (isRow) {
        ${walk.eachColumn} {
          let g = f32(dy[begin + i]) * f32(weight[i]);
          ${storeOrAdd("dx[begin + i]", "r * (g - f32(x[begin + i]) * r * mean)", accumulate, storage)}
        }
      }
    }`;
  },
};

const WEIGHT_BUFFERS = { x: "read", rstd: "read", dy: "read", partial: "read_write" } as const;

/** Sums of `dy · x̂` over chunks of rows, one lane a column; summed further by `sumChunks()`. */
export const rmsNormBackwardWeight: Kernel<
  {
    readonly storage: Storage;
    readonly workgroupSize: number;
  },
  typeof WEIGHT_PARAMS,
  typeof WEIGHT_BUFFERS
> = {
  name: "rmsNormBackwardWeight",
  params: WEIGHT_PARAMS,
  buffers: WEIGHT_BUFFERS,
  code: ({ storage, workgroupSize }) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(WEIGHT_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;       // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> rstd: array<f32>;           // [numRows]
    @group(0) @binding(3) var<storage, read> dy: array<${storage}>;      // [numRows, numColumns]
    @group(0) @binding(4) var<storage, read_write> partial: array<f32>;  // [numChunks, numColumns]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let groupsAcross = (params.numColumns + ${workgroupSize - 1}u) / ${workgroupSize}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let chunk = group / groupsAcross;
      let column = group % groupsAcross * ${workgroupSize}u + lane;
      let begin = chunk * params.chunkRows;
      if (column >= params.numColumns || begin >= params.numRows) { return; }
      var sum = 0.0;
      for (var row = begin; row < min(begin + params.chunkRows, params.numRows); row++) {
        let i = row * params.numColumns + column;
        sum = fma(f32(dy[i]) * rstd[row], f32(x[i]), sum);
      }
      partial[chunk * params.numColumns + column] = sum;
    }`,
};
