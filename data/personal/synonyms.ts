import { OFFICE_SYNONYMS } from "./synonyms_offices.ts";
import { SERVICE_SYNONYMS } from "./synonyms_services.ts";

/** A way to call a job, and the code of `OCCUPATIONS` that it stands for. */
export interface Synonym {
  readonly code: string;
  readonly text: string;
}

/**
 * What people call jobs in English, in the singular, each with its occupation of occ1990dd.
 *
 * Written for this project, as lists `code: title, title`. Where a code's title says too little or
 * misleads (22 is every manager without a code of their own, 804 every truck driver, 889 every
 * warehouse hand), jobs follow the census codes that make up the code, as `data/crosswalk/` has
 * them. A title that belongs to several codes stands with the commonest. Spelling, accents,
 * hyphens and plurals do not matter.
 *
 * @see {@link https://www.ddorn.net/data.htm | Dorn's data page}
 */
export function readSynonyms(): Synonym[] {
  const lines = `${OFFICE_SYNONYMS}${SERVICE_SYNONYMS}`.trim().split(/\s+(?=\w+:)/);
  return lines.flatMap((line) => {
    const [code = "", list = ""] = line.split(":");
    return list.split(",").map((text) => ({ code, text: text.trim().replaceAll(/\s+/g, " ") }));
  });
}
