import { uniform } from "../random.ts";
import type { PersonYears } from "./person_years.ts";

/** Target of a place where nobody is. */
const IGNORED = 0xffff_ffff;

/** Rows that are being filled at a time: a person goes to the one that is filled best. */
const NUM_OPEN_ROWS = 32;

/** Careers side by side in rows; all arrays are `[numRows · seqLen]`. */
export interface CareerBatch {
  /** Names the batch in progress lines and errors. */
  readonly label: string;
  readonly numRows: number;
  /** Person-years of a row, padding included. */
  readonly seqLen: number;
  /** Occupation before; `numOccupations` where there was none. */
  readonly previous: Uint32Array<ArrayBuffer>;
  /** Occupation to predict; beyond the vocabulary in padding. */
  readonly targets: Uint32Array<ArrayBuffer>;
  /** Weight of each place's loss: 1, and 0 in padding. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** Place in the career, from 0. */
  readonly positions: Uint32Array<ArrayBuffer>;
  /** First place of the row, and end of the places, of the same person. */
  readonly starts: Uint32Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
  /** Rows of each covariate. */
  readonly covariates: readonly Uint32Array<ArrayBuffer>[];
}

/** Sizes of batches. */
export interface BatchSizes {
  readonly numRows: number;
  readonly seqLen: number;
}

/** Whom a batch holds: people by index, and the place where each begins. */
export interface PackedPeople {
  readonly batch: CareerBatch;
  readonly places: readonly { readonly person: number; readonly begin: number }[];
}

/**
 * Rows of whole careers, given by their lengths: best fit into a bounded number of open rows, near
 * the order given.
 *
 * @param lengths Person-years of each person.
 * @param order Indices of people, in the order in which rows are filled.
 * @param seqLen Person-years that a row holds.
 * @returns People of each row, by index.
 * @throws {RangeError} If a career is longer than a row.
 */
export function packRows(
  lengths: readonly number[],
  order: Iterable<number>,
  seqLen: number,
): number[][] {
  const closed: number[][] = [];
  let open: { people: number[]; free: number }[] = [];
  for (const person of order) {
    const length = lengths[person]!;
    if (length > seqLen) {
      throw new RangeError(
        `Cannot pack careers: rows of ${seqLen} must hold the longest, got one of ${length} years`,
      );
    }
    let best: (typeof open)[number] | undefined;
    for (const row of open) {
      if (row.free >= length && (best === undefined || row.free < best.free)) best = row;
    }
    if (best === undefined) {
      if (open.length === NUM_OPEN_ROWS) {
        const [fullest, ...rest] = open.toSorted((a, b) => a.free - b.free);
        closed.push(fullest!.people);
        open = rest;
      }
      best = { people: [], free: seqLen };
      open.push(best);
    }
    best.people.push(person);
    best.free -= length;
  }
  return [...closed, ...open.map(({ people }) => people)];
}

/** Writes rows of people into a batch of the given sizes, the rest of it padding. */
function batchOf(
  people: readonly PersonYears[],
  rows: readonly (readonly number[])[],
  { numRows, seqLen, label }: BatchSizes & { readonly label: string },
): PackedPeople {
  const length = numRows * seqLen;
  const [first] = people;
  const none = first!.previous[0]!; // every career begins with nothing before
  const batch: CareerBatch = {
    label,
    numRows,
    seqLen,
    previous: new Uint32Array(length).fill(none),
    targets: new Uint32Array(length).fill(IGNORED),
    weights: new Float32Array(length),
    positions: new Uint32Array(length),
    // Whoever is not there is alone.
    starts: Uint32Array.from({ length }, (_, i) => i % seqLen),
    ends: Uint32Array.from({ length }, (_, i) => (i % seqLen) + 1),
    covariates: first!.covariates.map(() => new Uint32Array(length)),
  };
  const places: { person: number; begin: number }[] = [];
  rows.forEach((row, index) => {
    let t = 0;
    for (const person of row) {
      const begin = index * seqLen + t;
      const { previous, targets, covariates } = people[person]!;
      const end = begin + targets.length;
      batch.previous.set(previous, begin);
      batch.targets.set(targets, begin);
      batch.weights.fill(1, begin, end);
      batch.starts.fill(t, begin, end);
      batch.ends.fill(t + targets.length, begin, end);
      for (let i = begin; i < end; i++) batch.positions[i] = i - begin;
      covariates.forEach((rowsOf, which) => batch.covariates[which]!.set(rowsOf, begin));
      places.push({ person, begin });
      t += targets.length;
    }
  });
  return { batch, places };
}

/** People in batches, in the order in which they fit, each of them once. */
export function* packPeople(
  people: readonly PersonYears[],
  { numRows, seqLen }: BatchSizes,
): Generator<PackedPeople, void> {
  const lengths = people.map(({ targets }) => targets.length);
  const rows = packRows(lengths, people.keys(), seqLen);
  for (let begin = 0; begin < rows.length; begin += numRows) {
    const label = `rows from ${begin} on`;
    yield batchOf(people, rows.slice(begin, begin + numRows), { numRows, seqLen, label });
  }
}

/** Options of {@linkcode PersonYearBatches}. */
export interface PersonYearBatchOptions extends BatchSizes {
  /** Fixes the order of every epoch. */
  readonly seed: number;
}

/**
 * Careers in batches, a different order every epoch, any batch at any time: batch `index` of
 * `epoch` depends on the people, the options and these two numbers alone, so that a run resumes at
 * any place.
 */
export class PersonYearBatches {
  readonly #people: readonly PersonYears[];
  readonly #lengths: readonly number[];
  readonly #options: PersonYearBatchOptions;
  #plan: { readonly epoch: number; readonly rows: readonly number[][] } | undefined;

  /**
   * @param people At least one.
   * @throws {RangeError} If there is nobody.
   */
  constructor(people: readonly PersonYears[], options: PersonYearBatchOptions) {
    if (people.length === 0) {
      throw new RangeError("Cannot pack careers: there must be at least one, got none");
    }
    this.#people = people;
    this.#lengths = people.map(({ targets }) => targets.length);
    this.#options = options;
  }

  /** Number of batches in an epoch; it may differ by a few from epoch to epoch. */
  numBatches(epoch: number): number {
    return Math.ceil(this.#rows(epoch).length / this.#options.numRows);
  }

  /**
   * Batch `index` of `epoch`, both from 0.
   *
   * @throws {RangeError} If the epoch has no such batch, or a career is longer than a row.
   */
  batch(epoch: number, index: number): CareerBatch {
    const { numRows } = this.#options;
    const numBatches = this.numBatches(epoch);
    if (!Number.isInteger(index) || index < 0 || index >= numBatches) {
      throw new RangeError(
        `Cannot take a batch: the index must be an integer in [0, ${numBatches}) in epoch ${epoch}, got ${index}`,
      );
    }
    const rows = this.#rows(epoch).slice(index * numRows, (index + 1) * numRows);
    const label = `epoch ${epoch}, batch ${index}`;
    return batchOf(this.#people, rows, { ...this.#options, label }).batch;
  }

  /** Batches of one epoch after another without end, from the `numTaken`-th of all on. */
  *from(numTaken: number): Generator<CareerBatch, never> {
    let [epoch, index] = [0, numTaken];
    while (index >= this.numBatches(epoch)) index -= this.numBatches(epoch++);
    for (;;) {
      for (; index < this.numBatches(epoch); index++) yield this.batch(epoch, index);
      [epoch, index] = [epoch + 1, 0];
    }
  }

  #rows(epoch: number): readonly number[][] {
    if (this.#plan?.epoch !== epoch) {
      const { seed, seqLen } = this.#options;
      const order = shuffled([...this.#people.keys()], { seed, stream: 2 * epoch });
      const rows = packRows(this.#lengths, order, seqLen);
      // Full rows close first: shuffled again, or late batches would differ from early ones.
      this.#plan = { epoch, rows: shuffled(rows, { seed, stream: 2 * epoch + 1 }) };
    }
    return this.#plan.rows;
  }
}

/** A random order, by Fisher and Yates. */
function shuffled<Item>(
  items: Item[],
  name: { readonly seed: number; readonly stream: number },
): Item[] {
  const draws = uniform(items.length, { ...name, bound: 0.5 });
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.min(i, Math.floor((draws[i]! + 0.5) * (i + 1)));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
