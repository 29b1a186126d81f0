/** Cases of attention over a cache, their inputs, and every way that the kernels run. */
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { sizeOf, type Tensor } from "../../engine/tensor.ts";
import type { CachedAttentionCase } from "../reference/cached_attention.ts";
import { openGpu, uniform } from "../support.ts";

/** Softmax over up to 700 keys and dot products of up to 64 terms, each rounded at 6e-8. */
export const TOLERANCE = { rtol: 1e-5, atol: 5e-6 };

/** Place of a token that is none. */
export const PADDING = 0xffffffff;

/** A device, and the variant of the kernels to run on it. */
export interface Way {
  readonly name: string;
  readonly on: Gpu;
  readonly variant: Variant;
}

/** Every way that the kernels run: flat with and without subgroups, and tiled; destroy both devices. */
export async function openWays(): Promise<{ gpu: Gpu; plain: Gpu; ways: readonly Way[] }> {
  const gpu = await openGpu();
  const plain = await openGpu({ variant: "flat", subgroups: false });
  const ways = [
    { name: "flat with subgroups", on: gpu, variant: "flat" },
    { name: "flat without subgroups", on: plain, variant: "flat" },
    { name: "tiled", on: gpu, variant: "tiled" },
  ] as const;
  return { gpu, plain, ways };
}

/** Rows, queries a row and places a row. */
export type Sizes = readonly [numRows: number, seqLen: number, capacity: number];
/** Heads, key heads and their width. */
export type Heads = readonly [numHeads: number, numKvHeads: number, headDim: number];

/** A named case. */
export interface Case extends CachedAttentionCase {
  readonly name: string;
}

/** A case of plain text, unless starts or ends are told. */
export function sized(
  name: string,
  [numRows, seqLen, capacity]: Sizes,
  [numHeads, numKvHeads, headDim]: Heads,
  masks: { places: number[]; starts?: number[]; ends?: number[] },
): Case {
  const sizes = { numRows, seqLen, capacity, numHeads, numKvHeads, headDim };
  const starts = masks.starts ?? Array.from({ length: numRows * seqLen }, () => 0);
  const ends = masks.ends ?? Array.from({ length: numRows * capacity }, () => PADDING);
  return { name, ...sizes, places: masks.places, starts, ends };
}

/** A prefix of 10, then 24 trees of 5: root, child, its two children, second child. */
export const TREE_ENDS = Array.from({ length: 130 }, (_, i) =>
  i < 10 ? PADDING : i - (i % 5) + [5, 4, 3, 4, 5][i % 5]!,
);
/** Numbers from `begin` up to, but without, `end`. */
export const range = (begin: number, end: number): number[] =>
  Array.from({ length: end - begin }, (_, i) => begin + i);

/** Random heads for a case, and its places, starts and ends. */
export function inputsOf(at: CachedAttentionCase) {
  const { numRows, seqLen, capacity, numHeads, numKvHeads, headDim } = at;
  const random = (shape: readonly [number, number], seed: number) => ({
    shape,
    values: uniform(sizeOf(shape), seed),
  });
  const numbers = (values: ArrayLike<number>) => ({
    shape: [values.length],
    values: Uint32Array.from(values),
  });
  return {
    q: random([numRows * seqLen, numHeads * headDim], 1),
    k: random([numRows * capacity, numKvHeads * headDim], 2),
    v: random([numRows * capacity, numKvHeads * headDim], 3),
    places: numbers(at.places),
    starts: numbers(at.starts),
    ends: numbers(at.ends),
  };
}

/** Tensors of all inputs. */
export function inputTensors(
  on: Gpu,
  inputs: ReturnType<typeof inputsOf>,
): Record<keyof ReturnType<typeof inputsOf>, Tensor> {
  const { q, k, v, places, starts, ends } = inputs;
  const f32 = (label: string, one: typeof q) => on.tensor(one.shape, { label, values: one.values });
  const u32 = (label: string, one: typeof places) =>
    on.tensor(one.shape, { label, dtype: "u32", values: one.values });
  return {
    q: f32("q", q),
    k: f32("k", k),
    v: f32("v", v),
    places: u32("places", places),
    starts: u32("starts", starts),
    ends: u32("ends", ends),
  };
}
