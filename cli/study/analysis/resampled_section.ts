import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import { deviation } from "../../../model/evaluation/resampling.ts";
import type { Cell, Section } from "../../report/document.ts";
import { type Analysis, answerOf } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** How much a model depends on which people it happened to learn from. */
export function resampledSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "resampled",
    title: "Training-set bootstrap",
    text: [
      "Models were fitted again on training people drawn with replacement. The standard deviation of their perplexities on the same test people is the standard error that comes from the training set.",
    ],
    tables: [
      tableOf({
        id: "resampled",
        title: "Perplexity of refits on resampled training people",
        columns: [
          { label: "Model" },
          { label: "Population" },
          ...columnsOf(["Refits"], 0),
          ...columnsOf(["As fitted", "Mean of refits", "Training-set s.e."]),
        ],
        rows: rowsOf(analysis),
        note: `As fitted: on all training people. ${analysis.errorNote}`,
      }),
    ],
  });
}

function rowsOf(analysis: Analysis): Cell[][] {
  const measure = perplexityMeasure();
  return analysis.runs().flatMap((run) => {
    const { model, population } = run;
    const refits = analysis.results.runs.flatMap((refit) => {
      const isOfRun = refit.model === model && refit.population === population;
      if (!isOfRun || refit.refit?.kind !== "resampled") return [];
      return answerOf(refit, population) ?? [];
    });
    const [some] = refits;
    if (some === undefined) return [];
    const values = refits.map((predictions) => measure.of(predictions)());
    const whole = answerOf(run, population);
    // Refits may have been asked about fewer people.
    const own = whole && analysis.pair(whole, some)[0];
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [
      [
        analysis.labelOf(run),
        population,
        values.length,
        own ? analysis.estimate(own, measure) : null,
        mean,
        values.length > 1 ? deviation(values) : null,
      ],
    ];
  });
}
