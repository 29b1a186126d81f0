/**
 * CAREER's two-stage head: first whether a person stays, then where to, were the person to move.
 *
 * Of the columns of a row, the last is the logit `s` of staying, the `V` before it are the logits
 * `z` of occupations; `b` is the occupation before, and `σ(s) = 1 / (1 + e⁻ˢ)`.
 *
 *     lse              = log Σ_{v ≠ b} e^z[v]
 *     log P(b)         = log σ(s)
 *     log P(v ≠ b)     = log σ(−s) + z[v] − lse
 *     no b (first)     log P(v) = z[v] − lse over all v; s is not read
 *     nll              = −weight · log P(y)
 *
 *     stayed, y = b    ds = (σ(s) − 1) · weight · dLoss      dz = 0
 *     moved            ds = σ(s) · weight · dLoss            dz[v ≠ b] = (e^(z[v] − lse) − [v = y]) · weight · dLoss
 *     first            ds = 0                                dz as moved
 *
 * Vafa, Palikot, Du, Kanodia, Athey & Blei, "CAREER: Transfer Learning for Economic Prediction of
 * Labor Sequence Data", 2022, section 3.2. https://arxiv.org/abs/2202.08370
 */
import { storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import { workgroupMax } from "./reduce.wgsl.ts";
import { type RowConstants, walkRows } from "./rows.wgsl.ts";
import { wgsl } from "./wgsl.ts";

const PARAMS = { numRows: "u32", numColumns: "u32" } as const;

/** Constants of {@linkcode twoStageForward}. */
export interface TwoStageConstants extends RowConstants {
  /** Counts the occupations that are more probable than the true one. */
  readonly rank: boolean;
}

/** log σ(s) without overflow: s or 0, less log(1 + e^−|s|). */
const LOG_SIGMOID = `fn logSigmoid(s: f32) -> f32 { return min(s, 0.0) - log(1.0 + exp(-abs(s))); }`;

const FORWARD_BUFFERS = {
  logits: "read",
  previous: "read",
  targets: "read",
  weights: "read",
  statistics: "read_write",
  logProbabilities: "read_write",
  nll: "read_write",
} as const;

/** The loss of every row, and what backward and scores need of it. */
export const twoStageForward: Kernel<TwoStageConstants, typeof PARAMS, typeof FORWARD_BUFFERS> = {
  name: "twoStageForward",
  params: PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ rank, ...constants }) => {
    const walk = walkRows(constants);
    const isTiled = constants.variant === "tiled";
    return wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;                  // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> previous: array<u32>;                // [numRows]
    @group(0) @binding(3) var<storage, read> targets: array<u32>;                 // [numRows]
    @group(0) @binding(4) var<storage, read> weights: array<f32>;                 // [numRows]
    @group(0) @binding(5) var<storage, read_write> statistics: array<vec4f>;      // [numRows]: lse, log P(y), P(stay), rank
    @group(0) @binding(6) var<storage, read_write> logProbabilities: array<f32>;  // [numRows]
    @group(0) @binding(7) var<storage, read_write> nll: array<f32>;               // [numRows]

    ${walk.functions}
    ${isTiled ? workgroupMax(constants.workgroupSize) : ""}
    fn rowMax(value: f32, lane: u32) -> f32 { return ${isTiled ? "workgroupMax(value, lane)" : "value"}; }
    ${LOG_SIGMOID}

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${walk.begin}
      let at = min(row, params.numRows - 1u);
      let stayColumn = params.numColumns - 1u;
      let before = previous[at];
      var top = -3.4e38;
      ${walk.eachColumn} {
        let isMove = i != stayColumn && i != before;
        top = max(top, select(-3.4e38, logits[begin + i], isMove));
      }
      top = rowMax(top, lane);
      var total = 0.0;
      ${walk.eachColumn} {
        let isMove = i != stayColumn && i != before;
        // Where it is no move, the logit may lie above the top, and its exponential beyond f32.
        total += select(0.0, exp(min(logits[begin + i] - top, 0.0)), isMove);
      }
      let lse = top + log(rowSum(total, lane));

      let s = logits[begin + stayColumn];
      let hasBefore = before < stayColumn;
      let logStay = logSigmoid(s);
      let logMove = select(0.0, logSigmoid(-s), hasBefore);
      let y = targets[at];
      let own = min(y, stayColumn - 1u);
      let logOwn = select(logits[begin + own] - lse + logMove, logStay, own == before);
      var numAbove = 0.0;
      #if ${rank}
      ${walk.eachColumn} {
        let logOther = select(logits[begin + i] - lse + logMove, logStay, i == before);
        numAbove += select(0.0, 1.0, i != stayColumn && logOther > logOwn);
      }
      numAbove = rowSum(numAbove, lane);
      #endif
      if (${walk.isFirstLane}) {
        let logProbability = select(0.0, logOwn, y < stayColumn);
        let stay = select(0.0, exp(logStay), hasBefore);
        statistics[row] = vec4f(lse, logProbability, stay, numAbove);
        logProbabilities[row] = logProbability;
        nll[row] = -weights[row] * logProbability;
      }
    }`;
  },
};

const BACKWARD_BUFFERS = {
  logits: "read",
  previous: "read",
  targets: "read",
  weights: "read",
  statistics: "read",
  dLoss: "read",
  dLogits: "read_write",
} as const;

/** Gradient of the logits; one lane an element, both variants. */
export const twoStageBackward: Kernel<
  {
    readonly workgroupSize: number;
    readonly accumulate: boolean;
  },
  typeof PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "twoStageBackward",
  params: PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ workgroupSize, accumulate }) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;          // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> previous: array<u32>;        // [numRows]
    @group(0) @binding(3) var<storage, read> targets: array<u32>;         // [numRows]
    @group(0) @binding(4) var<storage, read> weights: array<f32>;         // [numRows]
    @group(0) @binding(5) var<storage, read> statistics: array<vec4f>;    // [numRows]: lse, log P(y), P(stay), rank
    @group(0) @binding(6) var<storage, read> dLoss: array<f32>;           // [1]
    @group(0) @binding(7) var<storage, read_write> dLogits: array<f32>;   // [numRows, numColumns]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      // One workgroup stays within a row, so that its statistics are the same for all lanes.
      let groupsAcross = (params.numColumns + ${workgroupSize - 1}u) / ${workgroupSize}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let row = group / groupsAcross;
      let v = group % groupsAcross * ${workgroupSize}u + lane;
      if (row >= params.numRows || v >= params.numColumns) { return; }
      let i = row * params.numColumns + v;
      let stayColumn = params.numColumns - 1u;
      let y = targets[row];
      let before = previous[row];
      let stays = y == before; // where neither is an occupation, the row is ignored
      var d = 0.0;
      if (v == stayColumn) {
        d = statistics[row].z - select(0.0, 1.0, stays); // P(stay) of a first row is 0
      } else if (!stays && v != before) {
        d = exp(min(logits[i] - statistics[row].x, 0.0)) - select(0.0, 1.0, v == y);
      }
      d *= select(0.0, weights[row] * dLoss[0], y < stayColumn);
      ${storeOrAdd("dLogits[i]", "d", accumulate, "f32")}
    }`,
};

const PROBABILITIES_BUFFERS = {
  logits: "read",
  previous: "read",
  statistics: "read",
  probabilities: "read_write",
} as const;

/** Probability of every occupation; one lane an element, both variants. */
export const twoStageProbabilities: Kernel<
  { readonly workgroupSize: number },
  typeof PARAMS,
  typeof PROBABILITIES_BUFFERS
> = {
  name: "twoStageProbabilities",
  params: PARAMS,
  buffers: PROBABILITIES_BUFFERS,
  code: ({ workgroupSize }) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<f32>;               // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read> previous: array<u32>;             // [numRows]
    @group(0) @binding(3) var<storage, read> statistics: array<vec4f>;         // [numRows]: lse, log P(y), P(stay), rank
    @group(0) @binding(4) var<storage, read_write> probabilities: array<f32>;  // [numRows, numColumns - 1]

    ${LOG_SIGMOID}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let stayColumn = params.numColumns - 1u;
      let i = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      let row = i / stayColumn;
      let v = i % stayColumn;
      if (row >= params.numRows) { return; }
      let before = previous[row];
      let s = logits[row * params.numColumns + stayColumn];
      let logMove = select(0.0, logSigmoid(-s), before < stayColumn);
      // A lane of the occupation before may not see its own logit above the top as e to some power.
      let share = min(logits[row * params.numColumns + v] - statistics[row].x, 0.0);
      probabilities[i] = select(exp(share + logMove), exp(logSigmoid(s)), v == before);
    }`,
};
