import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import { standardErrorOf } from "../../../model/evaluation/resampling.ts";
import type { Cell, DifferencesFigure, Section } from "../../report/document.ts";
import type { DemographicField } from "../results.ts";
import { type Analysis, estimateOf } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

type Row = DifferencesFigure["rows"][number];

/** How much worse models become when demographics are other people's. */
export function shuffledSection(analysis: Analysis): Section | undefined {
  const cells = new Map<string, Cell[]>();
  const bars: Row[] = [];
  analysis.populations.forEach((population, column) => {
    for (const { label, fields, rise } of risesOf(analysis, population)) {
      const key = JSON.stringify([label, fields.join(", ")]);
      const row = cells.get(key) ?? analysis.populations.map(() => null);
      row[column] = estimateOf(rise);
      cells.set(key, row);
      const name = `${label}: ${fields.join(", ")}`;
      bars.push({ name, group: population, value: rise.value, error: standardErrorOf(rise) });
    }
  });
  return sectionOf({
    id: "shuffled",
    title: "Randomized demographics",
    text: [
      "Models were asked again with demographics drawn from other test people. The rise in perplexity is what a model gains from knowing the true ones.",
    ],
    tables: [
      tableOf({
        id: "shuffled",
        title: "Rise in perplexity with randomized demographics",
        columns: [{ label: "Model" }, { label: "Randomized" }, ...columnsOf(analysis.populations)],
        rows: Array.from(cells, ([key, row]) => [...(JSON.parse(key) as string[]), ...row]),
        note: `Paired on the same people. ${analysis.errorNote}`,
      }),
    ],
    figures: [figureOf(bars)],
  });
}

function risesOf(analysis: Analysis, population: string) {
  return analysis.judged(population).flatMap(({ label, run, predictions }) =>
    run.answers.flatMap(({ population: of, variation, predictions: shuffled }) => {
      if (of !== population || variation.kind !== "shuffled") return [];
      const rise = analysis.difference(shuffled, predictions, perplexityMeasure());
      const fields: readonly DemographicField[] = variation.fields;
      return rise ? [{ label, fields, rise }] : [];
    }),
  );
}

function figureOf(rows: readonly Row[]): DifferencesFigure | undefined {
  if (rows.length === 0) return undefined;
  return {
    kind: "differences",
    id: "shuffled",
    title: "Rise in perplexity with randomized demographics",
    label: "perplexity",
    rows,
  };
}
