/**
 * Cross-entropy of one tile of the vocabulary after another, so that the logits of all tokens over
 * the whole vocabulary never exist at once.
 *
 *     top, total   running max of the logits, and Σ exp(logit − top)
 *     lse          = top + log(total)
 *     logProbability[m] = logit[m, target[m]] − lse[m]         0 where the target is ignored
 *     nll[m]            = −weight[m] · logProbability[m]
 *     dLogit[m, v]      = (exp(logit[m, v] − lse[m]) − [v = target[m]]) · weight[m] · dLoss
 *
 * Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018,
 * https://arxiv.org/abs/1805.02867
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { workgroupMax, workgroupSum } from "./reduce.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Target of a token that carries no loss. */
export const IGNORED_TARGET = 0xffff_ffff;

const TILE_PARAMS = { numRows: "u32", tileBegin: "u32", tileSize: "u32" } as const;

/** Constants of {@linkcode crossEntropyTile}. */
export interface CrossEntropyTileConstants {
  /** The first tile starts the running sums, the others continue them. */
  readonly first: boolean;
  /** Keeps the target's logit; without it, `targets` is bound but unread. */
  readonly targets: boolean;
  /** `true`: one workgroup a row; `false`: one lane a row, without workgroup memory. */
  readonly tiled: boolean;
  readonly workgroupSize: number;
}

const TILE_BUFFERS = { logits: "read", targets: "read", statistics: "read_write" } as const;

/** Carries the running max, sum and target's logit of every row over one tile of logits. */
export const crossEntropyTile: Kernel<
  CrossEntropyTileConstants,
  typeof TILE_PARAMS,
  typeof TILE_BUFFERS
> = {
  name: "crossEntropyTile",
  params: TILE_PARAMS,
  buffers: TILE_BUFFERS,
  code: ({ first, targets, tiled, workgroupSize }) =>
    wgsl`
    ${paramsBinding(TILE_PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;               // [numRows, tileSize]
    @group(0) @binding(2) var<storage, read> targets: array<u32>;              // [numRows]
    @group(0) @binding(3) var<storage, read_write> statistics: array<vec4f>;   // top, total, target's logit

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
      let stride = ${workgroupSize}u;
      #else
      let row = index * ${workgroupSize}u + lane;
      let begin = 0u;
      let stride = 1u;
      #endif
      if (row >= params.numRows) { return; }
      let base = row * params.tileSize;

      var tileTop = -3.4e38;
      for (var v = begin; v < params.tileSize; v += stride) {
        tileTop = max(tileTop, logits[base + v]);
      }
      #if ${tiled}
      tileTop = workgroupMax(tileTop, lane);
      #endif
      #if ${first}
      let before = vec4f(-3.4e38, 0.0, 0.0, 0.0);
      #else
      let before = statistics[row];
      #endif
      let top = max(before.x, tileTop);
      var total = 0.0;
      for (var v = begin; v < params.tileSize; v += stride) {
        total += exp(logits[base + v] - top);
      }
      #if ${tiled}
      total = workgroupSum(total, lane);
      if (lane != 0u) { return; }
      #endif
      var targetLogit = before.z;
      #if ${targets}
      let target_ = targets[row] - params.tileBegin;
      if (target_ < params.tileSize) { targetLogit = logits[base + target_]; }
      #endif
      statistics[row] = vec4f(top, fma(before.y, exp(before.x - top), total), targetLogit, 0.0);
    }`,
};

const ROW_PARAMS = { numRows: "u32", vocabSize: "u32" } as const;

const ROW_BUFFERS = {
  targets: "read",
  weights: "read",
  statistics: "read_write",
  logProbabilities: "read_write",
  nll: "read_write",
} as const;

/** From the running sums to each row's log-probability and weighted loss; keeps `lse` in place. */
export const crossEntropyLoss: Kernel<
  { workgroupSize: number },
  typeof ROW_PARAMS,
  typeof ROW_BUFFERS
> = {
  name: "crossEntropyLoss",
  params: ROW_PARAMS,
  buffers: ROW_BUFFERS,
  code: ({ workgroupSize }) =>
    wgsl`
    ${paramsBinding(ROW_PARAMS)}
    @group(0) @binding(1) var<storage, read> targets: array<u32>;                    // [numRows]
    @group(0) @binding(2) var<storage, read> weights: array<f32>;                    // [numRows]
    @group(0) @binding(3) var<storage, read_write> statistics: array<vec4f>;         // [numRows]: lse to w
    @group(0) @binding(4) var<storage, read_write> logProbabilities: array<f32>;     // [numRows]
    @group(0) @binding(5) var<storage, read_write> nll: array<f32>;                  // [numRows]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let row = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      if (row >= params.numRows) { return; }
      let s = statistics[row];
      let lse = s.x + log(s.y);
      statistics[row].w = lse;
      let counts = targets[row] < params.vocabSize;
      let logProbability = select(0.0, s.z - lse, counts);
      logProbabilities[row] = logProbability;
      nll[row] = select(0.0, -weights[row] * logProbability, counts);
    }`,
};

const GRADIENT_PARAMS = {
  numRows: "u32",
  tileBegin: "u32",
  tileSize: "u32",
  vocabSize: "u32",
} as const;

const GRADIENT_BUFFERS = {
  targets: "read",
  weights: "read",
  statistics: "read",
  dLoss: "read",
  logits: "read_write",
} as const;

/** Turns a tile of logits into their gradient, in place; one lane an element. */
export const crossEntropyGradient: Kernel<
  { workgroupSize: number },
  typeof GRADIENT_PARAMS,
  typeof GRADIENT_BUFFERS
> = {
  name: "crossEntropyGradient",
  params: GRADIENT_PARAMS,
  buffers: GRADIENT_BUFFERS,
  code: ({ workgroupSize }) =>
    wgsl`
    ${paramsBinding(GRADIENT_PARAMS)}
    @group(0) @binding(1) var<storage, read> targets: array<u32>;           // [numRows]
    @group(0) @binding(2) var<storage, read> weights: array<f32>;           // [numRows]
    @group(0) @binding(3) var<storage, read> statistics: array<vec4f>;      // [numRows]: lse in w
    @group(0) @binding(4) var<storage, read> dLoss: array<f32>;             // [1]
    @group(0) @binding(5) var<storage, read_write> logits: array<f32>;      // [numRows, tileSize]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      // One workgroup stays within a row, so that its statistics are the same for all lanes.
      let groupsAcross = (params.tileSize + ${workgroupSize - 1}u) / ${workgroupSize}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let row = group / groupsAcross;
      let v = group % groupsAcross * ${workgroupSize}u + lane;
      if (row >= params.numRows || v >= params.tileSize) { return; }
      let i = row * params.tileSize + v;
      let at = targets[row];
      let scale = select(0.0, weights[row] * dLoss[0], at < params.vocabSize);
      let p = exp(logits[i] - statistics[row].w);
      logits[i] = (p - select(0.0, 1.0, v + params.tileBegin == at)) * scale;
    }`,
};
