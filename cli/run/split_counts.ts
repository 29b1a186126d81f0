import type { Career, Tokenizer } from "../../data/mod.ts";
import { alignTable } from "../../model/occupation/text_table.ts";
import { type Kind, kindOf, KINDS } from "../../model/occupation/metrics.ts";
import { type Split, SPLITS } from "./prepared.ts";
import { personOf, type Wording } from "../../data/wording.ts";

/** Counts of one part of the people. */
export interface SplitCounts {
  readonly numPeople: number;
  readonly numObservations: number;
  /** Observations by kind. */
  readonly numByKind: Readonly<Record<Kind, number>>;
  readonly numTokens: number;
  /** Tokens of titles alone. */
  readonly numTitleTokens: number;
}

/** Counts people, person-years and tokens, one career at a time. */
export function countSplit(
  careers: readonly Career[],
  tokenizer: Tokenizer,
  wording: Wording,
): SplitCounts {
  const numByKind: Record<Kind, number> = { first: 0, staying: 0, moving: 0 };
  let [numObservations, numTokens, numTitleTokens] = [0, 0, 0];
  for (const career of careers) {
    const person = personOf(career, tokenizer, wording);
    numObservations += person.occupations.length;
    person.occupations.forEach((_, index) => numByKind[kindOf(person, index)]++);
    numTokens += person.resume.tokens.length;
    for (const { start, end } of person.resume.titles) numTitleTokens += end - start;
  }
  return { numPeople: careers.length, numObservations, numByKind, numTokens, numTitleTokens };
}

/** A table of counts, a row for each part. */
export function countTable(counts: Readonly<Record<Split, SplitCounts>>): string {
  const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)}%`;
  const heading = ["part", "people", "person-years", ...KINDS, "tokens/resume", "tokens/title"];
  const rows = SPLITS.map((split) => {
    const { numPeople, numObservations, numByKind, numTokens, numTitleTokens } = counts[split];
    return [
      split,
      String(numPeople),
      String(numObservations),
      ...KINDS.map((kind) => share(numByKind[kind], numObservations)),
      (numTokens / numPeople).toFixed(1),
      (numTitleTokens / numObservations).toFixed(2),
    ];
  });
  return alignTable([heading, ...rows]);
}
