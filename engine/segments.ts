import type { Gpu } from "./gpu.ts";
import type { Tensor } from "./tensor.ts";

/** Positions of a list of ids, grouped by id; see {@linkcode sortIntoSegments}. */
export interface Segments {
  /** `[numTokens]`: positions, those of one id together and ascending. */
  readonly order: Uint32Array<ArrayBuffer>;
  /** `[numSegments + 1]`: segment `s` holds `order[starts[s]]` up to `order[starts[s + 1]]`. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** `[numSegments]`: the id of each segment, ascending; 0 for those unused. */
  readonly segmentIds: Uint32Array<ArrayBuffer>;
}

/** Segments that any list of `numTokens` ids fits: as many as there can be distinct ids. */
export function numSegmentsOf(numTokens: number, vocabSize: number): number {
  return Math.min(numTokens, vocabSize);
}

/**
 * Groups positions by their id, so that the gradient of an embedding needs no atomics: each row
 * of the table is the business of one segment, and adds up in the order of the positions.
 *
 * Sizes depend on the number of ids alone, never on their values; segments without positions
 * come last and are empty. A counting sort: O(numTokens + vocabSize).
 *
 * @param ids Ids in `[0, vocabSize)`.
 * @param vocabSize Number of different ids.
 * @throws {RangeError} If an id is out of range; names its position.
 */
export function sortIntoSegments(ids: Uint32Array<ArrayBuffer>, vocabSize: number): Segments {
  const ends = new Uint32Array(vocabSize);
  ids.forEach((id, position) => {
    if (id >= vocabSize) {
      throw new RangeError(
        `Cannot embed the token at position ${position}: ids must be below ${vocabSize}, got ${id}`,
      );
    }
    ends[id]! += 1;
  });
  const numSegments = numSegmentsOf(ids.length, vocabSize);
  const starts = new Uint32Array(numSegments + 1).fill(ids.length);
  const segmentIds = new Uint32Array(numSegments);
  let begin = 0;
  let segment = 0;
  ends.forEach((count, id) => {
    ends[id] = begin;
    if (count === 0) return;
    starts[segment] = begin;
    segmentIds[segment] = id;
    segment += 1;
    begin += count;
  });
  const order = new Uint32Array(ids.length);
  ids.forEach((id, position) => {
    order[ends[id]!] = position;
    ends[id]! += 1;
  });
  return { order, starts, segmentIds };
}

/** Sizes of a {@linkcode TokenInput}. */
export interface TokenInputOptions {
  /** Tokens of every step, padding included. */
  readonly numTokens: number;
  /** Rows of the table that will be looked up. */
  readonly vocabSize: number;
  /** Shown in errors and descriptions. @default {"tokens"} */
  readonly label?: string;
}

/** Token ids as data of a plan, with the segments that the embedding's gradient needs. */
export class TokenInput {
  readonly numTokens: number;
  readonly vocabSize: number;
  /** `[numTokens]` u32. */
  readonly ids: Tensor;
  /** The {@linkcode Segments} of the ids, u32. */
  readonly order: Tensor;
  readonly starts: Tensor;
  readonly segmentIds: Tensor;
  readonly #gpu: Gpu;

  /** Allocates the tensors; all ids are 0, and no gradient flows, until {@linkcode write}. */
  constructor(gpu: Gpu, { numTokens, vocabSize, label = "tokens" }: TokenInputOptions) {
    const numSegments = numSegmentsOf(numTokens, vocabSize);
    const tensor = (name: string, length: number): Tensor =>
      gpu.tensor([length], { label: `${label}.${name}`, dtype: "u32" });
    this.#gpu = gpu;
    this.numTokens = numTokens;
    this.vocabSize = vocabSize;
    this.ids = tensor("ids", numTokens);
    this.order = tensor("order", numTokens);
    this.starts = tensor("starts", numSegments + 1);
    this.segmentIds = tensor("segmentIds", numSegments);
  }

  /**
   * Sets the ids of the next step.
   *
   * @param ids `numTokens` ids below `vocabSize`.
   * @throws {RangeError} If an id is out of range, naming its position, or their number is wrong.
   */
  write(ids: Uint32Array<ArrayBuffer>): void {
    if (ids.length !== this.numTokens) {
      throw new RangeError(
        `Cannot write "${this.ids.label}": expected ${this.numTokens} ids, got ${ids.length}`,
      );
    }
    const { order, starts, segmentIds } = sortIntoSegments(ids, this.vocabSize);
    this.#gpu.write(this.ids, ids);
    this.#gpu.write(this.order, order);
    this.#gpu.write(this.starts, starts);
    this.#gpu.write(this.segmentIds, segmentIds);
  }

  /** Frees the memory. */
  destroy(): void {
    for (const { buffer } of [this.ids, this.order, this.starts, this.segmentIds]) {
      buffer?.destroy();
    }
  }
}
