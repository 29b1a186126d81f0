import { attentionSpans, chunksOfQueries } from "../../shaders/attention_spans.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { GradientWriter, Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";
import { recordBackwardKey, recordBackwardQuery, recordForward } from "./attention_tunable.ts";

/** Inputs of {@linkcode causalAttention}. */
export interface AttentionInputs {
  /** Queries, `[numRows · seqLen, numHeads · headDim]`, f32 or f16. */
  readonly q: Tensor;
  /** Keys, `[numRows · seqLen, numKvHeads · headDim]`, stored as `q`. */
  readonly k: Tensor;
  /** Values, shaped and stored as `k`. */
  readonly v: Tensor;
  /**
   * First key that each query sees, `[numRows · seqLen]` u32, in any order: the beginning of its
   * document, or of its window. Keys before all windows of neighboring queries cost nothing.
   */
  readonly starts: Tensor;
  /**
   * End of the queries that see each key, `[numRows · seqLen]` u32. The spans `[s, ends[s])` of a
   * row must nest or be apart, as documents and subtrees do: a key whose span is over hides the
   * keys within it, and they are skipped without a look.
   */
  readonly ends: Tensor;
}

/** Who sees whom. */
type Masks = Pick<AttentionInputs, "starts" | "ends">;

/** Sizes for {@linkcode causalAttention}. */
export interface AttentionOptions {
  readonly seqLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/**
 * Causal self-attention over packed rows.
 *
 *     y[t] = Σ_s softmax_s(q[t] · k[s] / √headDim) · v[s]      over starts[t] ≤ s ≤ t < ends[s]
 *
 * With `ends` at the ends of documents, rows hold several documents that do not see each other;
 * with `ends` at the ends of subtrees in depth-first order, a node sees just its ancestors. With
 * `starts` a window's width before each query, attention slides, and its work is linear in the
 * width. Query head `h` reads key head `⌊h · numKvHeads / numHeads⌋`. Memory is linear in `seqLen`:
 * two f32 per query and head are kept for backward. Sums are f32. Differentiable in each of `q`,
 * `k` and `v`, whose gradients are stored as they are.
 *
 * @see {@link https://arxiv.org/abs/2205.14135 | Dao et al., "FlashAttention", 2022}
 * @see {@link https://arxiv.org/abs/2305.13245 | Ainslie et al., "GQA", 2023}
 * @see {@link https://arxiv.org/abs/2004.05150 | Beltagy et al., "Longformer", 2020}, for windows
 *
 * @param tape Where to record.
 * @param inputs Queries, keys, values and who sees whom.
 * @param options Sizes.
 * @returns Shaped and stored as `q`; zeros where a query sees no key.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If `q` is neither f32 nor f16, `k` and `v` are not stored as `q`, or the masks
 *   are not u32.
 */
export function causalAttention(
  tape: Tape,
  inputs: AttentionInputs,
  options: AttentionOptions,
): Tensor {
  const { q, k, v, starts, ends } = inputs;
  const { seqLen, numHeads } = options;
  const numTokens = check(inputs, options);
  const numRows = numTokens / seqLen;
  const y = tape.activation(q.shape, { label: "attention", dtype: q.dtype, from: [q, k, v] });
  const statistics = tape.activation([numTokens, numHeads, 2], { label: "attention statistics" });
  const spans = spansOf(tape, { starts, ends }, { numRows, seqLen });
  const problem = { ...sizesOf(options), numRows, storage: storageOf(q) };
  const read = { q, k, v, spans, statistics };
  recordForward(tape, { problem, buffers: { ...read, y }, sums: {} });
  tape.onBackward(y, (dy) => {
    writeGradient(tape, q, (dq, accumulate) => {
      const buffers = { ...read, y, dy, dq };
      recordBackwardQuery(tape, { problem, buffers, sums: { accumulate } });
    });
    writeKeyGradients(tape, { k, v }, ({ dk, dv, ...sums }) => {
      recordBackwardKey(tape, { problem, buffers: { ...read, dy, dk, dv }, sums });
    });
  });
  return y;
}

/** Number of tokens; throws where anything does not fit. */
function check(
  { q, k, v, starts, ends }: AttentionInputs,
  { seqLen, numHeads, numKvHeads, headDim }: AttentionOptions,
): number {
  const numTokens = sizeOf(q.shape) / (numHeads * headDim);
  const kvShape = [numTokens, numKvHeads * headDim].join();
  const got = `q ${describe(q)}, k ${describe(k)}, v ${describe(v)}, starts ${describe(starts)}, ends ${describe(ends)}`;
  if (
    !Number.isInteger(numTokens / seqLen) ||
    !Number.isInteger(numHeads / numKvHeads) ||
    [k, v].some(({ shape }) => shape.join() !== kvShape) ||
    [starts, ends].some(({ shape }) => sizeOf(shape) !== numTokens)
  ) {
    throw new RangeError(
      `Cannot apply causalAttention() with ${numHeads} heads of ${headDim} and ${numKvHeads} for keys, seqLen ${seqLen}: shapes must fit, got ${got}`,
    );
  }
  const isAlike = [k, v].every(({ dtype }) => dtype === q.dtype);
  if (!isAlike || [starts, ends].some(({ dtype }) => dtype !== "u32")) {
    throw new TypeError(
      `Cannot apply causalAttention(): k and v must be stored as q, starts and ends be u32, got ${got}`,
    );
  }
  return numTokens;
}

/** Sizes alone: whatever else the caller's options hold is no part of a problem. */
function sizesOf({ seqLen, numHeads, numKvHeads, headDim }: AttentionOptions): AttentionOptions {
  return { seqLen, numHeads, numKvHeads, headDim };
}

/** What one dispatch writes: both gradients, and whether it adds to them. */
interface KeyGradients {
  readonly dk: Tensor;
  readonly dv: Tensor;
  readonly accumulateKey: boolean;
  readonly accumulateValue: boolean;
}

/** Gradients of keys and values, which one dispatch writes. */
function writeKeyGradients(
  tape: Tape,
  { k, v }: Pick<AttentionInputs, "k" | "v">,
  write: (gradients: KeyGradients) => void,
): void {
  // One dispatch may not write a tensor through two bindings.
  const dSame =
    k === v ? tape.activation(v.shape, { label: "attention dv", dtype: v.dtype }) : undefined;
  writeGradient(tape, k, (dk, accumulateKey) => {
    const writeValue: GradientWriter = (dv, accumulateValue) =>
      write({ dk, dv, accumulateKey, accumulateValue });
    if (dSame === undefined) writeGradient(tape, v, writeValue);
    else writeValue(dSame, false);
  });
  if (dSame !== undefined) tape.passGradient(v, dSame);
}

/**
 * As `tape.addGradient()`, but writes even where `x` carries none, into memory that nobody reads:
 * one dispatch gives several gradients, and any of them may be wanted.
 */
function writeGradient(tape: Tape, x: Tensor, write: GradientWriter): void {
  if (x.needsGradient) addActivationGradient(tape, x, write);
  else write(tape.activation(x.shape, { label: "unread gradient", dtype: x.dtype }), false);
}

/** The masks as the kernels read them: the blocks of a model share theirs. */
function spansOf(
  tape: Tape,
  { starts, ends }: Masks,
  { numRows, seqLen }: { readonly numRows: number; readonly seqLen: number },
): Tensor {
  return tape.share(attentionSpans, { starts, ends, seqLen }, () => {
    const numChunks = numRows * chunksOfQueries(seqLen);
    const spans = tape.activation([2 * numRows * seqLen + numChunks], {
      label: "attention spans",
      dtype: "u32",
    });
    const lanes = lanesOf(tape.variant);
    tape.dispatch(attentionSpans, {
      constants: lanes,
      params: { numRows, seqLen },
      buffers: { starts, ends, spans },
      workgroups: laneWorkgroups(lanes, numChunks),
    });
    return spans;
  });
}
