import { cachedAttention } from "../../engine/ops/cached_attention.ts";
import type { Tape } from "../../engine/tape.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";
import { type CaseResult, EXP_TOLERANCE, type KernelCase, type Scale } from "./kernel_case.ts";
import { MODELS, type ModelShape } from "./models.ts";

/** One new query a row over a full cache. */
interface Decoding {
  readonly model: ModelShape;
  readonly dtype: "f32" | "f16";
  readonly numRows: number;
  readonly capacity: number;
}

/** Tokens in the cache. */
const CAPACITY = { small: 256, full: 2048 } as const;

const NUM_ROWS = [1, 8] as const;

/** Nobody hides a key in plain text. */
const NO_END = 0xffff_ffff;

/** Attention when decoding: one text, and several at once. */
export function decodeAttentionCases(scale: Scale): KernelCase[] {
  return MODELS.flatMap((model) => {
    const capacity = Math.min(CAPACITY[scale], model.config.maxSeqLen);
    return (["f32", "f16"] as const).flatMap((dtype) =>
      NUM_ROWS.map((numRows) => decodeCase({ model, dtype, numRows, capacity })),
    );
  });
}

function decodeCase(decoding: Decoding): KernelCase {
  const { model, dtype, numRows, capacity } = decoding;
  const { numHeads, numKvHeads, headDim } = model.config;
  const sizes = `B${numRows} H${numHeads}/${numKvHeads} S${capacity} D${headDim}`;
  const cache = bytesOf({ shape: [numRows * capacity, numKvHeads * headDim], dtype });
  const query = bytesOf({ shape: [numRows, numHeads * headDim], dtype });
  return {
    id: `decode attention ${dtype} ${model.name} ${sizes}`,
    group: "decode attention",
    shape: sizes,
    dtype,
    needsFloat16: dtype === "f16",
    isQuick: model.name.startsWith("SmolLM2") && dtype === "f32",
    flops: 4 * numRows * numHeads * capacity * headDim,
    bytes: 2 * (cache + query),
    record: (tape, make) => recordDecoding(tape, make, decoding),
  };
}

function recordDecoding(tape: Tape, make: CaseTensors, decoding: Decoding): CaseResult[] {
  const { model, dtype, numRows, capacity } = decoding;
  const { numHeads, numKvHeads, headDim } = model.config;
  const q = make.tensor("q", [numRows, numHeads * headDim], { dtype });
  const k = make.tensor("k", [numRows * capacity, numKvHeads * headDim], { dtype });
  const v = make.tensor("v", [numRows * capacity, numKvHeads * headDim], { dtype });
  const places = make.integers("places", new Uint32Array(numRows).fill(capacity - 1));
  const starts = make.integers("starts", new Uint32Array(numRows));
  const ends = make.integers("ends", new Uint32Array(numRows * capacity).fill(NO_END));
  const y = cachedAttention(
    tape,
    { q: q.tensor, k: k.tensor, v: v.tensor, places, starts, ends },
    { seqLen: 1, capacity, numHeads, numKvHeads, headDim },
  );
  const width = numHeads * headDim;
  const expected = (index: number) => {
    const row = Math.floor(index / width);
    const head = Math.floor((index % width) / headDim);
    const kvHead = Math.floor((head * numKvHeads) / numHeads);
    const keyAt = (s: number) => ((row * capacity + s) * numKvHeads + kvHead) * headDim;
    const queryAt = row * width + head * headDim;
    const weights = Float64Array.from({ length: capacity }, (_, s) => {
      let score = 0;
      for (let i = 0; i < headDim; i++) score += q.values[queryAt + i]! * k.values[keyAt(s) + i]!;
      return Math.exp(score / Math.sqrt(headDim));
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const value = weights.reduce(
      (sum, weight, s) => sum + (weight / total) * v.values[keyAt(s) + (index % headDim)]!,
      0,
    );
    return { value, magnitude: 1 };
  };
  return [{ name: "y", tensor: y, numSamples: 16, expected, tolerance: EXP_TOLERANCE }];
}
