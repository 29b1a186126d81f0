/**
 * Attention forward with the matrices of subgroups: the contract of `attentionForward`, of halves,
 * for heads whose width is a multiple of 16.
 *
 *     S = q kᵀ / √headDim        P = exp(S − top)        u = exp(old top − top) u + P v
 *
 * A subgroup owns the `m` queries of one row of matrices, and all subgroups of a workgroup share
 * tiles of keys and of values, which take turns in one place of workgroup memory. Both products are
 * of matrices; scores, weights and sums pass through workgroup memory, where lanes mask, scale and
 * weigh them: a lane has no say over which elements of a matrix it holds. Weights are rounded to
 * halves, their sums are not. Statistics are those of every other implementation.
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 */
import { FORWARD_BUFFERS } from "./attention.wgsl.ts";
import { ENDS, FIRST_KEY, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import { ATTENTION_PARAMS, MASKED } from "./attention_walk.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import {
  enableMatrices,
  loadMatrix,
  type MatrixMemory,
  type MatrixShape,
  matrixDeclarations,
  multiplyAdd,
  storeMatrix,
  subgroupIndex,
  subgroupParameter,
} from "./subgroup_matrix.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of {@linkcode attentionMatrix}. */
export interface AttentionMatrixConstants {
  readonly matrix: MatrixShape;
  /** A multiple of 16. */
  readonly headDim: number;
  /** Subgroups of a workgroup, each of `matrix.m` queries. */
  readonly subgroups: number;
  /** Keys of a tile; a multiple of 16. */
  readonly keys: number;
}

/** Halves in a vector of a staged row. */
const VECTOR = 8;

const QUERIES: MatrixMemory = { name: "queries", type: "vec4u", roles: ["left"] };
const TILE: MatrixMemory = { name: "tile", type: "vec4u", roles: ["right"] };
const WEIGHTS: MatrixMemory = { name: "weights", type: "f16", roles: ["left"] };
const SCORES: MatrixMemory = { name: "scores", type: "f32", roles: ["result"] };
const SUMS: MatrixMemory = { name: "sums", type: "f32", roles: ["result"] };

/** Queries of a workgroup. */
export function matrixQueries({ matrix, subgroups }: AttentionMatrixConstants): number {
  return subgroups * matrix.m;
}

/** How far rows lie apart in workgroup memory, in elements; padded against bank conflicts. */
function stridesOf({ headDim, keys }: AttentionMatrixConstants) {
  return { halves: headDim / VECTOR + 1, weights: keys + 8, scores: keys + 4, sums: headDim + 4 };
}

/** Bytes of workgroup memory of {@linkcode attentionMatrix}. */
export function attentionMatrixBytes(constants: AttentionMatrixConstants): number {
  const { halves, weights, scores, sums } = stridesOf(constants);
  const rows = matrixQueries(constants);
  return 16 * halves * (rows + constants.keys) + rows * (2 * weights + 4 * (scores + sums + 1));
}

/** Statements that stage rows of a buffer, zeros from `end` on. */
function stage(
  constants: AttentionMatrixConstants,
  into: "queries" | "tile",
  {
    from,
    first,
    vector,
  }: { readonly from: string; readonly first: string; readonly vector: string },
): string {
  const loads = constants.headDim / VECTOR;
  const rows = into === "queries" ? matrixQueries(constants) : constants.keys;
  const { halves } = stridesOf(constants);
  return `for (var e = lane; e < ${rows * loads}u; e += LANES) {
        let at = ${first} + e / ${loads}u;
        var value = vec4u();
        if (at <= last) { value = ${from}[${vector} + e % ${loads}u]; }
        ${into}[e / ${loads}u * ${halves}u + e % ${loads}u] = value;
      }`;
}

/** Scores of the subgroup's queries and the tile's keys. */
function multiplyKeys(constants: AttentionMatrixConstants): string {
  const { matrix, headDim, keys } = constants;
  const { halves, scores } = stridesOf(constants);
  const left = loadMatrix(matrix, "left", {
    memory: QUERIES,
    offset: `ownRow * ${halves}u + i / ${VECTOR}u`,
    stride: `${halves}u`,
  });
  const right = (j: number) =>
    loadMatrix(matrix, "right", {
      memory: TILE,
      offset: `${j * matrix.n * halves}u + i / ${VECTOR}u`,
      stride: `${halves}u`,
      order: "col_major",
    });
  const columns = keys / matrix.n;
  const place = (j: number) => ({
    memory: SCORES,
    offset: `ownRow * ${scores}u + ${j * matrix.n}u`,
    stride: `${scores}u`,
  });
  return `{
        ${each(columns, (j) => `var score${j} = ResultMatrix();`)}
        for (var i = 0u; i < ${headDim}u; i += ${matrix.k}u) {
          let q = ${left};
          ${each(columns, (j) => `let k${j} = ${right(j)}; ${multiplyAdd(matrix, `score${j}`, ["q", `k${j}`])}`)}
        }
        ${each(columns, (j) => storeMatrix(matrix, `score${j}`, place(j)))}
      }`;
}

/** Adds the weighted values of the tile to the sums of the subgroup's queries. */
function addValues(constants: AttentionMatrixConstants): string {
  const { matrix, headDim, keys } = constants;
  const { halves, weights, sums } = stridesOf(constants);
  const place = {
    memory: SUMS,
    offset: `ownRow * ${sums}u + i`,
    stride: `${sums}u`,
  };
  const left = loadMatrix(matrix, "left", {
    memory: WEIGHTS,
    offset: `ownRow * ${weights}u + j`,
    stride: `${weights}u`,
  });
  const right = loadMatrix(matrix, "right", {
    memory: TILE,
    offset: `j * ${halves}u + i / ${VECTOR}u`,
    stride: `${halves}u`,
  });
  return `for (var i = 0u; i < ${headDim}u; i += ${matrix.n}u) {
        var sum = ${loadMatrix(matrix, "result", place)};
        for (var j = 0u; j < ${keys}u; j += ${matrix.k}u) {
          let p = ${left};
          let v = ${right};
          ${multiplyAdd(matrix, "sum", ["p", "v"])}
        }
        ${storeMatrix(matrix, "sum", place)}
      }`;
}

/** Weighs the scores of one query, a lane each, and notes by how much its sums shrink. */
function weigh(constants: AttentionMatrixConstants): string {
  const { headDim, keys } = constants;
  const { weights, scores } = stridesOf(constants);
  return `if (lane < ${matrixQueries(constants)}u) {
          var newTop = top;
          for (var j = 0u; j < min(${keys}u, last - tileBegin + 1u); j++) {
            let at = tileBegin + j;
            let visible = ownStart <= at && at <= own && own < spans[ends + at];
            let score = select(${MASKED}, scores[lane * ${scores}u + j] * ${1 / Math.sqrt(headDim)}, visible);
            scores[lane * ${scores}u + j] = score;
            newTop = max(newTop, score);
          }
          rescale[lane] = exp(top - newTop);
          total *= rescale[lane];
          top = newTop;
          for (var j = 0u; j < ${keys}u; j++) {
            let score = scores[lane * ${scores}u + j];
            // A masked score equals the top where nothing was visible yet.
            let visible = j <= last - tileBegin && score > ${MASKED};
            let p = select(0.0, exp(min(score - top, 0.0)), visible);
            total += p;
            weights[lane * ${weights}u + j] = f16(p);
          }
        }`;
}

/** One lane a query in softmax, one subgroup a row of matrices in products. */
export const attentionMatrix: Kernel<
  AttentionMatrixConstants,
  typeof ATTENTION_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "attentionMatrix",
  params: ATTENTION_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: (constants) => {
    const { matrix, headDim, subgroups, keys } = constants;
    const rows = matrixQueries(constants);
    const loads = headDim / VECTOR;
    const strides = stridesOf(constants);
    const kvVector = `((base + at) * params.numKvHeads + kvHead) * ${loads}u`;
    return wgsl`
    ${enableMatrices(matrix)}
    ${paramsBinding(ATTENTION_PARAMS)}
    @group(0) @binding(1) var<storage, read> q: array<vec4u>;
    @group(0) @binding(2) var<storage, read> k: array<vec4u>;
    @group(0) @binding(3) var<storage, read> v: array<vec4u>;
    @group(0) @binding(4) var<storage, read> spans: array<u32>;
    @group(0) @binding(5) var<storage, read_write> y: array<vec4<f16>>;
    @group(0) @binding(6) var<storage, read_write> statistics: array<vec2f>;
    const LANES = ${subgroups * matrix.subgroupSize}u;
    var<workgroup> queries: array<vec4u, ${rows * strides.halves}>;
    var<workgroup> tile: array<vec4u, ${keys * strides.halves}>;  // keys, then values
    var<workgroup> scores: array<f32, ${rows * strides.scores}>;
    var<workgroup> weights: array<f16, ${rows * strides.weights}>;
    var<workgroup> sums: array<f32, ${rows * strides.sums}>;
    var<workgroup> rescale: array<f32, ${rows}>;
    ${matrixDeclarations(matrix, [QUERIES, TILE, WEIGHTS, SCORES, SUMS])}

    @compute @workgroup_size(LANES)
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      ${subgroupParameter(matrix)}
      @builtin(local_invocation_index) lane: u32,
    ) {
      let numBlocks = (params.seqLen + ${rows - 1}u) / ${rows}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let head = index / numBlocks % params.numHeads;
      let row = index / numBlocks / params.numHeads;
      if (row >= params.numRows) { return; }
      let base = row * params.seqLen;
      let begin = index % numBlocks * ${rows}u;
      let last = min(begin + ${rows}u, params.seqLen) - 1u;
      let own = min(begin + lane, last);
      let kvHead = head / (params.numHeads / params.numKvHeads);
      ${subgroupIndex(matrix)}
      let ownRow = subgroup * ${matrix.m}u;
      let ownStart = spans[base + own];
      ${ENDS}
      ${FIRST_KEY}
      ${stage(constants, "queries", { from: "q", first: "begin", vector: `((base + at) * params.numHeads + head) * ${loads}u` })}
      for (var e = lane; e < ${rows * strides.sums}u; e += LANES) { sums[e] = 0.0; }
      var top = ${MASKED};
      var total = 0.0;
      for (var tileBegin = firstKey; tileBegin <= last; tileBegin += ${keys}u) {
        ${skipHiddenKeys("tileBegin")}
        ${stage(constants, "tile", { from: "k", first: "tileBegin", vector: kvVector })}
        workgroupBarrier();
        ${multiplyKeys(constants)}
        workgroupBarrier();
        ${stage(constants, "tile", { from: "v", first: "tileBegin", vector: kvVector })}
        ${weigh(constants)}
        workgroupBarrier();
        for (var e = lane; e < ${rows * headDim}u; e += LANES) {
          sums[e / ${headDim}u * ${strides.sums}u + e % ${headDim}u] *= rescale[e / ${headDim}u];
        }
        workgroupBarrier();
        ${addValues(constants)}
        workgroupBarrier();
      }
      if (lane < ${rows}u) { rescale[lane] = select(0.0, 1.0 / total, total > 0.0); }
      workgroupBarrier();
      for (var e = lane; e < ${(rows * headDim) / 4}u; e += LANES) {
        let r = e / ${headDim / 4}u;
        let i = e % ${headDim / 4}u;
        if (begin + r <= last) {
          let at = r * ${strides.sums}u + 4u * i;
          let sum = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
          y[((base + begin + r) * params.numHeads + head) * ${headDim / 4}u + i] = vec4<f16>(sum * rescale[r]);
        }
      }
      if (lane < ${rows}u && begin + lane <= last) {
        let lse = select(${MASKED}, top + log(total), total > 0.0);
        statistics[(base + own) * params.numHeads + head] = vec2f(lse, 0.0);
      }
    }`;
  },
};
