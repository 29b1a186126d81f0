import type { Career, Education } from "./career.ts";
import { renderPrompt } from "./resume.ts";
import { cutCareer, resumeOptions, type Wording, type WordedCareer } from "./wording.ts";

/** A year of a career that a model is asked about. */
export interface AskedCareer {
  /** Ends with the year in question, of any occupation; cut as the wording tells. */
  readonly career: Career;
  /** Observation of the year in question: the last. */
  readonly index: number;
  readonly year: number;
  readonly education: Education;
  /** The resume up to the title in question. */
  readonly prompt: string;
}

/**
 * The career up to a year in question: what is told of it, and the text that a model reads.
 *
 * @param career Years from the one in question on are not told.
 * @param question By default the year after the last, and the last education that is told.
 * @throws {RangeError} If the career is not fit for a resume, or the year cannot be asked about.
 */
export function askCareer(
  career: Career,
  question: { readonly year?: number; readonly education?: Education },
  wording: Wording,
): AskedCareer {
  const last = career.observations.at(-1);
  if (last === undefined) {
    throw new RangeError(
      `Cannot ask about career "${career.id}": it must have at least one year, got none`,
    );
  }
  const { year = last.year + 1 } = question;
  const told = career.observations.filter((observation) => observation.year < year);
  const education = question.education ?? told.at(-1)?.education ?? last.education;
  const observations = [...told, { year, education, occupation: "unemployed" }];
  const asked = cutCareer({ ...career, observations }, wording);
  const prompt = renderPrompt(asked, { year, education }, resumeOptions(wording));
  return { career: asked, index: asked.observations.length - 1, year, education, prompt };
}

/**
 * Checks that a model can read a resume to its end.
 *
 * @throws {RangeError} If not.
 */
export function checkResumeFits(
  { career, resume }: Pick<WordedCareer, "career" | "resume">,
  maxSeqLen: number,
): void {
  const { length } = resume.tokens;
  if (length <= maxSeqLen) return;
  throw new RangeError(
    `Cannot predict career "${career.id}": its resume must have at most ${maxSeqLen} tokens for this model, got ${length}; leave out early years`,
  );
}
