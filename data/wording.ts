import { occupationIndex } from "./occupations.ts";
import type { EncodedResume } from "./batch.ts";
import type { Career } from "./career.ts";
import { encodeResume } from "./encode_resume.ts";
import type { ResumeOptions } from "./resume.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** How careers become text, the same when a model learns and when it is asked. */
export interface Wording {
  readonly dataset: string;
  readonly birthYear: boolean;
  readonly titles: "authentic" | "numeric";
  readonly titleSeed: number;
  /** A career is cut to this many of its latest years; 0 for all. */
  readonly lastRows: number;
}

/** How careers become text where nobody says, as the paper words its main survey. */
export const DEFAULT_WORDING: Wording = {
  dataset: "NLSY97",
  birthYear: true,
  titles: "authentic",
  titleSeed: 0,
  lastRows: 0,
};

/** A career as occupation models see it: indices for those that count, tokens for those that read. */
export interface WordedCareer {
  readonly career: Career;
  /** Index of each observation's occupation in the vocabulary. */
  readonly occupations: number[];
  readonly resume: EncodedResume;
}

/** Options of the resume that say the same. Years are cut from the career, not here. */
export function resumeOptions({ dataset, birthYear, titles, titleSeed }: Wording): ResumeOptions {
  return { dataset, birthYear, titles, titleSeed };
}

/** The latest years of a career, as many as the wording tells. */
export function cutCareer(career: Career, { lastRows }: Pick<Wording, "lastRows">): Career {
  if (lastRows === 0) return career;
  return { ...career, observations: career.observations.slice(-lastRows) };
}

/**
 * A career in a model's words.
 *
 * @throws {RangeError} If an occupation is not in the vocabulary.
 */
export function personOf(career: Career, tokenizer: Tokenizer, wording: Wording): WordedCareer {
  return {
    career,
    occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
    resume: encodeResume(career, tokenizer, resumeOptions(wording)),
  };
}
