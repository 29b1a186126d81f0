import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { Predictions } from "../../../model/evaluation/predictions.ts";
import { positionsOf, selectObservations } from "../../../model/evaluation/selection.ts";
import type { Cell, Section, Table } from "../../report/document.ts";
import { type Analysis, answerOf, type Judged } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** Positions of observations in careers that are looked at together: above the first, to the second. */
const WINDOWS = [
  [5, 10],
  [10, 15],
  [15, 20],
  [20, 25],
] as const;

/** What a longer history is worth. */
export function historySection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "history",
    title: "Length of history",
    text: [
      "Models were asked again with the latest k years of each history alone. The gain of k years is the perplexity with the fewest years minus that with k, at observations that have so many years before them.",
    ],
    tables: analysis.populations.map((population) => gainsTable(analysis, population)),
  });
}

function gainsTable(analysis: Analysis, population: string): Table | undefined {
  return tableOf({
    id: `history-${analysis.slug(population)}`,
    title: `Gains from longer histories on ${population}`,
    columns: [
      { label: "Model" },
      { label: "Observations" },
      ...columnsOf(["Person-years"], 0),
      { label: "Years told" },
      { label: "Against", digits: 0 },
      ...columnsOf(["Perplexity", "Gain"]),
    ],
    rows: analysis.judged(population).flatMap((judged) => gainsOf(analysis, population, judged)),
    note: `Observations (a, b] are the a+1st to the b-th of a person. ${analysis.errorNote}`,
  });
}

function gainsOf(analysis: Analysis, population: string, { label, run, predictions }: Judged) {
  const lengths = run.answers
    .flatMap(({ population: of, variation }) =>
      of === population && variation.kind === "history" ? [variation.rows] : [],
    )
    .toSorted((a, b) => a - b);
  const [fewest] = lengths;
  if (fewest === undefined) return [];
  const told = (rows: number) =>
    answerOf(run, population, (v) => v.kind === "history" && v.rows === rows)!;
  return WINDOWS.flatMap(([from, to]) => {
    const longer = lengths.filter((rows) => rows > fewest && rows <= from);
    const answers: (readonly [string, Predictions])[] = [
      ...longer.map((rows) => [String(rows), told(rows)] as const),
      ["all", predictions],
    ];
    // Where only the whole history is longer, the window is of no use unless the fewest fit in it.
    if (fewest > from) return [];
    return answers.flatMap(([years, answer]): Cell[][] => {
      const [all, few] = analysis.pair(answer, told(fewest));
      const [longerHistory, shortest] = [inWindow(all, [from, to]), inWindow(few, [from, to])];
      if (longerHistory.person.length === 0) return [];
      const measure = perplexityMeasure();
      return [
        [
          label,
          `(${from}, ${to}]`,
          longerHistory.person.length,
          years,
          fewest,
          analysis.estimate(longerHistory, measure),
          analysis.differenceCell(shortest, longerHistory, measure),
        ],
      ];
    });
  });
}

function inWindow(
  predictions: Predictions,
  [from, to]: readonly [from: number, to: number],
): Predictions {
  const positions = positionsOf(predictions);
  return selectObservations(predictions, (i) => positions[i]! > from && positions[i]! <= to);
}
