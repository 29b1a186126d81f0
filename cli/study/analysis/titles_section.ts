import type { Section } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** Whether models that write titles write those of the vocabulary. */
export function titlesSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "titles",
    title: "Valid titles",
    tables: [
      tableOf({
        id: "titles",
        title: "Share of sampled titles that are titles of the vocabulary",
        columns: [
          { label: "Model" },
          { label: "Population" },
          ...columnsOf(["Sampled", "Valid"], 0),
          ...columnsOf(["Share"]),
        ],
        rows: analysis.runs().flatMap((run) => {
          const { numSampled = 0, numValid = 0 } = run.extras.validTitles ?? {};
          if (numSampled === 0) return [];
          const value = numValid / numSampled;
          const error = Math.sqrt((value * (1 - value)) / numSampled);
          const share = { value, error };
          return [[analysis.labelOf(run), run.population, numSampled, numValid, share]];
        }),
        note: "In brackets: the binomial standard error.",
      }),
    ],
  });
}
