import { FMA_UNROLL } from "../../shaders/roofline.wgsl.ts";
import type { RecordedDispatch } from "../tape.ts";
import {
  attention,
  cachedAttention,
  cacheHeads,
  type Cost,
  type CostOptions,
  type CostRule,
  costing,
  elementsOfRows,
  fusedProjection,
  lookUp,
  product,
  scatter,
  sparseRowsBackward,
  sparseRowsForward,
  splitSums,
  workOf,
} from "./cost_rules.ts";

export type { Cost, CostOptions } from "./cost_rules.ts";

/** The least work of every kernel, by name. A new kernel needs a line here. */
const RULES: Readonly<Record<string, CostRule>> = {
  // One element at a time; a function such as exp counts one.
  copy: costing(0),
  addInto: costing(1, undefined, ["y"]),
  add: costing(1),
  scale: costing(1),
  dropout: costing(1),
  silu: costing(4), // x / (1 + e⁻ˣ)
  siluBackward: costing(8),
  gelu: costing(5), // x / 2 · (1 + erf(x / √2))
  geluBackward: costing(11),
  geluTanh: costing(8),
  geluTanhBackward: costing(15),
  swiGlu: costing(5),
  swiGluBackwardGate: costing(9),
  swiGluBackwardUp: costing(5),
  cast: costing(0, elementsOfRows),
  rotary: ({ params, bytes }) => {
    const { numPairs = 0, rowPairs = 1, headPairs = 1, maxSeqLen = 1 } = params;
    const positions = Math.min(numPairs / rowPairs, maxSeqLen);
    return {
      flops: 6 * numPairs,
      bytes: bytes("x") + bytes("y") + bytes("positions") + 8 * headPairs * positions,
    };
  },

  // Rows.
  rmsNormForward: costing(4, elementsOfRows),
  rmsNormBackwardInput: costing(6, elementsOfRows),
  rmsNormBackwardWeight: costing(3, elementsOfRows),
  layerNormForward: costing(7, elementsOfRows),
  layerNormBackwardInput: costing(10, elementsOfRows),
  layerNormBackwardWeight: costing(5, elementsOfRows),
  sumColumns: costing(1, elementsOfRows),

  // Matrix products.
  matmulFlat: product,
  matmulTiled: product,
  matmulMatrix: product,
  addSplits: splitSums,
  fusedProjectionFlat: fusedProjection,
  fusedProjectionTiled: fusedProjection,
  packedMatmulNnFlat: product,
  packedMatmulNtFlat: product,
  packedMatmulTiled: product,
  packedFewRowsNn: product,
  packedFewRowsNt: product,

  // Attention, for each dimension of a head and pair of query and key: two products forward; three
  // for dQ and four for dK and dV, of which both compute the scores and their gradients again.
  attentionForward: attention(4),
  attentionBackwardQuery: attention(6),
  attentionBackwardKey: attention(8),
  attentionForwardBlock: attention(4),
  attentionBackwardQueryBlock: attention(6),
  attentionBackwardKeyBlock: attention(8),
  attentionForwardSubgroup: attention(4),
  attentionMatrix: attention(4),
  attentionBackwardQuerySubgroup: attention(6),
  attentionBackwardKeySubgroup: attention(8),
  attentionSpans: costing(0, () => 0),
  cachedAttention: cachedAttention("y"),
  decodeAttentionFlat: cachedAttention("sums"),
  decodeAttentionTiled: cachedAttention("sums"),
  combineSplits: (work) => {
    const { capacity = 1 } = work.params;
    const share = (work.seenKeys ?? capacity) / capacity;
    return {
      flops: 3 * share * work.length("sums"),
      bytes: share * (work.bytes("sums") + work.bytes("stats")) + work.bytes("y"),
    };
  },
  cacheHeads,
  writeCache: ({ bytes, length, width }) => ({
    flops: 0,
    bytes: bytes("x") + bytes("places") + length("x") * width("cache"),
  }),
  writeCaches: ({ bytes, length, width }) => ({
    flops: 0,
    bytes: 2 * (bytes("x") + length("x") * width("cache")) + bytes("places"),
  }),

  // Tables.
  embeddingForward: lookUp,
  packedEmbedding: lookUp,
  embeddingBackwardFlat: scatter,
  embeddingBackwardTiled: scatter,
  sparseRowsForward,
  sparseRowsBackwardFlat: sparseRowsBackward,
  sparseRowsBackwardTiled: sparseRowsBackward,

  // Losses; statistics of a row are four floats.
  crossEntropyTile: ({ params, constants }) => ({
    flops: 4 * params["numRows"]! * params["tileSize"]!, // maximum, difference, exp, sum
    bytes:
      params["numRows"]! *
      (4 * params["tileSize"]! +
        (constants["targets"] === true ? 4 : 0) +
        (constants["first"] === true ? 16 : 32)),
  }),
  softmaxLossForward: ({ params, bytes }) => ({
    flops: 4 * params["numRows"]! * params["numClasses"]!, // maximum, difference, exp, sum
    bytes: bytes("logits") + bytes("targets") + bytes("nll") + bytes("lse"),
  }),
  softmaxLossBackward: costing(4, ({ params }) => params["numRows"]! * params["numClasses"]!),
  crossEntropyLoss: costing(5, ({ params }) => params["numRows"]!, ["statistics"]),
  crossEntropyGradient: ({ params, bytes }) => ({
    flops: 4 * params["numRows"]! * params["tileSize"]!, // difference, exp, target, weight
    bytes:
      8 * params["numRows"]! * params["tileSize"]! +
      bytes("targets") +
      bytes("weights") +
      bytes("statistics") +
      bytes("dLoss"),
  }),
  pairLogProbabilities: ({ params, bytes, width, length }) => {
    const { numPairs = 0, dModel = 1, vocabSize = 1, tokenBegin = 0, tokenEnd = 0 } = params;
    const pairs = (numPairs * (tokenEnd - tokenBegin)) / vocabSize;
    const rows = (name: string) => Math.min(pairs, length(name) / dModel) * dModel * width(name);
    return {
      flops: 2 * pairs * dModel,
      bytes: rows("x") + rows("weight") + 8 * numPairs + (bytes("y") * pairs) / numPairs,
    };
  },

  twoStageForward: costing(4, elementsOfRows), // maximum, difference, exp, sum
  twoStageBackward: costing(4, elementsOfRows), // difference, exp, target, weight
  twoStageProbabilities: costing(3, elementsOfRows), // difference, sum, exp

  // The update: AdamW reads and writes weights and moments, and clears the gradient.
  sumSquares: ({ params, bytes }) => ({ flops: 2 * params["length"]!, bytes: bytes("gradient") }),
  clipScale: costing(1, ({ params }) => params["numPartials"]!),
  adamW: costing(17, undefined, ["gradient", "m", "v", "parameter"]),

  // Sampling: logits once; what depends on settings is left out.
  sampleTokens: ({ params, bytes }) => ({
    flops: 2 * params["numRows"]! * params["vocabSize"]!, // temperature, maximum
    bytes: bytes("logits") + bytes("tokens") + bytes("logProbabilities"),
  }),
  advanceHistory: ({ params }) => ({ flops: 0, bytes: 24 * params["numRows"]! }),
  advanceInputs: ({ params }) => ({ flops: 0, bytes: 28 * params["numRows"]! }),

  // The adapter's ceilings.
  rooflineCopy: costing(0),
  rooflineFma: ({ params, constants, bytes, length }) => ({
    flops:
      2 *
      FMA_UNROLL *
      params["iterations"]! *
      length("y") *
      Number(constants["chains"]) *
      Number(constants["width"]),
    bytes: bytes("y"),
  }),
  rooflineMatrix: (work) => ({
    flops: 2 * work.params["iterations"]! * work.length("sums") * matrixDepth(work.constants),
    bytes: work.all(),
    halves: true,
  }),
};

function matrixDepth(constants: Readonly<Record<string, unknown>>): number {
  return (constants["shape"] as { readonly k: number }).k;
}

/** Whether a kernel's cost is known; that of others is what they bind, without operations. */
export function hasCost(kernel: string): boolean {
  return Object.hasOwn(RULES, kernel);
}

/**
 * The least work of a dispatch: the operations that its kernel's formula asks for, and the bytes
 * that must move if everything bound moves once: what is read once, what is written once, what is
 * updated twice; of windows, tables and caches only the part that is used.
 *
 * @param dispatch As a tape recorded it.
 * @param options What only data tells: how many keys a query sees.
 */
export function costOf(dispatch: RecordedDispatch, options: CostOptions = {}): Cost {
  const work = workOf(dispatch, options);
  const rule = hasCost(dispatch.kernel.name) ? RULES[dispatch.kernel.name] : undefined;
  return rule?.(work) ?? { flops: 0, bytes: work.all() };
}
