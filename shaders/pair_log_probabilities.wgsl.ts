/**
 * Log-probabilities of chosen (row, token) pairs under a linear output layer.
 *
 *     y[j] = x[rows[j]] · weight[tokens[j]] − lse[rows[j]]      lse = top + log(total)
 *
 * One lane a pair; the dot product adds in ascending order. So do matrix products, except that of
 * up to 8 rows in the tiled variant, which adds as a tree: its logits may round differently.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import {
  elementOf,
  loadRun,
  maskRun,
  RUN,
  type WeightConstants,
  weightFunctions,
  weightType,
} from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

const PARAMS = {
  numPairs: "u32",
  numRows: "u32",
  vocabSize: "u32",
  dModel: "u32",
  tokenBegin: "u32",
  tokenEnd: "u32",
} as const;

const BUFFERS = {
  x: "read",
  weight: "read",
  statistics: "read",
  rows: "read",
  tokens: "read",
  y: "read_write",
} as const;

/** Pairs beyond the rows or the vocabulary are clamped; they are padding. Tokens outside `[tokenBegin, tokenEnd)` are left to other dispatches. */
export const pairLogProbabilities: Kernel<
  WeightConstants & { readonly workgroupSize: number },
  typeof PARAMS,
  typeof BUFFERS
> = {
  name: "pairLogProbabilities",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ workgroupSize, ...constants }) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<f32>;             // [numRows, dModel]
    @group(0) @binding(2) var<storage, read> b: array<${weightType(constants)}>;  // [tokenEnd - tokenBegin, dModel], packed
    @group(0) @binding(3) var<storage, read> statistics: array<vec4f>;  // [numRows]: top, total
    @group(0) @binding(4) var<storage, read> rows: array<u32>;          // [numPairs]
    @group(0) @binding(5) var<storage, read> tokens: array<u32>;        // [numPairs]
    @group(0) @binding(6) var<storage, read_write> y: array<f32>;       // [numPairs]

    ${weightFunctions(constants)}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let j = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      if (j >= params.numPairs) { return; }
      let row = min(rows[j], params.numRows - 1u);
      let token = min(tokens[j], params.vocabSize - 1u);
      if (token < params.tokenBegin || token >= params.tokenEnd) { return; }
      let xAt = row * params.dModel;
      let weightRow = token - params.tokenBegin;
      var logit = 0.0;
      let numRuns = (params.dModel + ${RUN - 1}u) / ${RUN}u;
      for (var run = 0u; run < numRuns; run++) {
        let k = run * ${RUN}u;
        ${loadRun(constants, { name: "v", row: "weightRow", run: "run", width: "params.dModel" })}
        ${maskRun(constants, { from: "v", to: "w", k: "k", width: "params.dModel" })}
        ${each(RUN, (i) => `logit = fma(select(0.0, x[xAt + min(k + ${i}u, params.dModel - 1u)], k + ${i}u < params.dModel), ${elementOf("w", i)}, logit);`)}
      }
      y[j] = logit - (statistics[row].x + log(statistics[row].y));
    }`,
};
