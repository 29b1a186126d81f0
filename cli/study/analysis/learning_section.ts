import type { CurvesFigure, Section } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { sectionOf } from "./section.ts";

/** Validation perplexities while models learned. */
export function learningSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "learning",
    title: "Learning curves",
    figures: analysis.populations.map((population) => learningFigure(analysis, population)),
  });
}

function learningFigure(analysis: Analysis, population: string): CurvesFigure | undefined {
  const series = analysis.runs().flatMap((run) => {
    const { curve = [] } = run.fit;
    if (run.population !== population || curve.length < 2) return [];
    const points = curve.map(({ step, perplexity }) => [step, perplexity] as const);
    return [{ name: analysis.labelOf(run), points }];
  });
  if (series.length === 0) return undefined;
  return {
    kind: "curves",
    id: `learning-${analysis.slug(population)}`,
    title: `Learning curves on ${population}`,
    caption: "Perplexity of the validation people by step, each model in its own units.",
    xLabel: "step",
    yLabel: "perplexity",
    yScale: "log",
    series,
  };
}
