import { chunksOfQueries } from "../../shaders/attention_spans.wgsl.ts";
import type {
  AttentionCall,
  AttentionFamily,
  AttentionPass,
  AttentionProblem,
} from "./attention_family.ts";
import { blockAttention } from "./attention_block.ts";
import { laneAttention } from "./attention_lane.ts";
import { matrixAttention } from "./attention_matrix.ts";
import { subgroupAttention } from "./attention_subgroup.ts";
import type { Tape } from "../tape.ts";
import type { Choice, TensorMaker, Tunable, TuningDevice } from "../tuning/tunable.ts";

/** The families that may give a default. */
const FAMILIES: readonly AttentionFamily[] = [blockAttention, subgroupAttention, laneAttention];

/** Those that only a tuner chooses: they round probabilities to halves. */
const MEASURED: readonly AttentionFamily[] = [matrixAttention];

/**
 * Below this width a lane holds a head with ease. At this very width a software adapter takes a
 * tenth longer for the backward pass in blocks, but compiles it in half the time.
 */
const WIDE_HEAD = { tiled: 64, flat: 32 } as const;

/** Products of `headDim` terms that a pass computes for each pair of a query and a key. */
const PRODUCTS = { forward: 2, query: 3, key: 4 } as const;

/** The default first: a lane a row for narrow heads, else as listed. */
function candidates(
  pass: AttentionPass,
  device: TuningDevice,
  problem: AttentionProblem,
): readonly Choice[] {
  const isNarrow = problem.headDim < WIDE_HEAD[device.variant];
  const ordered = isNarrow ? FAMILIES.toReversed() : FAMILIES;
  return [...ordered, ...MEASURED]
    .filter((family) => family[pass] !== undefined)
    .flatMap((family) => family.candidates(device, problem, pass));
}

function tunableOf(
  pass: AttentionPass,
  name: string,
  record: Tunable<AttentionProblem>["record"],
): Tunable<AttentionProblem> {
  return {
    name,
    bucket: ({ numRows, seqLen, numHeads, numKvHeads, headDim, storage }) =>
      `${storage} d${headDim} h${numHeads}/${numKvHeads} t${powerOfTwo(seqLen)} b${powerOfTwo(numRows)}`,
    candidates: (device, problem) => candidates(pass, device, problem),
    record,
    flops: ({ numRows, seqLen, numHeads, headDim }) =>
      PRODUCTS[pass] * numRows * numHeads * seqLen * (seqLen + 1) * headDim,
    halve: (problem) =>
      problem.numRows > 1
        ? { ...problem, numRows: Math.ceil(problem.numRows / 2) }
        : problem.seqLen > 1
          ? { ...problem, seqLen: Math.ceil(problem.seqLen / 2) }
          : undefined,
  };
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** The forward pass of attention. */
export const ATTENTION_FORWARD: Tunable<AttentionProblem> = tunableOf(
  "forward",
  "attentionForward",
  (tape, problem, make) => {
    const { q, k, v, spans, statistics } = sample(problem, make);
    const y = make(q.shape, { label: "y", dtype: q.dtype });
    recordForward(tape, { problem, buffers: { q, k, v, spans, y, statistics }, sums: {} });
  },
);

/** Gradients of the queries. */
export const ATTENTION_BACKWARD_QUERY: Tunable<AttentionProblem> = tunableOf(
  "query",
  "attentionBackwardQuery",
  (tape, problem, make) => {
    const inputs = sample(problem, make);
    const like = (label: string) => make(inputs.q.shape, { label, dtype: inputs.q.dtype });
    const buffers = { ...inputs, y: like("y"), dy: like("dy"), dq: like("dq") };
    recordBackwardQuery(tape, { problem, buffers, sums: { accumulate: false } });
  },
);

/** Gradients of keys and values. */
export const ATTENTION_BACKWARD_KEY: Tunable<AttentionProblem> = tunableOf(
  "key",
  "attentionBackwardKey",
  (tape, problem, make) => {
    const inputs = sample(problem, make);
    const like = ({ shape, dtype }: typeof inputs.q, label: string) =>
      make(shape, { label, dtype });
    const buffers = {
      ...inputs,
      dy: like(inputs.q, "dy"),
      dk: like(inputs.k, "dk"),
      dv: like(inputs.v, "dv"),
    };
    const sums = { accumulateKey: false, accumulateValue: false };
    recordBackwardKey(tape, { problem, buffers, sums });
  },
);

/** Random heads under a causal mask. */
function sample(problem: AttentionProblem, make: TensorMaker) {
  const { numRows, seqLen, numHeads, numKvHeads, headDim, storage: dtype } = problem;
  const numTokens = numRows * seqLen;
  const heads = (label: string, count: number) =>
    make([numTokens, count * headDim], { label, dtype });
  const length = 2 * numTokens + numRows * chunksOfQueries(seqLen);
  return {
    q: heads("q", numHeads),
    k: heads("k", numKvHeads),
    v: heads("v", numKvHeads),
    spans: make([length], {
      label: "spans",
      dtype: "u32",
      values: () => new Uint32Array(length).fill(seqLen, numTokens, 2 * numTokens),
    }),
    // A log-sum-exp above all scores, so that no probability overflows.
    statistics: make([numTokens, numHeads, 2], {
      label: "statistics",
      values: () => new Float32Array(2 * numTokens * numHeads).fill(Math.sqrt(headDim)),
    }),
  };
}

/** Records the forward pass as the tape chooses. */
export function recordForward(tape: Tape, call: AttentionCall<"forward">): void {
  const choice = tape.choose(ATTENTION_FORWARD, call.problem);
  familyOf(choice).forward!(tape, call, choice);
}

/** Records the gradient of the queries as the tape chooses. */
export function recordBackwardQuery(tape: Tape, call: AttentionCall<"query">): void {
  const choice = tape.choose(ATTENTION_BACKWARD_QUERY, call.problem);
  familyOf(choice).query!(tape, call, choice);
}

/** Records the gradients of keys and values as the tape chooses. */
export function recordBackwardKey(tape: Tape, call: AttentionCall<"key">): void {
  const choice = tape.choose(ATTENTION_BACKWARD_KEY, call.problem);
  familyOf(choice).key!(tape, call, choice);
}

function familyOf(choice: Choice): AttentionFamily {
  return [...FAMILIES, ...MEASURED].find(({ kernel }) => kernel === choice["kernel"])!;
}
