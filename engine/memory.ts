import type { RecordedDispatch } from "./tape.ts";
import { bytesOf, rootOf, type Tensor } from "./tensor.ts";

/** The dispatches, by index, between which a tensor's memory must be its own; both inclusive. */
export interface Lifetime {
  readonly first: number;
  readonly last: number;
}

/** Which block of memory each activation lives in, and how large the blocks are. */
export interface MemoryPlan {
  /** Index of the block of each activation. */
  readonly blockOf: ReadonlyMap<Tensor, number>;
  /** Bytes of each block. */
  readonly blocks: readonly number[];
  readonly lifetimes: ReadonlyMap<Tensor, Lifetime>;
}

/** First and last dispatch that touch each activation; those to `keep` live to the end. */
function lifetimesOf(
  dispatches: readonly RecordedDispatch[],
  keep: readonly Tensor[],
): Map<Tensor, Lifetime> {
  const lifetimes = new Map<Tensor, Lifetime>();
  dispatches.forEach(({ buffers }, index) => {
    for (const tensor of Object.values(buffers)) {
      const root = rootOf(tensor);
      if (root.buffer !== undefined) continue;
      lifetimes.set(root, { first: lifetimes.get(root)?.first ?? index, last: index });
    }
  });
  for (const tensor of keep) {
    const lifetime = lifetimes.get(rootOf(tensor));
    if (lifetime !== undefined) {
      lifetimes.set(rootOf(tensor), { ...lifetime, last: dispatches.length });
    }
  }
  return lifetimes;
}

/**
 * Gives activations with disjoint lifetimes the same block.
 *
 * Whole blocks are shared, not ranges of one arena: WebGPU forbids binding one buffer both for
 * reading and for writing in a dispatch. Each tensor takes the smallest free block that holds it,
 * or else grows the largest free one.
 */
export function planMemory(
  dispatches: readonly RecordedDispatch[],
  keep: readonly Tensor[],
): MemoryPlan {
  const lifetimes = lifetimesOf(dispatches, keep);
  const begins = new Map<number, Tensor[]>();
  const ends = new Map<number, Tensor[]>();
  for (const [tensor, { first, last }] of lifetimes) {
    begins.set(first, [...(begins.get(first) ?? []), tensor]);
    ends.set(last, [...(ends.get(last) ?? []), tensor]);
  }
  const blockOf = new Map<Tensor, number>();
  const blocks: number[] = [];
  const free = new Set<number>();
  for (let index = 0; index < dispatches.length; index++) {
    for (const tensor of begins.get(index) ?? []) {
      const block = chooseBlock(bytesOf(tensor), free, blocks);
      free.delete(block);
      blockOf.set(tensor, block);
    }
    for (const tensor of ends.get(index) ?? []) free.add(blockOf.get(tensor)!);
  }
  return { blockOf, blocks, lifetimes };
}

function chooseBlock(bytes: number, free: ReadonlySet<number>, blocks: number[]): number {
  let fitting: number | undefined;
  let largest: number | undefined;
  for (const block of free) {
    const size = blocks[block]!;
    if (size >= bytes && (fitting === undefined || size < blocks[fitting]!)) fitting = block;
    if (largest === undefined || size > blocks[largest]!) largest = block;
  }
  const block = fitting ?? largest ?? blocks.length;
  blocks[block] = Math.max(blocks[block] ?? 0, bytes);
  return block;
}
