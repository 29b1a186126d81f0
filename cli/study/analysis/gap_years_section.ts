import { clusteredError } from "../../../model/evaluation/resampling.ts";
import { gapCorrelation } from "../../../model/forecast/gap_years.ts";
import type { Section } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** Log-probabilities over a gap of years: asked at once, and summed over the years between. */
export function gapYearsSection(analysis: Analysis): Section | undefined {
  const rows = analysis.runs().flatMap((run) => {
    const { gapYears = [] } = run.extras;
    if (gapYears.length === 0) return [];
    const direct = gapYears.map((each) => each.direct);
    const twoStep = gapYears.map((each) => each.twoStep);
    const differences = direct.map((value, i) => value - twoStep[i]!);
    const people = gapYears.map(({ person }, i) => person ?? i);
    const error = clusteredError(differences, people);
    return [
      [
        analysis.labelOf(run),
        run.population,
        gapYears.length,
        mean(direct),
        mean(twoStep),
        { value: mean(differences), ...(Number.isFinite(error) && { error }) },
        gapCorrelation(gapYears),
      ],
    ];
  });
  return sectionOf({
    id: "gap-years",
    title: "Gap years",
    text: [
      "A consistent model gives an occupation two years on the same probability whether it is asked at once, or for the year between and then, summed over what may happen in it.",
    ],
    tables: [
      tableOf({
        id: "gap-years",
        title: "Log-probability over a gap: direct and in two steps",
        columns: [
          { label: "Model" },
          { label: "Population" },
          ...columnsOf(["Observations"], 0),
          ...columnsOf(["Direct", "Two steps", "Difference", "Correlation"]),
        ],
        rows,
        note: "Means in nats. In brackets: the standard error of the mean, gaps of one person taken together.",
      }),
    ],
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
