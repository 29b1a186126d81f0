/**
 * LayerNorm over the last axis.
 *
 *     forward   y  = x̂ · weight + bias        x̂ = (x − mean(x)) · rstd,  rstd = 1 / √(var(x) + eps)
 *     backward  dx = rstd · (g − mean(g) − x̂ · mean(g · x̂))      g = dy · weight
 *               dWeight = Σ_rows dy · x̂        dBias = Σ_rows dy
 *
 * The variance is the mean of squared distances from the mean, in a second pass: E[x²] − E[x]²
 * would cancel where a row lies far from zero.
 *
 * Ba, Kiros & Hinton, "Layer Normalization", 2016. https://arxiv.org/abs/1607.06450
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type RowConstants, walkRows } from "./rows.wgsl.ts";
import { wgsl } from "./wgsl.ts";

const FORWARD_PARAMS = { numRows: "u32", numColumns: "u32", eps: "f32" } as const;
const BACKWARD_PARAMS = { numRows: "u32", numColumns: "u32" } as const;
const WEIGHT_PARAMS = { numRows: "u32", numColumns: "u32", chunkRows: "u32" } as const;

/** How the tensors of a layer norm are stored. */
export interface LayerNormStorage {
  /** Of `x`, `y` and their gradients. */
  readonly storage: Storage;
  /** Of `weight` and `bias`. */
  readonly weightStorage: Storage;
}

/** Constants of {@linkcode layerNormForward}. */
export interface LayerNormConstants extends RowConstants, LayerNormStorage {
  /** Adds `bias`; without it, `bias` is bound but unread. */
  readonly bias: boolean;
}

const FORWARD_BUFFERS = {
  x: "read",
  weight: "read",
  bias: "read",
  y: "read_write",
  moments: "read_write",
} as const;

/** `x` → `y`, and each row's `mean` and `rstd`; sums in f32 whatever the storage. */
export const layerNormForward: Kernel<
  LayerNormConstants,
  typeof FORWARD_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "layerNormForward",
  params: FORWARD_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ storage, weightStorage, bias, ...constants }) => {
    const walk = walkRows(constants);
    return wgsl`
    ${enableF16(storage === "f16" ? storage : weightStorage)}
    ${paramsBinding(FORWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;             // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> weight: array<${weightStorage}>;  // [numColumns]
    @group(0) @binding(3) var<storage, read> bias: array<${weightStorage}>;    // [numColumns]
    @group(0) @binding(4) var<storage, read_write> y: array<${storage}>;       // [numRows, numColumns]
    @group(0) @binding(5) var<storage, read_write> moments: array<vec2f>;      // [numRows]: mean, rstd

    ${walk.functions}

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${walk.begin}
      var sum = 0.0;
      ${walk.eachColumn} {
        sum += f32(x[begin + i]);
      }
      let mean = rowSum(sum, lane) / f32(params.numColumns);
      var sumOfSquares = 0.0;
      ${walk.eachColumn} {
        let distance = f32(x[begin + i]) - mean;
        sumOfSquares = fma(distance, distance, sumOfSquares);
      }
      let r = inverseSqrt(rowSum(sumOfSquares, lane) / f32(params.numColumns) + params.eps);
      if (isRow) {
        ${walk.eachColumn} {
          let normalized = (f32(x[begin + i]) - mean) * r * f32(weight[i]);
          y[begin + i] = ${storage}(normalized${bias ? " + f32(bias[i])" : ""});
        }
      }
      if (${walk.isFirstLane}) { moments[row] = vec2f(mean, r); }
    }`;
  },
};

const BACKWARD_BUFFERS = {
  x: "read",
  weight: "read",
  moments: "read",
  dy: "read",
  dx: "read_write",
} as const;

/** `dx`, from `dy`. */
export const layerNormBackwardInput: Kernel<
  RowConstants & LayerNormStorage & { readonly accumulate: boolean },
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "layerNormBackwardInput",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ storage, weightStorage, accumulate, ...constants }) => {
    const walk = walkRows(constants);
    return wgsl`
    ${enableF16(storage === "f16" ? storage : weightStorage)}
    ${paramsBinding(BACKWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;             // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> weight: array<${weightStorage}>;  // [numColumns]
    @group(0) @binding(3) var<storage, read> moments: array<vec2f>;            // [numRows]: mean, rstd
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
      let mean = moments[min(row, params.numRows - 1u)].x;
      let r = moments[min(row, params.numRows - 1u)].y;
      var sum = 0.0;  // Σ g
      var dot = 0.0;  // Σ g · x̂
      ${walk.eachColumn} {
        let g = f32(dy[begin + i]) * f32(weight[i]);
        sum += g;
        dot = fma(g, (f32(x[begin + i]) - mean) * r, dot);
      }
      let meanG = rowSum(sum, lane) / f32(params.numColumns);
      let meanDot = rowSum(dot, lane) / f32(params.numColumns);
      if (isRow) {
        ${walk.eachColumn} {
          let g = f32(dy[begin + i]) * f32(weight[i]);
          let normalized = (f32(x[begin + i]) - mean) * r;
          ${storeOrAdd("dx[begin + i]", "r * (g - meanG - normalized * meanDot)", accumulate, storage)}
        }
      }
    }`;
  },
};

const WEIGHT_BUFFERS = { x: "read", moments: "read", dy: "read", partial: "read_write" } as const;

/** Sums of `dy · x̂` over chunks of rows, one lane a column; summed further by `sumChunks()`. */
export const layerNormBackwardWeight: Kernel<
  {
    readonly storage: Storage;
    readonly workgroupSize: number;
  },
  typeof WEIGHT_PARAMS,
  typeof WEIGHT_BUFFERS
> = {
  name: "layerNormBackwardWeight",
  params: WEIGHT_PARAMS,
  buffers: WEIGHT_BUFFERS,
  code: ({ storage, workgroupSize }) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(WEIGHT_PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;        // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> moments: array<vec2f>;      // [numRows]: mean, rstd
    @group(0) @binding(3) var<storage, read> dy: array<${storage}>;       // [numRows, numColumns]
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
        sum = fma(f32(dy[i]) * moments[row].y, f32(x[i]) - moments[row].x, sum);
      }
      partial[chunk * params.numColumns + column] = sum;
    }`,
};
