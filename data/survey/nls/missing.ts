/** Why the NLS have no value, by the code that stands in its place. */
export const MISSING_REASONS = {
  "-1": "refusal",
  "-2": "don't know",
  "-3": "invalid skip",
  "-4": "valid skip",
  "-5": "non-interview",
} as const;

/** A code that stands in place of a value. */
export type MissingCode = keyof typeof MISSING_REASONS;

/** One of the values of {@linkcode MISSING_REASONS}. */
export type MissingReason = (typeof MISSING_REASONS)[MissingCode];

/** Why there is no value, or undefined if there is one. */
export function missingReason(value: string): MissingReason | undefined {
  return Object.hasOwn(MISSING_REASONS, value) ? MISSING_REASONS[value as MissingCode] : undefined;
}
