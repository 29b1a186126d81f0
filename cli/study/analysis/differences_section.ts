import {
  AUC,
  calibrationMeasure,
  logLikelihoodByPerson,
  logLikelihoodMeasure,
  perplexityMeasure,
  topMeasure,
} from "../../../model/evaluation/measures.ts";
import { standardErrorOf } from "../../../model/evaluation/resampling.ts";
import type { Cell, DifferencesFigure, Section, Table } from "../../report/document.ts";
import type { Analysis, Judged } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

/** Every model against the reference, pair by pair on the same people. */
export function differencesSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "differences",
    title: "Paired differences",
    text: [
      "Each model minus the reference, on the people that both were asked about. Chance moves both together, so that the difference is known far better than either figure.",
    ],
    tables: analysis.populations.map((population) => differencesTable(analysis, population)),
    figures: [differencesFigure(analysis)],
  });
}

function othersOf(analysis: Analysis, population: string) {
  const reference = analysis.reference(population);
  const others = analysis.judged(population).filter(({ run }) => run !== reference?.run);
  return reference ? { reference, others } : undefined;
}

function differencesTable(analysis: Analysis, population: string): Table | undefined {
  const compared = othersOf(analysis, population);
  if (!compared) return undefined;
  const { reference, others } = compared;
  const { top } = analysis.results;
  const measures = [
    ...(["all", "first", "staying", "moving"] as const).map((kind) => perplexityMeasure({ kind })),
    AUC,
    calibrationMeasure({ by: "quantiles" }),
    calibrationMeasure({ by: "width" }),
    ...top.map(topMeasure),
  ];
  return tableOf({
    id: `differences-${analysis.slug(population)}`,
    title: `Models minus ${reference.label} on ${population}`,
    columns: [
      { label: "Model" },
      { label: "People", digits: 0, align: "right" },
      ...columnsOf([
        "Perplexity",
        "First",
        "Staying",
        "Moving",
        "AUC",
        "Calibration, deciles",
        "Calibration, bins",
        ...top.map((k) => `Top ${k}`),
      ]),
      ...columnsOf(["Worse for, % of people"], 1),
    ],
    rows: others.map((other) => [
      other.label,
      analysis.pair(other.predictions, reference.predictions)[0].ids.length,
      ...measures.map((measure) =>
        analysis.differenceCell(other.predictions, reference.predictions, measure),
      ),
      shareWorse(analysis, other, reference),
    ]),
    note: `${analysis.errorNote} Worse for: people whose whole career has a lower probability than by the reference.`,
  });
}

/** Percentage of people to whose careers a model gives a lower probability than another. */
function shareWorse(analysis: Analysis, a: Judged, b: Judged): Cell {
  const [one, other] = analysis.pair(a.predictions, b.predictions);
  const [sums, others] = [logLikelihoodByPerson(one), logLikelihoodByPerson(other)];
  if (sums.length === 0) return null;
  return (100 * sums.filter((sum, p) => sum < others[p]!).length) / sums.length;
}

/** Differences of log-likelihoods, which are of like size for good models and bad ones. */
function differencesFigure(analysis: Analysis): DifferencesFigure | undefined {
  const measure = logLikelihoodMeasure();
  const rows = analysis.populations.flatMap((population) => {
    const compared = othersOf(analysis, population);
    if (!compared) return [];
    return compared.others.flatMap(({ label, predictions }) => {
      const { predictions: reference } = compared.reference;
      const difference = analysis.difference(predictions, reference, measure);
      if (!difference) return [];
      const { value } = difference;
      return [{ name: label, group: population, value, error: standardErrorOf(difference) }];
    });
  });
  if (rows.length === 0) return undefined;
  const references = analysis.populations.flatMap((population) => {
    const label = analysis.reference(population)?.label;
    return label === undefined ? [] : [`${label} on ${population}`];
  });
  return {
    kind: "differences",
    id: "differences",
    title: "Log-likelihood of a person-year, minus the reference's",
    caption: `Mean difference in nats; below zero, the model predicts worse than the reference: ${references.join(", ")}.`,
    label: "nats",
    rows,
  };
}
