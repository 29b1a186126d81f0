import {
  calibrationCurve,
  type CalibrationOptions,
  calibrationTest,
} from "../../../model/evaluation/calibration.ts";
import { calibrationMeasure } from "../../../model/evaluation/measures.ts";
import { rankMoves } from "../../../model/evaluation/moves.ts";
import type { CalibrationFigure, Section, Table } from "../../report/document.ts";
import type { Analysis } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

const GROUPINGS = [
  ["deciles", "ten groups of equal size", { by: "quantiles" }],
  ["bins", "ten groups of equal width", { by: "width" }],
] as const satisfies readonly (readonly [string, string, CalibrationOptions])[];

/** Whether those predicted to move with a probability of one in three do so one time in three. */
export function calibrationSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "calibration",
    title: "Calibration of the probability of moving",
    tables: analysis.populations.map((population) => testsTable(analysis, population)),
    figures: analysis.populations.flatMap((population) =>
      GROUPINGS.map((grouping) => curvesFigure(analysis, population, grouping)),
    ),
  });
}

function testsTable(analysis: Analysis, population: string): Table | undefined {
  return tableOf({
    id: `calibration-${analysis.slug(population)}`,
    title: `Calibration on ${population}`,
    columns: [
      { label: "Model" },
      ...columnsOf(["Error, deciles", "Error, bins"]),
      ...columnsOf(["χ²"], 1),
      ...columnsOf(["Degrees"], 0),
      ...columnsOf(["p"], 4),
    ],
    rows: analysis.judged(population).flatMap(({ label, predictions }) => {
      const moves = rankMoves(predictions);
      const { statistic, degrees, pValue } = calibrationTest(moves);
      if (Number.isNaN(statistic)) return [];
      const errors = GROUPINGS.map(([, , options]) =>
        analysis.estimate(predictions, calibrationMeasure(options)),
      );
      return [[label, ...errors, statistic, degrees ?? null, pValue]];
    }),
    note: `χ² over deciles: p is the probability of gaps at least as large, were the predicted probabilities the true ones. ${analysis.errorNote}`,
  });
}

function curvesFigure(
  analysis: Analysis,
  population: string,
  [name, inWords, options]: (typeof GROUPINGS)[number],
): CalibrationFigure | undefined {
  const series = analysis.judged(population).flatMap(({ label, predictions }) => {
    const draws = analysis.draws(predictions.ids.length);
    const curve = calibrationCurve(rankMoves(predictions), options, draws);
    const points = curve.map(({ predicted, observed, count, error }) => ({
      predicted,
      observed,
      count,
      ...(Number.isFinite(error) && { error }),
    }));
    return points.length > 0 ? [{ name: label, points }] : [];
  });
  if (series.length === 0) return undefined;
  return {
    kind: "calibration",
    id: `calibration-${name}-${analysis.slug(population)}`,
    title: `Predicted and observed shares of moves on ${population}, ${name}`,
    caption: `Observations in ${inWords} by the predicted probability of moving.`,
    series,
  };
}
