/**
 * One token for every row of logits, drawn without sorting and without reading anything back.
 *
 *     x[v] = penalized logit        w[v] = exp((x[v] − max x) / temperature)
 *     kept = {v : x[v] ≥ the k-th largest, Σ of the kept ≥ topP of it, w[v] ≥ minP}
 *     token = min {v : Σ_{kept ≤ v} w > u · Σ_{kept} w}        u = Philox(seed, step)
 *
 * Each of the three searches fixes two bits of its result at a time, from the top: a sum for each
 * of three bounds, over all candidates. Floats are searched as integers of the same order. What can
 * no longer be kept is dropped from the candidates on the way, so that later sums are short.
 * docs/kernels/sampling.md says why a search for a bound cannot fail by rounding.
 *
 * Salmon et al., 2011, for Philox; Holtzman et al., "The Curious Case of Neural Text
 * Degeneration", 2020, https://arxiv.org/abs/1904.09751, for top-p; Keskar et al., "CTRL", 2019,
 * https://arxiv.org/abs/1909.05858, for the penalty; Nguyen et al., "Turning Up the Heat", 2025,
 * https://arxiv.org/abs/2407.01082, for min-p.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { PHILOX } from "./philox.wgsl.ts";
import { NO_TOKEN } from "./sampling_advance.wgsl.ts";
import { lanesPerRow, type SharedRowConstants, shareRows } from "./sampling_lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Fields of a row of settings, in order; the last two are the words of the seed, the rest f32. */
export const SETTINGS_FIELDS = [
  "inverseTemperature", // 0 for greedy
  "topK", // 0 for all
  "topP",
  "logMinP",
  "penalty",
  "inversePenalty",
  "seedLow",
  "seedHigh",
] as const;

const PARAMS = { numRows: "u32", vocabSize: "u32", listLength: "u32", idBits: "u32" } as const;

/** Last word of the counter: no other user of Philox counts with it. */
const STREAM = 0x73_61_6d_70;

/** Candidates added one after another, before their sum is added to the rest: rounds less. */
const BLOCK = 64;

/** Elements of the candidates of a row: every lane has a list of its own, all interleaved. */
export function listLengthOf(constants: SharedRowConstants, vocabSize: number): number {
  const lanes = lanesPerRow(constants);
  return Math.ceil(vocabSize / lanes) * lanes;
}

/** Key of 1.7e38, half of what a mask of −3.4e38 asks for, so that no difference overflows. */
const HIGHEST = (new Uint32Array(Float32Array.of(1.7e38).buffer)[0]! | (2 ** 31)) >>> 0;

const FLOATS = wgsl`
    const highest = ${HIGHEST}u;
    const lowest = ~highest;

    // Bits of a float as an integer of the same order. NaN counts as masked, -0 as 0.
    fn keyOf(bits: u32) -> u32 {
      if ((bits & 0x7fffffffu) > 0x7f800000u) { return lowest; }
      if (bits == 0x80000000u) { return bits; }
      return clamp(select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u), lowest, highest);
    }

    fn valueOf(key: u32) -> f32 {
      return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
    }

    // x / temperature, less that of the top.
    struct Scale { top: f32, inverseTemperature: f32 }

    fn exponentOf(key: u32, scale: Scale) -> f32 {
      return max(valueOf(key) - scale.top, -1e30) * scale.inverseTemperature;
    }

    // Below e^-87 floats are denormal, of which each device makes what it likes.
    fn weightOf(exponent: f32) -> f32 { return select(exp(exponent), 0.0, exponent < -87.0); }

    fn countOf(isTrue: vec3<bool>) -> u32 { return dot(select(vec3u(), vec3u(1u), isTrue), vec3u(1u)); }`;

/** Penalized logits: `inverse` for those above zero, `factor` for the others, of seen tokens. */
const PENALTY = wgsl`
    struct Penalty { factor: f32, inverse: f32 }

    fn penalize(key: u32, v: u32, row: u32, penalty: Penalty) -> u32 {
      if (penalty.factor == 1.0) { return key; }
      let word = seen[row * ((params.vocabSize + 31u) / 32u) + v / 32u];
      if (((word >> (v % 32u)) & 1u) == 0u) { return key; }
      let x = valueOf(key);
      return keyOf(bitcast<u32>(x * select(penalty.factor, penalty.inverse, x > 0.0)));
    }`;

/** Sums over a lane's list in blocks; `add` adds `candidate` to `blockSums`. */
const sumOverList = (add: string): string => `
        var sums = vec4f();
        for (var block = 0u; block < length; block += ${BLOCK}u) {
          var blockSums = vec4f();
          for (var j = block; j < min(block + ${BLOCK}u, length); j++) {
            let candidate = candidates[(*list).begin + j * lanes];
            ${add}
          }
          sums += blockSums;
        }
        let total = rowSum(sums, lane);`;

// All lanes of a row call these, each with its own list: (id, key) of every candidate, by id.
const SEARCHES = `
    struct List { begin: u32, length: u32 }

    // A number of candidates, or a share of their weights; none below the floor counts.
    struct Goal { amount: f32, isShare: bool, floor: u32 }

    // The largest bound that enough candidates reach; drops those that fall below.
    fn largestBound(list: ptr<function, List>, goal: Goal, scale: Scale, lane: u32) -> u32 {
      var bound = 0u;
      var need = goal.amount;
      for (var shift = 30u; shift < 32u; shift -= 2u) {
        let bounds = bound + (vec3u(1u, 2u, 3u) << vec3u(shift));
        let floor = max(bound, goal.floor);
        let length = (*list).length;
        var numKept = 0u;
        ${sumOverList(`if (candidate.y < floor) { continue; }
            if (numKept != j) { candidates[(*list).begin + numKept * lanes] = candidate; }
            numKept++;
            var weight = 1.0;
            if (goal.isShare) { weight = weightOf(exponentOf(candidate.y, scale)); }
            let reaches = vec4<bool>(candidate.yyy >= bounds, true);
            blockSums += select(vec4f(), vec4f(weight), reaches);`)}
        (*list).length = numKept;
        if (goal.isShare && shift == 30u) { need = goal.amount * total.w; }
        bound += countOf(total.xyz >= vec3f(need)) << shift;
      }
      return bound;
    }

    // Keeps what reaches the floor and the least exponent; stores weights in place of keys.
    fn keep(list: ptr<function, List>, floor: u32, least: f32, scale: Scale) {
      var numKept = 0u;
      for (var j = 0u; j < (*list).length; j++) {
        let candidate = candidates[(*list).begin + j * lanes];
        let exponent = exponentOf(candidate.y, scale);
        let weight = weightOf(exponent);
        if (candidate.y < floor || exponent < least || weight == 0.0) { continue; }
        candidates[(*list).begin + numKept * lanes] = vec2u(candidate.x, bitcast<u32>(weight));
        numKept++;
      }
      (*list).length = numKept;
    }

    // The first id whose weight takes the sum of weights beyond this share of their total.
    fn firstBeyond(list: ptr<function, List>, share: f32, lane: u32) -> u32 {
      var id = 0u;
      var most = 0.0;
      let length = (*list).length;
      for (var shift = params.idBits - 2u; shift < 32u; shift -= 2u) {
        let bounds = id + (vec3u(1u, 2u, 3u) << vec3u(shift));
        ${sumOverList(`let isBefore = vec4<bool>(candidate.xxx < bounds, true);
            blockSums += select(vec4f(), vec4f(bitcast<f32>(candidate.y)), isBefore);`)}
        if (shift == params.idBits - 2u) { most = share * total.w; }
        id += countOf(total.xyz <= vec3f(most)) << shift;
      }
      return min(id, params.vocabSize - 1u);
    }`;

const BUFFERS = {
  logits: "read",
  seen: "read",
  settings: "read",
  steps: "read",
  finished: "read",
  candidates: "read_write",
  tokens: "read_write",
  logProbabilities: "read_write",
} as const;

/** Chosen tokens and their log-probabilities; finished rows have none. */
export const sampleKernel: Kernel<SharedRowConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "sampleTokens",
  params: PARAMS,
  buffers: BUFFERS,
  code: (constants) => {
    const shared = shareRows(constants);
    return wgsl`
    ${shared.directives}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> logits: array<u32>;                  // [numRows, vocabSize], bits of f32
    @group(0) @binding(2) var<storage, read> seen: array<u32>;                    // [numRows, ⌈vocabSize / 32⌉], bits
    @group(0) @binding(3) var<storage, read> settings: array<u32>;                // [numRows, 8], bits of f32 and the seed
    @group(0) @binding(4) var<storage, read> steps: array<u32>;                   // [numRows]
    @group(0) @binding(5) var<storage, read> finished: array<u32>;                // [numRows]
    @group(0) @binding(6) var<storage, read_write> candidates: array<vec2u>;      // [numRows, listLength]
    @group(0) @binding(7) var<storage, read_write> tokens: array<u32>;            // [numRows]
    @group(0) @binding(8) var<storage, read_write> logProbabilities: array<f32>;  // [numRows]

    const lanes = ${lanesPerRow(constants)}u;

    ${shared.functions}
    ${PHILOX}
    ${FLOATS}
    ${PENALTY}
    ${SEARCHES}

    // Largest logit as a key; key and id of the largest after the penalty, the lowest id of equals.
    fn topOf(row: u32, penalty: Penalty, lane: u32) -> vec3u {
      var top = vec2u();
      var id = 0u;
      for (var v = lane; v < params.vocabSize; v += lanes) {
        let raw = keyOf(logits[row * params.vocabSize + v]);
        let key = penalize(raw, v, row, penalty);
        if (key > top.y) { id = v; }
        top = max(top, vec2u(raw, key));
      }
      let all = rowMax(top, lane);
      let first = rowMax(vec2u(select(0u, ~id, top.y == all.y), 0u), lane);
      return vec3u(all, ~first.x);
    }

    // Logarithm of the sum of all exp(logit - top); lists all candidates, if asked.
    fn logSumOf(list: ptr<function, List>, row: u32, top: f32, penalty: Penalty, isListed: bool, lane: u32) -> f32 {
      var sum = 0.0;
      for (var block = lane; block < params.vocabSize; block += ${BLOCK}u * lanes) {
        var blockSum = 0.0;
        for (var v = block; v < min(block + ${BLOCK}u * lanes, params.vocabSize); v += lanes) {
          let key = keyOf(logits[row * params.vocabSize + v]);
          blockSum += exp(valueOf(key) - top);
          if (isListed) {
            candidates[(*list).begin + (*list).length * lanes] = vec2u(v, penalize(key, v, row, penalty));
            (*list).length++;
          }
        }
        sum += blockSum;
      }
      return log(rowSum(vec4f(sum), lane).x);
    }

    fn setting(row: u32, field: u32) -> f32 {
      return bitcast<f32>(settings[row * ${SETTINGS_FIELDS.length}u + field]);
    }

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      ${shared.builtins}
    ) {
      ${shared.begin}
      if (finished[row] != 0u) {
        if (lane == 0u) {
          tokens[row] = ${NO_TOKEN}u;
          logProbabilities[row] = 0.0;
        }
        return;
      }
      let inverseTemperature = setting(row, 0u);
      let topK = setting(row, 1u);
      let topP = setting(row, 2u);
      let penalty = Penalty(setting(row, 4u), setting(row, 5u));
      var list = List(row * params.listLength + lane, 0u);
      let top = topOf(row, penalty, lane);
      let isGreedy = inverseTemperature == 0.0;
      let logSum = logSumOf(&list, row, valueOf(top.x), penalty, !isGreedy, lane);
      var token = top.z;
      if (!isGreedy) {
        let scale = Scale(valueOf(top.y), inverseTemperature);
        var floor = 0u;
        if (topK > 0.0) { floor = largestBound(&list, Goal(topK, false, 0u), scale, lane); }
        if (topP < 1.0) { floor = largestBound(&list, Goal(topP, true, floor), scale, lane); }
        keep(&list, floor, setting(row, 3u), scale);
        let seed = vec2u(settings[row * ${SETTINGS_FIELDS.length}u + 6u], settings[row * ${SETTINGS_FIELDS.length}u + 7u]);
        let bits = philox(vec4u(steps[row], 0u, 0u, ${STREAM}u), seed).x;
        token = firstBeyond(&list, f32(bits >> 8u) * ${2 ** -24}f, lane);
      }
      if (lane == 0u) {
        tokens[row] = token;
        let chosen = valueOf(keyOf(logits[row * params.vocabSize + token]));
        logProbabilities[row] = chosen - valueOf(top.x) - logSum;
      }
    }`;
  },
};
