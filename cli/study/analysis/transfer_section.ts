import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { HeatMapFigure, Section, Table } from "../../report/document.ts";
import type { RunResult } from "../results.ts";
import { type Analysis, answerOf } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** Models fitted for one population, asked about another. */
export function transferSection(analysis: Analysis): Section | undefined {
  const models = new Map<string, RunResult[]>();
  for (const run of analysis.runs()) {
    if (run.fit.numPeople === 0) continue;
    models.set(run.model, [...(models.get(run.model) ?? []), run]);
  }
  const transferred = [...models.values()].filter((runs) =>
    runs.some((run) => run.answers.some(({ population }) => population !== run.population)),
  );
  return sectionOf({
    id: "transfer",
    title: "From one population to another",
    tables: [transferTable(analysis, transferred)],
    figures: transferred.map((runs) => transferFigure(analysis, runs)),
  });
}

function transferTable(
  analysis: Analysis,
  models: readonly (readonly RunResult[])[],
): Table | undefined {
  return tableOf({
    id: "transfer",
    title: "Perplexity by population learned from and population asked about",
    columns: [
      { label: "Model" },
      { label: "Fitted for" },
      ...columnsOf(analysis.populations.map((name) => `on ${name}`)),
    ],
    rows: models.flatMap((runs) =>
      runs.map((run) => [
        analysis.labelOf(run),
        run.population,
        ...analysis.populations.map((population) => {
          const predictions = answerOf(run, population);
          return predictions ? analysis.estimate(predictions, perplexityMeasure()) : null;
        }),
      ]),
    ),
    note: analysis.errorNote,
  });
}

function transferFigure(analysis: Analysis, runs: readonly RunResult[]): HeatMapFigure {
  const [run] = runs;
  return {
    kind: "heat map",
    id: `transfer-${analysis.slug(run!.model)}`,
    title: `${analysis.labelOf(run!)}: perplexity from one population to another`,
    rowLabel: "fitted for",
    columnLabel: "asked about",
    valueLabel: "perplexity",
    rows: runs.map(({ population }) => population),
    columns: analysis.populations,
    values: runs.map((one) =>
      analysis.populations.map((population) => {
        const predictions = answerOf(one, population);
        return predictions ? analysis.figure(predictions, perplexityMeasure()).value : null;
      }),
    ),
  };
}
