import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import type { Tape } from "../../engine/tape.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";
import { type CaseResult, EXP_TOLERANCE, type KernelCase, type Scale } from "./kernel_case.ts";
import { MODELS, type ModelShape } from "./models.ts";

interface CrossEntropy {
  readonly model: ModelShape;
  readonly numTokens: number;
  readonly vocabSize: number;
}

const SIZES = {
  small: { numTokens: 16, maxVocab: 2048 },
  full: { numTokens: 2048, maxVocab: Infinity },
} as const;

/** Multiply-adds up to which a gradient of the whole output layer is worth a reference. */
const MOST_REFERENCE_OPERATIONS = 1e8;

/** Output layer and loss in one, with gradients: no logits of a whole batch exist. */
export function crossEntropyCases(scale: Scale): KernelCase[] {
  const { numTokens, maxVocab } = SIZES[scale];
  return MODELS.map((model) =>
    crossEntropyCase({
      model,
      numTokens,
      vocabSize: Math.min(model.config.vocabSize, maxVocab),
    }),
  );
}

function crossEntropyCase(sizes: CrossEntropy): KernelCase {
  const { model, numTokens, vocabSize } = sizes;
  const { dModel } = model.config;
  const weight = bytesOf({ shape: [vocabSize, dModel], dtype: "f32" });
  const x = bytesOf({ shape: [numTokens, dModel], dtype: "f32" });
  return {
    id: `linear+cross-entropy forward+backward f32 ${model.name} ${numTokens}x${dModel}x${vocabSize}`,
    group: "cross-entropy",
    shape: `[${numTokens}, ${dModel}] · [${vocabSize}, ${dModel}]ᵀ`,
    dtype: "f32",
    needsFloat16: false,
    isQuick: model.name.startsWith("GPT-2"),
    // Forward and both gradients; logits that are computed twice count once.
    flops: 6 * numTokens * dModel * vocabSize,
    // The weight is read forward and backward, and its gradient read and written.
    bytes: 4 * weight + 3 * x,
    record: (tape, make) => recordCrossEntropy(tape, make, sizes),
  };
}

function recordCrossEntropy(
  tape: Tape,
  make: CaseTensors,
  { model, numTokens, vocabSize }: CrossEntropy,
): CaseResult[] {
  const { dModel } = model.config;
  const x = make.activation("x", [numTokens, dModel]);
  const weight = make.parameter("weight", [vocabSize, dModel], { scale: 3 / Math.sqrt(dModel) });
  const targets = make.indices(numTokens, vocabSize);
  const weights = make.tensor("weights", [numTokens]);
  const { loss, logProbabilities } = linearCrossEntropy(tape, {
    x: x.tensor,
    weight: weight.tensor,
    targets: make.integers("targets", targets),
    weights: weights.tensor,
  });
  const seed = make.empty("dLoss", [1]);
  make.write(seed, Float32Array.of(1));
  tape.backward(loss, seed, [x.tensor]);

  const rows = new Map<number, Float64Array>();
  /** Log-probabilities of all tokens behind one. */
  const logsOf = (t: number): Float64Array => {
    const found =
      rows.get(t) ?? logSoftmax(x.values.subarray(t * dModel, (t + 1) * dModel), weight.values);
    rows.set(t, found);
    return found;
  };
  /** Gradient of a logit: what softmax gives too much. */
  const excess = (t: number, token: number): number =>
    weights.values[t]! * (Math.exp(logsOf(t)[token]!) - (token === targets[t]! ? 1 : 0));
  const sum = (length: number, term: (i: number) => number) => {
    let [value, magnitude] = [0, 0];
    for (let i = 0; i < length; i++) {
      const each = term(i);
      value += each;
      magnitude += Math.abs(each);
    }
    return { value, magnitude };
  };
  const isAffordable = numTokens * vocabSize * dModel <= MOST_REFERENCE_OPERATIONS;
  const results: CaseResult[] = [
    {
      name: "log-probabilities",
      tensor: logProbabilities,
      numSamples: 3,
      expected: (t) => ({ value: logsOf(t)[targets[t]!]!, magnitude: 10 }),
      tolerance: 2e-6,
    },
    {
      name: "dx",
      tensor: tape.gradient(x.tensor),
      numSamples: 2,
      expected: (index) => {
        const [t, i] = [Math.floor(index / dModel), index % dModel];
        return sum(vocabSize, (token) => excess(t, token) * weight.values[token * dModel + i]!);
      },
      tolerance: EXP_TOLERANCE,
    },
  ];
  if (!isAffordable) return results;
  results.push({
    name: "dWeight",
    tensor: weight.tensor.gradient,
    expected: (index) => {
      const [token, i] = [Math.floor(index / dModel), index % dModel];
      return sum(numTokens, (t) => excess(t, token) * x.values[t * dModel + i]!);
    },
    tolerance: EXP_TOLERANCE,
  });
  return results;
}

function logSoftmax(x: Float32Array, weight: Float32Array): Float64Array {
  const logits = Float64Array.from({ length: weight.length / x.length }, (_, token) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i]! * weight[token * x.length + i]!;
    return sum;
  });
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
  return logits.map((logit) => logit - top - Math.log(total));
}
