/**
 * Softmax regression's loss of rows of logits that exist in memory, as few classes allow.
 *
 *     z[r, v]       = clamp(logits[r, v], −limit, limit)
 *     lse[r]        = log Σ_v exp(z[r, v])
 *     nll[r]        = lse[r] − z[r, targets[r]]
 *     dLogits[r, v] = (exp(z[r, v] − lse[r]) − [v = targets[r]]) · [|logits[r, v]| ≤ limit] · dNll[r]
 *
 * Columns from `numClasses` on are padding: they take no part, and their gradient is zero.
 */
import { storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import { workgroupMax, workgroupSum } from "./reduce.wgsl.ts";
import { wgsl } from "./wgsl.ts";

const PARAMS = { numRows: "u32", numClasses: "u32", stride: "u32", limit: "f32" } as const;

/** Of {@linkcode softmaxLossForward}. */
export interface SoftmaxLossConstants {
  /** `true`: one workgroup a row; `false`: one lane a row, without workgroup memory. */
  readonly tiled: boolean;
  readonly workgroupSize: number;
}

const FORWARD_BUFFERS = {
  logits: "read",
  targets: "read",
  nll: "read_write",
  lse: "read_write",
} as const;

/** Loss of every row, and what the gradient needs of it. */
export const softmaxLossForward: Kernel<
  SoftmaxLossConstants,
  typeof PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "softmaxLossForward",
  params: PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ tiled, workgroupSize }) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;       // [numRows, stride]
    @group(0) @binding(2) var<storage, read> targets: array<u32>;      // [numRows]
    @group(0) @binding(3) var<storage, read_write> nll: array<f32>;    // [numRows]
    @group(0) @binding(4) var<storage, read_write> lse: array<f32>;    // [numRows]

    #if ${tiled}
    ${workgroupMax(workgroupSize)}
    ${workgroupSum(workgroupSize)}
    #endif

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let index = workgroup.y * grid.x + workgroup.x;
      #if ${tiled}
      let row = index;
      let begin = lane;
      let step = ${workgroupSize}u;
      #else
      let row = index * ${workgroupSize}u + lane;
      let begin = 0u;
      let step = 1u;
      #endif
      if (row >= params.numRows) { return; }
      let base = row * params.stride;
      var top = -3.4e38;
      for (var v = begin; v < params.numClasses; v += step) {
        top = max(top, logits[base + v]);
      }
      #if ${tiled}
      top = workgroupMax(top, lane);
      #endif
      top = clamp(top, -params.limit, params.limit);
      var total = 0.0;
      for (var v = begin; v < params.numClasses; v += step) {
        total += exp(clamp(logits[base + v], -params.limit, params.limit) - top);
      }
      #if ${tiled}
      total = workgroupSum(total, lane);
      if (lane != 0u) { return; }
      #endif
      let own = logits[base + min(targets[row], params.numClasses - 1u)];
      let sum = top + log(total);
      lse[row] = sum;
      nll[row] = sum - clamp(own, -params.limit, params.limit);
    }`,
};

const BACKWARD_BUFFERS = {
  logits: "read",
  targets: "read",
  lse: "read",
  dNll: "read",
  dLogits: "read_write",
} as const;

/** Gradient of the loss with respect to the logits; a workgroup a row. */
export const softmaxLossBackward: Kernel<
  { workgroupSize: number; accumulate: boolean },
  typeof PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "softmaxLossBackward",
  params: PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ workgroupSize, accumulate }) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;           // [numRows, stride]
    @group(0) @binding(2) var<storage, read> targets: array<u32>;          // [numRows]
    @group(0) @binding(3) var<storage, read> lse: array<f32>;              // [numRows]
    @group(0) @binding(4) var<storage, read> dNll: array<f32>;             // [numRows]
    @group(0) @binding(5) var<storage, read_write> dLogits: array<f32>;    // [numRows, stride]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let row = workgroup.y * grid.x + workgroup.x;
      if (row >= params.numRows) { return; }
      let own = min(targets[row], params.numClasses - 1u);
      for (var v = lane; v < params.stride; v += ${workgroupSize}u) {
        let i = row * params.stride + v;
        let logit = logits[i];
        let isFree = v < params.numClasses && abs(logit) <= params.limit;
        let z = clamp(logit, -params.limit, params.limit);
        let p = exp(min(z - lse[row], 0.0));
        let d = select(0.0, (p - select(0.0, 1.0, v == own)) * dNll[row], isFree);
        ${storeOrAdd("dLogits[i]", "d", accumulate)}
      }
    }`,
};
