import { empiricalFamily } from "./families/empirical.ts";
import { languageModelFamily } from "./families/language_model.ts";
import type { Family } from "./family.ts";

/** Families that a study can name, by their names. */
export const FAMILIES: ReadonlyMap<string, Family> = new Map(
  [empiricalFamily, languageModelFamily].map((family) => [
    family.name,
    family as unknown as Family,
  ]),
);
