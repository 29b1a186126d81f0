import { attentionForward } from "../../shaders/attention.wgsl.ts";
import {
  attentionBackwardKey,
  attentionBackwardQuery,
} from "../../shaders/attention_backward.wgsl.ts";
import type { GradientWriter, Tape } from "../tape.ts";
import { describe, sizeOf, type Tensor } from "../tensor.ts";

/** Inputs of {@linkcode causalAttention}. */
export interface AttentionInputs {
  /** Queries, `[numRows · seqLen, numHeads · headDim]`, f32 or f16. */
  readonly q: Tensor;
  /** Keys, `[numRows · seqLen, numKvHeads · headDim]`, stored as `q`. */
  readonly k: Tensor;
  /** Values, shaped and stored as `k`. */
  readonly v: Tensor;
  /** First key that each query may see, `[numRows · seqLen]` u32, never descending within a row. */
  readonly starts: Tensor;
  /**
   * End of the queries that see each key, `[numRows · seqLen]` u32. The spans `[s, ends[s])` of a
   * row must nest or be apart, as documents and subtrees do: a key whose span is over hides the
   * keys within it, and they are skipped without a look.
   */
  readonly ends: Tensor;
}

/** Sizes for {@linkcode causalAttention}. */
export interface AttentionOptions {
  readonly seqLen: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

const FLAT_LANES = 8;
const TILED_LANES = 64;
/** Bytes of workgroup memory that every WebGPU adapter has. */
const WORKGROUP_BYTES = 16_384;

/**
 * Causal self-attention over packed rows.
 *
 *     y[t] = Σ_s softmax_s(q[t] · k[s] / √headDim) · v[s]      over s ≤ t < ends[s]
 *
 * With `ends` at the ends of documents, rows hold several documents that do not see each other;
 * with `ends` at the ends of subtrees in depth-first order, a node sees just its ancestors. Query
 * head `h` reads key head `⌊h · numKvHeads / numHeads⌋`. Memory is linear in `seqLen`: one f32 per
 * query and head is kept for backward. Differentiable in each of `q`, `k` and `v` when stored as f32.
 *
 * @see {@link https://arxiv.org/abs/2205.14135 | Dao et al., "FlashAttention", 2022}
 * @see {@link https://arxiv.org/abs/2305.13245 | Ainslie et al., "GQA", 2023}
 *
 * @param tape Where to record.
 * @param inputs Queries, keys, values and who sees whom.
 * @param options Sizes.
 * @returns Shaped and stored as `q`; zeros where a query sees no key.
 * @throws {RangeError} If the shapes do not fit.
 */
export function causalAttention(
  tape: Tape,
  { q, k, v, starts, ends }: AttentionInputs,
  { seqLen, numHeads, numKvHeads, headDim }: AttentionOptions,
): Tensor {
  const numTokens = sizeOf(q.shape) / (numHeads * headDim);
  const numRows = numTokens / seqLen;
  const kvShape = [numTokens, numKvHeads * headDim].join();
  if (
    !Number.isInteger(numRows) ||
    !Number.isInteger(numHeads / numKvHeads) ||
    [k, v].some(({ shape, dtype }) => shape.join() !== kvShape || dtype !== q.dtype) ||
    [starts, ends].some(({ shape, dtype }) => sizeOf(shape) !== numTokens || dtype !== "u32")
  ) {
    throw new RangeError(
      `Cannot apply causalAttention() with ${numHeads} heads of ${headDim} and ${numKvHeads} for keys, seqLen ${seqLen}: ` +
        `shapes must fit, got q ${describe(q)}, k ${describe(k)}, v ${describe(v)}, starts ${describe(starts)}, ends ${describe(ends)}`,
    );
  }
  const y = tape.activation(q.shape, { label: "attention", dtype: q.dtype, from: [q, k, v] });
  const lse = tape.activation([numTokens, numHeads], { label: "attention lse" });
  const tiled = tape.variant === "tiled";
  const subgroupSize = tiled ? 0 : tape.subgroupSize;
  const workgroupSize = tiled ? TILED_LANES : subgroupSize > 0 ? subgroupSize : FLAT_LANES;
  const tile = tiled ? Math.min(32, Math.floor(WORKGROUP_BYTES / (8 * headDim))) : 0;
  const constants = { headDim, workgroupSize, tile, subgroupSize };
  const params = { numRows, seqLen, numHeads, numKvHeads };
  const blocks = numRows * Math.ceil(seqLen / workgroupSize);
  tape.dispatch(attentionForward, {
    constants: { ...constants, storage: q.dtype === "f16" ? "f16" : "f32" },
    params,
    buffers: { q, k, v, starts, ends, y, lse },
    workgroups: blocks * numHeads,
  });

  tape.onBackward(y, (dy) => {
    const delta = tape.activation([numTokens, numHeads], { label: "attention delta" });
    writeGradient(tape, q, (dq, accumulate) => {
      tape.dispatch(attentionBackwardQuery, {
        constants: { ...constants, accumulate },
        params,
        buffers: { q, k, v, starts, ends, y, lse, dy, delta, dq },
        workgroups: blocks * numHeads,
      });
    });
    // One dispatch may not write a tensor through two bindings.
    const dSame = k === v ? tape.activation(v.shape, { label: "attention dv" }) : undefined;
    writeGradient(tape, k, (dk, accumulateKey) => {
      const writeValue: GradientWriter = (dv, accumulateValue) => {
        tape.dispatch(attentionBackwardKey, {
          constants: { ...constants, accumulateKey, accumulateValue },
          params,
          buffers: { q, k, v, ends, lse, delta, dy, dk, dv },
          workgroups: blocks * numKvHeads,
        });
      };
      if (dSame === undefined) writeGradient(tape, v, writeValue);
      else writeValue(dSame, false);
    });
    if (dSame !== undefined) tape.passGradient(v, dSame);
  });
  return y;
}

/**
 * As `tape.addGradient()`, but writes even where `x` carries none, into memory that nobody reads:
 * one dispatch gives several gradients, and any of them may be wanted.
 */
function writeGradient(tape: Tape, x: Tensor, write: GradientWriter): void {
  if (x.needsGradient) tape.addGradient(x, write);
  else write(tape.activation(x.shape, { label: "unread gradient" }), false);
}
