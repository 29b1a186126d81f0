/** How much compressed files may unfold. */
export interface InflationLimits {
  /**
   * Most bytes of one file.
   *
   * @default {4_294_967_295}
   */
  readonly maxEntryBytes: number;
  /**
   * Most bytes of all files that are opened, each time they are.
   *
   * @default {17_179_869_184}
   */
  readonly maxTotalBytes: number;
  /**
   * Most bytes of a file for each of its compressed bytes; tables of codes reach some 30, and
   * bombs 1,000.
   *
   * @default {250}
   */
  readonly maxRatio: number;
  /**
   * Bytes of a file that are free of {@linkcode maxRatio}: little files may be all alike.
   *
   * @default {1_048_576}
   */
  readonly freeBytes: number;
  /**
   * Most files of an archive.
   *
   * @default {10_000}
   */
  readonly maxEntries: number;
}

/** Limits that downloads of surveys keep far away from. */
export const INFLATION_LIMITS: InflationLimits = Object.freeze({
  maxEntryBytes: 2 ** 32 - 1,
  maxTotalBytes: 2 ** 34,
  maxRatio: 250,
  freeBytes: 2 ** 20,
  maxEntries: 10_000,
});

/** What an archive may still unfold; files that are opened share it. */
export class InflationBudget {
  readonly limits: InflationLimits;
  #total = 0;

  constructor(limits: Partial<InflationLimits> = {}) {
    this.limits = { ...INFLATION_LIMITS, ...limits };
  }

  /**
   * Accounts for bytes of a file before they are handed out.
   *
   * @param place The file, for errors: `"a.zip" (b.csv)`.
   * @returns A counter: tell it bytes that came out, and bytes that have gone in so far.
   */
  meter(place: string): (bytesOut: number, bytesIn: number) => void {
    let entry = 0;
    return (bytesOut, bytesIn) => {
      entry += bytesOut;
      this.#total += bytesOut;
      this.checkSize(place, entry, bytesIn);
      if (this.#total > this.limits.maxTotalBytes) {
        throw tooLarge(place, `all files together at most ${this.limits.maxTotalBytes} bytes`);
      }
    };
  }

  /** @throws {RangeError} If a file of these sizes is not to be opened. */
  checkSize(place: string, bytesOut: number, bytesIn: number): void {
    const { maxEntryBytes, maxRatio, freeBytes } = this.limits;
    if (bytesOut > maxEntryBytes) {
      throw tooLarge(place, `a file at most ${maxEntryBytes} bytes`);
    }
    if (bytesOut > freeBytes && bytesOut > maxRatio * bytesIn) {
      throw tooLarge(place, `at most ${maxRatio} bytes for each compressed byte`);
    }
  }
}

function tooLarge(place: string, limit: string): RangeError {
  return new RangeError(
    `Cannot read ${place}: it must unfold to ${limit}, got more ` +
      `(if you trust the file, unpack it yourself and name the folder)`,
  );
}
