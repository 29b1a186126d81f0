import { loadsOf } from "../../shaders/attention_walk.wgsl.ts";
import { combineSplits } from "../../shaders/combine_splits.wgsl.ts";
import { MAX_PAIRS } from "../../shaders/decode_attention.wgsl.ts";
import { decodeAttentionFlat } from "../../shaders/decode_attention_flat.wgsl.ts";
import { DECODE_TILE, decodeAttentionTiled } from "../../shaders/decode_attention_tiled.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { storageOf } from "../tensor.ts";
import type { Tunable } from "../tuning/tunable.ts";
import type { CachedCall } from "./cached_attention.ts";

/**
 * What the splits of decode attention depend on: neither on rows nor on queries, so that a query has
 * the same bits whatever lies beside it.
 */
export interface DecodeAttentionProblem {
  readonly capacity: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly storage: "f32" | "f16";
  readonly cacheStorage: "f32" | "f16";
}

const FLAT_LANES = 8;
/**
 * The shortest split unless a tuner knows better. On Mesa's software driver 512 keys of a head of 48
 * take 40 µs, little beyond the 30 µs of any dispatch; a GPU wants all of its many cores busy.
 */
const SPLIT_LENGTH = { flat: 512, tiled: 128 } as const;
/** Other lengths to measure, as far as a cache is longer than half of them. */
const SPLIT_LENGTHS = [64, 128, 256, 512, 1024, 2048, 4096] as const;
/** The most splits of a row: their parts are combined one after another. */
const MAX_SPLITS = 64;

/** Attention of a query over a cache: how many keys a workgroup takes. */
export const decodeAttention: Tunable<DecodeAttentionProblem> = {
  name: "decodeAttention",
  bucket: ({ capacity, numHeads, numKvHeads, headDim, storage, cacheStorage }) =>
    `${storage} ${cacheStorage} h${numHeads} kv${numKvHeads} d${headDim} s${2 ** Math.round(Math.log2(capacity))}`,
  candidates: ({ variant }, { capacity }) => {
    const first = SPLIT_LENGTH[variant];
    const others = SPLIT_LENGTHS.filter((length) => length !== first && length < 2 * capacity);
    return [first, ...others].map((splitLength) => ({ splitLength }));
  },
  record: (tape, problem, make) => {
    const { capacity, numHeads, numKvHeads, headDim, storage, cacheStorage } = problem;
    const cache = () => make([capacity, numKvHeads * headDim], { dtype: cacheStorage });
    const u32 = (length: number, value: number) =>
      make([length], { dtype: "u32", values: () => new Uint32Array(length).fill(value) });
    const q = make([1, numHeads * headDim], { dtype: storage });
    recordDecode(tape, {
      numRows: 1,
      seqLen: 1,
      capacity,
      numHeads,
      numKvHeads,
      headDim,
      q,
      k: cache(),
      v: cache(),
      places: u32(1, capacity - 1),
      starts: u32(1, 0),
      ends: u32(capacity, 0xffff_ffff),
      y: tape.activation(q.shape, { label: "y", dtype: storage }),
    });
  },
  flops: ({ capacity, numHeads, headDim }) => 4 * capacity * numHeads * headDim,
};

/** Records one workgroup a split of the keys, and a second pass over the parts of several. */
export function recordDecode(tape: Tape, call: CachedCall): void {
  const { q, k, v, places, starts, ends, y, numRows, seqLen, capacity } = call;
  const { numHeads, numKvHeads, headDim } = call;
  const storages = { storage: storageOf(q), cacheStorage: storageOf(k) };
  const tiled = tape.variant === "tiled";
  const subgroupSize = tiled ? 0 : tape.subgroupSize;
  const workgroupSize = tiled ? DECODE_TILE : subgroupSize > 0 ? subgroupSize : FLAT_LANES;
  const problem = { capacity, numHeads, numKvHeads, headDim, ...storages };
  const shortest = Number(tape.choose(decodeAttention, problem)["splitLength"]);
  const splitLength = splitLengthOf(capacity, shortest, workgroupSize);
  const numSplits = Math.ceil(capacity / splitLength);
  const partsOfSplit = tiled || subgroupSize > 0 ? 1 : workgroupSize;
  const numParts = numSplits * partsOfSplit;
  const direct = numParts === 1;
  const group = numHeads / numKvHeads;
  const numChunks = Math.ceil((seqLen * group) / MAX_PAIRS);
  const pairs = Math.ceil((seqLen * group) / numChunks);
  const headLoads = loadsOf(headDim);
  const numVectors = numRows * seqLen * numHeads;
  const part = (shape: number[], label: string) => tape.activation(shape, { label });
  const sums = direct ? y : part([numVectors, numParts, headDim], "parts of attention");
  const stats = part([direct ? 1 : numVectors * numParts, 2], "weights of parts");
  tape.dispatch(tiled ? decodeAttentionTiled : decodeAttentionFlat, {
    constants: { headDim, pairs, workgroupSize, subgroupSize, direct, ...storages },
    params: { numRows, seqLen, numHeads, numKvHeads, capacity, splitLength, headLoads },
    buffers: { q, k, v, places, starts, ends, sums, stats },
    workgroups: numRows * numChunks * numKvHeads * numSplits,
  });
  if (direct) return;
  const lanes = tiled ? lanesOf("tiled") : { workgroupSize: FLAT_LANES, elementsPerLane: 1 };
  const length = numVectors * headLoads;
  tape.dispatch(combineSplits, {
    constants: { headDim, storage: storages.storage, ...lanes },
    params: { length, numHeads, capacity, splitLength, partsOfSplit },
    buffers: { sums, stats, places, starts, y },
    workgroups: laneWorkgroups(lanes, length),
  });
}

/** Keys of a split: a multiple of the lanes, and at most {@linkcode MAX_SPLITS} splits in all. */
function splitLengthOf(capacity: number, shortest: number, lanes: number): number {
  return Math.ceil(Math.max(shortest, capacity / MAX_SPLITS) / lanes) * lanes;
}
