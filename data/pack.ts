import { IGNORED, type Batch, type EncodedResume } from "./batch.ts";
import { Random } from "./random.ts";
import { resumeWindows, windowLength, type ResumeWindow } from "./windows.ts";

/** How resumes become batches. */
export interface PackOptions {
  /** Tokens per row. */
  readonly seqLen: number;
  /** Rows per batch. */
  readonly numRows: number;
  /** Any integer; fixes the order of every epoch. */
  readonly seed: number;
  /** Id of the token that fills rows. */
  readonly padId: number;
  /**
   * Weight of the loss of a token of a title.
   *
   * @default {1}
   */
  readonly titleWeight?: number;
  /**
   * Weight of the loss of any other token; 0 learns titles only.
   *
   * @default {1}
   */
  readonly otherWeight?: number;
  /**
   * Weight of the loss of the line feed that ends a title.
   *
   * @default {otherWeight}
   */
  readonly titleEndWeight?: number;
}

/** What an epoch looks like. */
export interface PackingSummary {
  readonly numBatches: number;
  /** Rows with at least one document; the last batch is filled up with empty ones. */
  readonly numRows: number;
  /** Resumes, or windows of those longer than a row. */
  readonly numDocuments: number;
  /** Tokens of all documents. */
  readonly numTokens: number;
  /** Share of the places of all batches that hold a token of a document, in (0, 1]. */
  readonly efficiency: number;
}

/** Rows being filled at once: a document goes to the one it fills best. */
const NUM_OPEN_ROWS = 64;

/**
 * Resumes packed into batches, a different order every epoch, any batch at any time.
 *
 * Batch `index` of `epoch` depends on the resumes, the options and these two numbers alone,
 * so that a run resumes at any place. Whole documents are packed, none across rows; a
 * document sees only itself. A resume longer than a row is cut into windows that repeat the
 * header and some history, and no token is learned twice. Padding stands in documents of one
 * token that nothing is learned from.
 *
 * Memory: the resumes, and the plan of the epoch in use.
 *
 * @example
 * ```ts ignore
 * const data = new PackedDataset(resumes, { seqLen: 256, numRows: 16, seed: 1, padId });
 * for (let index = 0; index < data.numBatches(0); index++) train(data.batch(0, index));
 * ```
 */
export class PackedDataset {
  readonly #options: Required<PackOptions>;
  readonly #documents: readonly ResumeWindow[];
  #plan: { readonly epoch: number; readonly rows: readonly PackedRow[] } | undefined;

  /**
   * Cuts the resumes to windows; packing waits for the first use of an epoch.
   *
   * @param resumes At least one.
   * @throws {RangeError} If there is no resume, an option is out of range, or a row does not
   * hold a resume's header and one year.
   */
  constructor(resumes: readonly EncodedResume[], options: PackOptions) {
    const { otherWeight = 1 } = options;
    const { titleWeight = 1, titleEndWeight = otherWeight } = options;
    this.#options = { ...options, titleWeight, otherWeight, titleEndWeight };
    checkOptions(this.#options);
    if (resumes.length === 0) {
      throw new RangeError("Cannot pack resumes: there must be at least one, got none");
    }
    this.#documents = resumes.flatMap((resume) => resumeWindows(resume, options.seqLen));
  }

  /** Number of batches in an epoch; it may differ by a few from epoch to epoch. */
  numBatches(epoch: number): number {
    return Math.ceil(this.#rows(epoch).length / this.#options.numRows);
  }

  /** Counts an epoch's rows, tokens and padding. */
  summary(epoch: number): PackingSummary {
    const { seqLen, numRows } = this.#options;
    const numBatches = this.numBatches(epoch);
    const numTokens = this.#documents.reduce((sum, document) => sum + windowLength(document), 0);
    return {
      numBatches,
      numRows: this.#rows(epoch).length,
      numDocuments: this.#documents.length,
      numTokens,
      efficiency: numTokens / (numBatches * numRows * seqLen),
    };
  }

  /**
   * Batch `index` of `epoch`, both from 0, freshly allocated.
   *
   * @throws {RangeError} If the epoch has no such batch.
   */
  batch(epoch: number, index: number): Batch {
    const numBatches = this.numBatches(epoch);
    if (!Number.isInteger(index) || index < 0 || index >= numBatches) {
      throw new RangeError(
        `Cannot take a batch: the index must be an integer in [0, ${numBatches}) in epoch ${epoch}, ` +
          `got ${index}`,
      );
    }
    const { seqLen, numRows, padId } = this.#options;
    const length = numRows * seqLen;
    const batch = {
      label: `epoch ${epoch}, batch ${index}`,
      numRows,
      seqLen,
      tokens: new Uint32Array(length).fill(padId),
      targets: new Uint32Array(length).fill(IGNORED),
      weights: new Float32Array(length),
      positions: new Uint32Array(length),
      starts: Uint32Array.from({ length }, (_, i) => i % seqLen),
      ends: Uint32Array.from({ length }, (_, i) => (i % seqLen) + 1),
    };
    const rows = this.#rows(epoch).slice(index * numRows, (index + 1) * numRows);
    for (const [b, { documents }] of rows.entries()) {
      let t = 0;
      for (const document of documents) {
        writeDocument(batch, { ...this.#options, document, row: b * seqLen, t });
        t += windowLength(document);
      }
    }
    return batch;
  }

  #rows(epoch: number): readonly PackedRow[] {
    if (!Number.isSafeInteger(epoch) || epoch < 0) {
      throw new RangeError(
        `Cannot pack an epoch: its number must be an integer of at least 0, got ${epoch}`,
      );
    }
    if (this.#plan?.epoch !== epoch) {
      const { seed, seqLen } = this.#options;
      const random = Random.from(seed, "packing", epoch);
      const rows = packRows(random.shuffle(this.#documents), seqLen);
      // Full rows close first: shuffled again, or late batches would differ from early ones.
      this.#plan = { epoch, rows: random.shuffle(rows) };
    }
    return this.#plan.rows;
  }
}

/**
 * Yields the batches of one epoch, from `firstBatch` on: {@linkcode PackedDataset} as a loop.
 *
 * @throws {RangeError} As {@linkcode PackedDataset}.
 */
export function* packBatches(
  resumes: readonly EncodedResume[],
  options: PackOptions & {
    /** @default {0} */ readonly epoch?: number;
    /** @default {0} */ readonly firstBatch?: number;
  },
): Generator<Batch, void, undefined> {
  const { epoch = 0, firstBatch = 0, ...packOptions } = options;
  const dataset = new PackedDataset(resumes, packOptions);
  for (let index = firstBatch; index < dataset.numBatches(epoch); index++) {
    yield dataset.batch(epoch, index);
  }
}

interface PackedRow {
  readonly documents: ResumeWindow[];
  /** Places left. */
  free: number;
}

/** Best fit into a bounded number of open rows: O(documents · open rows), near the order given. */
function packRows(documents: readonly ResumeWindow[], seqLen: number): PackedRow[] {
  const closed: PackedRow[] = [];
  const open: PackedRow[] = [];
  for (const document of documents) {
    const length = windowLength(document);
    let best: PackedRow | undefined;
    for (const row of open) {
      if (row.free >= length && (best === undefined || row.free < best.free)) best = row;
    }
    if (best === undefined) {
      if (open.length === NUM_OPEN_ROWS) closed.push(removeFullest(open));
      best = { documents: [], free: seqLen };
      open.push(best);
    }
    best.documents.push(document);
    best.free -= length;
  }
  return [...closed, ...open];
}

function removeFullest(rows: PackedRow[]): PackedRow {
  let fullest = 0;
  for (let i = 1; i < rows.length; i++) {
    if (rows[i]!.free < rows[fullest]!.free) fullest = i;
  }
  return rows.splice(fullest, 1)[0]!;
}

interface Placement extends Required<PackOptions> {
  readonly document: ResumeWindow;
  /** Index of the row's first place in the batch. */
  readonly row: number;
  /** Place in the row of the document's first token. */
  readonly t: number;
}

/** Writes a document's tokens; each place but the last has the next token as its target. */
function writeDocument(batch: Batch, placement: Placement): void {
  const { document, row, t } = placement;
  const { resume, headerLength, bodyStart, learnFrom } = document;
  const length = windowLength(document);
  const weights = tokenWeights(resume, placement);
  for (let i = 0; i < length; i++) {
    const sourceOf = (at: number): number =>
      at < headerLength ? at : bodyStart + at - headerLength;
    const at = row + t + i;
    batch.tokens[at] = resume.tokens[sourceOf(i)]!;
    batch.positions[at] = i;
    batch.starts[at] = t;
    batch.ends[at] = t + length;
    if (i + 1 === length) continue;
    const next = sourceOf(i + 1);
    const weight = weights[next]!;
    if (next >= learnFrom && weight > 0) {
      batch.targets[at] = resume.tokens[next]!;
      batch.weights[at] = weight;
    }
  }
}

/** Weight of each token of a resume as a target. */
function tokenWeights({ tokens, titles }: EncodedResume, options: Placement): Float32Array {
  const { titleWeight, otherWeight, titleEndWeight } = options;
  const weights = new Float32Array(tokens.length).fill(otherWeight);
  for (const { start, end } of titles) {
    weights.fill(titleWeight, start, end);
    weights[end] = titleEndWeight;
  }
  return weights;
}

function checkOptions(options: Required<PackOptions>): void {
  const { seqLen, numRows, seed, padId } = options;
  const whole = { seqLen, numRows, padId: padId + 1 };
  for (const [name, value] of Object.entries(whole)) {
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 31) {
      const shown = name === "padId" ? padId : value;
      throw new RangeError(
        `Cannot pack resumes: ${name} must be an integer of at least ${name === "padId" ? 0 : 1}, got ${shown}`,
      );
    }
  }
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`Cannot pack resumes: the seed must be an integer, got ${seed}`);
  }
  for (const name of ["titleWeight", "otherWeight", "titleEndWeight"] as const) {
    if (!Number.isFinite(options[name]) || options[name] < 0) {
      throw new RangeError(
        `Cannot pack resumes: ${name} must be a finite number of at least 0, got ${options[name]}`,
      );
    }
  }
}
