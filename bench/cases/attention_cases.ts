import { causalAttention } from "../../engine/ops/attention.ts";
import type { Tape } from "../../engine/tape.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";
import { derivative } from "./difference.ts";
import { type CaseResult, EXP_TOLERANCE, type KernelCase, type Scale } from "./kernel_case.ts";
import { MODELS } from "./models.ts";

/** Causal self-attention over rows that are one document each. */
interface Attention {
  readonly of: string;
  readonly dtype: "f32" | "f16";
  readonly isBackward: boolean;
  readonly numRows: number;
  readonly seqLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/** Rows, and tokens of a row at most. */
const SIZES = { small: { numRows: 1, seqLen: 64 }, full: { numRows: 4, seqLen: 1024 } } as const;

/** The size that engines are compared on. */
const COMPARED = { numRows: 1, numHeads: 8, numKvHeads: 8, seqLen: 256, headDim: 64 } as const;

/** Products of backward beside the two of forward: scores again, dP, dV, dQ and dK. */
const BACKWARD_FLOPS = 2.5;

/** Attention of training: forward, and with its gradients. */
export function attentionCases(scale: Scale): KernelCase[] {
  const { numRows, seqLen } = SIZES[scale];
  const shapes = [
    { of: "", ...COMPARED },
    ...MODELS.map(({ name, config: { numHeads, numKvHeads, headDim, maxSeqLen } }) => {
      const length = Math.min(seqLen, maxSeqLen);
      return { of: name, numRows, seqLen: length, numHeads, numKvHeads, headDim };
    }),
  ];
  return shapes.flatMap((shape) =>
    (["f32", "f16"] as const).flatMap((dtype) =>
      [false, true].map((isBackward) => attentionCase({ ...shape, dtype, isBackward })),
    ),
  );
}

function attentionCase(attention: Attention): KernelCase {
  const { of, dtype, isBackward, numRows, seqLen, numHeads, numKvHeads, headDim } = attention;
  const pass = isBackward ? "forward+backward" : "forward";
  const sizes = `B${numRows} H${numHeads}/${numKvHeads} T${seqLen} D${headDim}`;
  const numPairs = (seqLen * (seqLen + 1)) / 2;
  const forward = 4 * numRows * numHeads * numPairs * headDim;
  const heads = (count: number) => bytesOf({ shape: [numRows * seqLen, count * headDim], dtype });
  // q, k, v and y; backward reads them again with dy, and writes dq, dk and dv.
  const bytes = 2 * heads(numHeads) + 2 * heads(numKvHeads);
  return {
    id: ["attention", pass, dtype, of, sizes].filter((part) => part !== "").join(" "),
    group: "attention",
    shape: sizes,
    dtype,
    needsFloat16: dtype === "f16",
    isQuick: of === "" && dtype === "f32",
    flops: isBackward ? (1 + BACKWARD_FLOPS) * forward : forward,
    bytes: isBackward ? 3 * bytes : bytes,
    record: (tape, make) => recordAttention(tape, make, attention),
  };
}

function recordAttention(tape: Tape, make: CaseTensors, attention: Attention): CaseResult[] {
  const { dtype, isBackward, numRows, seqLen, numHeads, numKvHeads, headDim } = attention;
  const numTokens = numRows * seqLen;
  const shapeOf = (count: number) => [numTokens, count * headDim];
  const q = make.activation("q", shapeOf(numHeads), { dtype });
  const k = make.activation("k", shapeOf(numKvHeads), { dtype });
  const v = make.activation("v", shapeOf(numKvHeads), { dtype });
  const starts = make.integers("starts", new Uint32Array(numTokens));
  const ends = make.integers("ends", new Uint32Array(numTokens).fill(seqLen));
  const tensors = { q: q.tensor, k: k.tensor, v: v.tensor, starts, ends };
  const y = causalAttention(tape, tensors, { seqLen, numHeads, numKvHeads, headDim });
  const values = { q: q.values, k: k.values, v: v.values };
  const width = numHeads * headDim;
  const results: CaseResult[] = [
    {
      name: "y",
      tensor: y,
      expected: (index) => {
        const head = headAt(
          attention,
          Math.floor(index / width),
          Math.floor((index % width) / headDim),
        );
        return { value: attendOne(attention, values, head)[index % headDim]!, magnitude: 1 };
      },
      tolerance: EXP_TOLERANCE,
    },
  ];
  if (!isBackward) return results;
  const dy = make.tensor("dy", y.shape, { dtype });
  const inputs = [q.tensor, k.tensor, v.tensor];
  tape.backward(y, dy.tensor, inputs);
  const gradient = (name: "q" | "k" | "v"): CaseResult => ({
    name: `d${name}`,
    tensor: tape.gradient(tensors[name]),
    numSamples: name === "q" ? 8 : 3,
    expected: (index) => ({
      value: derivative((change) =>
        lossOf(attention, values, { dy: dy.values, name, index, change }),
      ),
      magnitude: 4, // terms of dy · v and of p · k, some of which cancel
    }),
    tolerance: EXP_TOLERANCE,
  });
  return [...results, gradient("q"), gradient("k"), gradient("v")];
}

/** Places of a query head and of the keys that it reads. */
interface Head {
  readonly row: number;
  readonly t: number;
  readonly queryAt: number;
  /** Place of key `s`, of the row's first token on. */
  readonly keyAt: (s: number) => number;
}

function headAt(
  { seqLen, numHeads, numKvHeads, headDim }: Attention,
  token: number,
  head: number,
): Head {
  const row = Math.floor(token / seqLen);
  const kvHead = Math.floor((head * numKvHeads) / numHeads);
  return {
    row,
    t: token % seqLen,
    queryAt: (token * numHeads + head) * headDim,
    keyAt: (s) => ((row * seqLen + s) * numKvHeads + kvHead) * headDim,
  };
}

/** A change of one input. */
interface Change {
  readonly name: "q" | "k" | "v";
  readonly index: number;
  readonly change: number;
}

/** The output of one query head, in float64, perhaps after a change of one input. */
function attendOne(
  { headDim }: Attention,
  { q, k, v }: Readonly<Record<"q" | "k" | "v", Float32Array>>,
  { t, queryAt, keyAt }: Head,
  changed?: Change,
): Float64Array {
  const added = (name: Change["name"], at: number) =>
    changed !== undefined && changed.name === name && changed.index === at ? changed.change : 0;
  const scores = new Float64Array(t + 1);
  for (let s = 0; s <= t; s++) {
    const at = keyAt(s);
    let sum = 0;
    for (let i = 0; i < headDim; i++) {
      const [left, right] = [
        q[queryAt + i]! + added("q", queryAt + i),
        k[at + i]! + added("k", at + i),
      ];
      sum += left * right;
    }
    scores[s] = sum / Math.sqrt(headDim);
  }
  const top = scores.reduce((most, score) => Math.max(most, score), -Infinity);
  const weights = scores.map((score) => Math.exp(score - top));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const y = new Float64Array(headDim);
  for (let s = 0; s <= t; s++) {
    const at = keyAt(s);
    for (let i = 0; i < headDim; i++)
      y[i]! += (weights[s]! / total) * (v[at + i]! + added("v", at + i));
  }
  return y;
}

/** Σ dy · y over the query heads that a change of one input reaches. */
function lossOf(
  attention: Attention,
  values: Readonly<Record<"q" | "k" | "v", Float32Array>>,
  { dy, ...changed }: Change & { readonly dy: Float32Array },
): number {
  const { seqLen, numHeads, numKvHeads, headDim } = attention;
  const isQuery = changed.name === "q";
  const width = (isQuery ? numHeads : numKvHeads) * headDim;
  const token = Math.floor(changed.index / width);
  const changedHead = Math.floor((changed.index % width) / headDim);
  const group = numHeads / numKvHeads;
  const heads = isQuery
    ? [changedHead]
    : Array.from({ length: group }, (_, i) => changedHead * group + i);
  const end = isQuery ? token + 1 : (Math.floor(token / seqLen) + 1) * seqLen;
  let loss = 0;
  for (let query = token; query < end; query++) {
    for (const head of heads) {
      const at = headAt(attention, query, head);
      attendOne(attention, values, at, changed).forEach(
        (value, i) => (loss += dy[at.queryAt + i]! * value),
      );
    }
  }
  return loss;
}
