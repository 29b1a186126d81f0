import type { LinearModule } from "./modules.ts";

/** An adapter of one matrix, or of several that are one below the other. */
export interface AdapterPair {
  readonly rank: number;
  /** `[rank, dIn]` */
  readonly a: Float32Array<ArrayBuffer>;
  /** `[Σ dOut, rank]` */
  readonly b: Float32Array<ArrayBuffer>;
}

/**
 * One adapter of several matrices that are one below the other, from an adapter of each:
 *
 *     W + [B₁ 0; 0 B₂] · [A₁; A₂]  =  [W₁ + B₁ · A₁; W₂ + B₂ · A₂]
 *
 * The product is the same to the bit, but for zeros added to it; the rank is the sum of the
 * ranks. Adapters that all have the same A become one of their rank, their B one below the other.
 *
 * @param parts The matrices.
 * @param pairs An adapter for each, of one scale; a matrix without one stays as it is.
 */
export function joinAdapters(
  parts: readonly LinearModule[],
  pairs: readonly (AdapterPair | undefined)[],
): AdapterPair {
  const present = pairs.filter((pair) => pair !== undefined);
  const [first] = present;
  if (present.length === parts.length && present.every(({ a }) => isSameBits(a, first!.a))) {
    return { rank: first!.rank, a: first!.a, b: concatenate(present.map(({ b }) => b)) };
  }
  const rank = present.reduce((sum, pair) => sum + pair.rank, 0);
  const b = new Float32Array(rank * parts.reduce((sum, { dOut }) => sum + dOut, 0));
  let [row, column] = [0, 0];
  for (const [index, { dOut }] of parts.entries()) {
    const pair = pairs[index];
    if (pair !== undefined) {
      for (let i = 0; i < dOut; i++) {
        b.set(pair.b.subarray(i * pair.rank, (i + 1) * pair.rank), (row + i) * rank + column);
      }
      column += pair.rank;
    }
    row += dOut;
  }
  return { rank, a: concatenate(present.map(({ a }) => a)), b };
}

/**
 * An adapter of each of several matrices, from one of all of them: each has all of A, and its rows
 * of B.
 */
export function splitAdapter(
  parts: readonly LinearModule[],
  { rank, a, b }: AdapterPair,
): AdapterPair[] {
  let row = 0;
  return parts.map(({ dOut }) => {
    const rows = b.slice(row * rank, (row + dOut) * rank);
    row += dOut;
    return { rank, a: a.slice(), b: rows };
  });
}

/**
 * Undoes {@linkcode joinAdapters}, where the ranks that were joined are known.
 *
 * @param ranks Rank of each matrix's adapter, 0 for none.
 * @returns Undefined if B is not made of blocks of these ranks.
 */
export function separateAdapters(
  parts: readonly LinearModule[],
  { rank, a, b }: AdapterPair,
  ranks: readonly number[],
): (AdapterPair | undefined)[] | undefined {
  if (ranks.length !== parts.length || ranks.reduce((x, y) => x + y, 0) !== rank) return undefined;
  const pairs: (AdapterPair | undefined)[] = [];
  let [row, column] = [0, 0];
  for (const [index, { dOut, dIn }] of parts.entries()) {
    const own = ranks[index]!;
    const values = new Float32Array(dOut * own);
    for (let i = 0; i < dOut; i++) {
      const line = b.subarray((row + i) * rank, (row + i + 1) * rank);
      const isBlock = line.every((value, at) => isInside(at, column, own) || Object.is(value, 0));
      if (!isBlock) return undefined;
      values.set(line.subarray(column, column + own), i * own);
    }
    const rowsOfA = a.slice(column * dIn, (column + own) * dIn);
    pairs.push(own === 0 ? undefined : { rank: own, a: rowsOfA, b: values });
    row += dOut;
    column += own;
  }
  return pairs;
}

function isInside(at: number, begin: number, length: number): boolean {
  return at >= begin && at < begin + length;
}

function concatenate(arrays: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const array of arrays) {
    joined.set(array, offset);
    offset += array.length;
  }
  return joined;
}

function isSameBits(x: Float32Array, y: Float32Array): boolean {
  if (x === y) return true;
  const [a, b] = [x, y].map((one) => new Uint32Array(one.buffer, one.byteOffset, one.length));
  return x.length === y.length && a!.every((bits, i) => bits === b![i]);
}
