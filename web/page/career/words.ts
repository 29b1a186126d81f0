/** Values of one field, under the name of the surveys that word it so. */
export interface WordGroup {
  readonly label: string;
  readonly values: readonly string[];
}

/** Genders, as all surveys word them. */
export const GENDERS: readonly WordGroup[] = [{ label: "", values: ["female", "male"] }];

/**
 * Ethnicities, as surveys word them. Words that a model never read mean little to it, so they
 * stand under the survey.
 */
export const ETHNICITIES: readonly WordGroup[] = [
  {
    label: "As in NLSY97 resumes",
    values: [
      "asian or pacific islander",
      "black or african american",
      "hispanic or latino",
      "white",
      "other",
    ],
  },
  { label: "As in NLSY79 resumes", values: ["black", "hispanic", "non-black non-hispanic"] },
];

/** Regions of the Census, as all surveys word them. */
export const REGIONS: readonly WordGroup[] = [
  { label: "", values: ["northeast", "northcentral", "south", "west"] },
];

/** The groups, with a value that none of them has in a group of its own. */
export function withValue(groups: readonly WordGroup[], value: string): readonly WordGroup[] {
  if (value === "" || groups.some(({ values }) => values.includes(value))) return groups;
  return [...groups, { label: "As in this career", values: [value] }];
}
