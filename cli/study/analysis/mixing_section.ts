import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { Predictions } from "../../../model/evaluation/predictions.ts";
import type { CurvesFigure, Section } from "../../report/document.ts";
import { type Analysis, answerOf } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

interface Mixed {
  readonly label: string;
  readonly population: string;
  /** Of the others' people, ascending; 0 is the model without them. */
  readonly share: number;
  readonly predictions: Predictions;
  /** Predictions of the model without others' people, where there is one. */
  readonly without: Predictions | undefined;
}

/** Models with shares of other populations' people among those that they learn from. */
export function mixingSection(analysis: Analysis): Section | undefined {
  const mixed = mixedAnswers(analysis);
  const measure = perplexityMeasure();
  return sectionOf({
    id: "mixing",
    title: "Others' people in the training set",
    tables: [
      tableOf({
        id: "mixing",
        title: "Perplexity with shares of other populations' people",
        columns: [
          { label: "Model" },
          { label: "Population" },
          ...columnsOf(["Others' people, %"], 0),
          ...columnsOf(["Perplexity", "Minus that without"]),
        ],
        rows: mixed.map(({ label, population, share, predictions, without }) => [
          label,
          population,
          100 * share,
          analysis.estimate(predictions, measure),
          share > 0 && without ? analysis.differenceCell(predictions, without, measure) : null,
        ]),
        note: analysis.errorNote,
      }),
    ],
    figures: analysis.populations.map((population) =>
      mixingFigure(
        analysis,
        population,
        mixed.filter((one) => one.population === population),
      ),
    ),
  });
}

function mixedAnswers(analysis: Analysis): Mixed[] {
  return analysis.runs().flatMap((run): Mixed[] => {
    const { model, population } = run;
    const label = analysis.labelOf(run);
    const without = answerOf(run, population);
    const refits = analysis.results.runs.flatMap((refit): Mixed[] => {
      const isOfRun = refit.model === model && refit.population === population;
      if (!isOfRun || refit.refit?.kind !== "mixed") return [];
      const predictions = answerOf(refit, population);
      const { share } = refit.refit;
      return predictions ? [{ label, population, share, predictions, without }] : [];
    });
    const [some] = refits;
    if (some === undefined) return [];
    const hasZero = refits.some(({ share }) => share === 0);
    // Refits may have been asked about fewer people.
    const own = (without && !hasZero ? [analysis.pair(without, some.predictions)[0]] : []).map(
      (predictions) => ({ label, population, share: 0, predictions, without }),
    );
    return [...own, ...refits].toSorted((a, b) => a.share - b.share);
  });
}

function mixingFigure(
  analysis: Analysis,
  population: string,
  mixed: readonly Mixed[],
): CurvesFigure | undefined {
  if (mixed.length === 0) return undefined;
  const labels = [...new Set(mixed.map(({ label }) => label))];
  return {
    kind: "curves",
    id: `mixing-${analysis.slug(population)}`,
    title: `Perplexity on ${population} with others' people`,
    xLabel: "others' people, %",
    yLabel: "perplexity",
    series: labels.map((name) => ({
      name,
      points: mixed
        .filter(({ label }) => label === name)
        .map(({ share, predictions }) => [
          100 * share,
          analysis.figure(predictions, perplexityMeasure()).value,
        ]),
    })),
  };
}
