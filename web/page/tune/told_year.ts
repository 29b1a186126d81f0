import type { Career } from "../../../data/career.ts";
import { OCCUPATIONS, occupationIndex } from "../../../data/occupations.ts";
import type { Engine } from "../../engine/api.ts";

/** How probable the last year that a career tells is to a model that does not know it. */
export interface ToldYear {
  readonly year: number;
  readonly title: string;
  readonly probability: number;
}

/** Asks for the last year of a career, the years before being told. */
export async function askToldYear(
  engine: Engine,
  career: Career,
  signal?: AbortSignal,
): Promise<ToldYear | undefined> {
  const last = career.observations.at(-1);
  if (last === undefined) return undefined;
  const { year, education, occupation } = last;
  const question = { year, education, ...(signal !== undefined && { signal }) };
  const { probabilities } = await engine.predict(career, question);
  const index = occupationIndex(occupation);
  const { title } = OCCUPATIONS[index]!;
  return { year, title, probability: probabilities[index]! };
}
