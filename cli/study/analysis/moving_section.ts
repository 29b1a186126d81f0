import { AUC } from "../../../model/evaluation/measures.ts";
import { rankMoves, rocOf } from "../../../model/evaluation/moves.ts";
import type { CurvesFigure, Section } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { inWords, sectionOf } from "./section.ts";

/** Points nearer than this on a ROC curve are left out. */
const RESOLUTION = 0.01;

/** Whether models tell who moves. */
export function movingSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "moving",
    title: "Who moves",
    text: [
      "Observations are ranked by the predicted probability of another occupation than in the observation before. The area under the curve (AUC) is the probability that a move was ranked above a stay.",
    ],
    figures: analysis.populations.map((population) => rocFigure(analysis, population)),
  });
}

function rocFigure(analysis: Analysis, population: string): CurvesFigure | undefined {
  const series = analysis.judged(population).flatMap(({ label, predictions }) => {
    const points = rocOf(rankMoves(predictions), { resolution: RESOLUTION });
    const auc = analysis.figure(predictions, AUC).value;
    return points.length > 0 ? [{ name: `${label}, ${inWords(auc)}`, points }] : [];
  });
  if (series.length === 0) return undefined;
  return {
    kind: "curves",
    id: `roc-${analysis.slug(population)}`,
    title: `ROC curves of moving on ${population}`,
    caption: "With the area under each curve.",
    xLabel: "share of stays ranked higher",
    yLabel: "share of moves ranked higher",
    diagonal: true,
    series,
  };
}
