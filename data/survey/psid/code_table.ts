import { z } from "zod";

/** Codes that mean the same: single ones and ranges, both ends included. */
export type Codes = readonly (readonly [number, number])[];

const RANGE = /^\d{1,6}-\d{1,6}$/;

const WRONG =
  'must be codes: whole numbers, ranges that ascend such as "13-15", or a list of these';

/** A single code, or a range, as its two ends. */
const one = z.union([
  z
    .int()
    .nonnegative()
    .transform((code) => [code, code] as const),
  z
    .string()
    .regex(RANGE)
    .transform((text) => text.split("-").map(Number) as [number, number])
    .refine(([low, high]) => low <= high),
]);

/** Schema of codes in a mapping: `3`, `"13-15"`, or a list of these. */
export const codes: z.ZodType<Codes> = z.union(
  [one.transform((range): Codes => [range]), z.array(one).min(1)],
  { error: WRONG },
);

/** What each code of a variable means. */
export class CodeTable<Meaning extends string> {
  private readonly ranges: readonly { low: number; high: number; meaning: Meaning }[];

  /** @throws {RangeError} If a code has two meanings. */
  constructor(meanings: Readonly<Partial<Record<Meaning, Codes>>>) {
    const entries = Object.entries(meanings) as [Meaning, Codes | undefined][];
    const ranges = entries.flatMap(([meaning, list]) =>
      (list ?? []).map(([low, high]) => ({ low, high, meaning })),
    );
    this.ranges = ranges.toSorted((a, b) => a.low - b.low);
    for (const [i, { low, meaning }] of this.ranges.entries()) {
      const before = this.ranges[i - 1];
      if (before !== undefined && low <= before.high) {
        throw new RangeError(
          `Cannot read codes: each must have one meaning, got ${low} as "${before.meaning}" and "${meaning}"`,
        );
      }
    }
  }

  /** The meaning of a code, `undefined` where the mapping gives it none, as to no fraction. */
  meaning(code: number): Meaning | undefined {
    if (!Number.isInteger(code)) return undefined;
    return this.ranges.find(({ low, high }) => low <= code && code <= high)?.meaning;
  }
}
