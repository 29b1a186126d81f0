/** Classifications of occupations that a crosswalk to occ1990dd exists for, and occ1990dd itself. */
export const CODINGS = [
  "census1970",
  "census1980",
  "census1990",
  "census2000",
  "census2002",
  "occ1990dd",
] as const;

/** One of {@linkcode CODINGS}. */
export type Coding = (typeof CODINGS)[number];
