import { bagOfJobsFamily } from "./families/bag_of_jobs.ts";
import { careerFamily } from "./families/career.ts";
import { embeddingLogitFamily } from "./families/embedding_logit.ts";
import { empiricalFamily } from "./families/empirical.ts";
import { languageModelFamily } from "./families/language_model.ts";
import { logitFamily } from "./families/logit.ts";
import { promptedFamily } from "./families/prompted.ts";
import type { Family } from "./family.ts";

const ALL = [
  empiricalFamily,
  logitFamily,
  bagOfJobsFamily,
  embeddingLogitFamily,
  careerFamily,
  promptedFamily,
  languageModelFamily,
];

/** Families that a study can name, by their names. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(
  ALL.map((family) => [family.name, family as unknown as Family]),
);
