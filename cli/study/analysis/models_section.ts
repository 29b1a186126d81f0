import { KINDS, type Variant } from "../../../model/occupation/metrics.ts";
import {
  AUC,
  calibrationMeasure,
  logLikelihoodMeasure,
  perplexityMeasure,
  topMeasure,
} from "../../../model/evaluation/measures.ts";
import type { Cell, Section, Table } from "../../report/document.ts";
import type { Analysis, Judged } from "./analysis.ts";
import { columnsOf, sectionOf, tableOf } from "./section.ts";

const ALL_KINDS = ["all", ...KINDS] as const;
const MODEL = { label: "Model" };

/** All models on all populations: how well they predict, and what they took. */
export function modelsSection(analysis: Analysis): Section | undefined {
  return sectionOf({
    id: "models",
    title: "Models",
    text: [
      "Perplexity is exp(−mean log-probability of what happened) over person-years. First is a person's first observation; staying and moving are those with the same and with another occupation than the observation before.",
    ],
    tables: [
      summary(analysis),
      ...analysis.populations.flatMap((population) => [
        perplexities(analysis, population, "normalized"),
        perplexities(analysis, population, "raw"),
        accuracies(analysis, population),
        costs(analysis, population),
      ]),
    ],
  });
}

/** Models by population, as the paper's first table. */
function summary(analysis: Analysis): Table | undefined {
  const { populations } = analysis;
  const rows = new Map<string, Cell[]>();
  const perplexity = perplexityMeasure();
  populations.forEach((population, column) => {
    const judged = analysis.judged(population);
    const best = analysis.best(judged);
    for (const one of judged) {
      const row = rows.get(one.label) ?? populations.map(() => null);
      const estimate = analysis.estimate(one.predictions, perplexity);
      row[column] = one === best ? { ...estimate, best: true } : estimate;
      rows.set(one.label, row);
    }
  });
  return tableOf({
    id: "perplexity",
    title: "Perplexity of all models",
    columns: [MODEL, ...columnsOf(populations)],
    rows: Array.from(rows, ([label, cells]) => [label, ...cells]),
    note: `All observations, probabilities normalized over the vocabulary. ${analysis.errorNote}`,
  });
}

function perplexities(analysis: Analysis, population: string, variant: Variant): Table | undefined {
  const all = analysis.judged(population);
  const judged = variant === "normalized" ? all : all.filter(isUnnormalized);
  const slug = analysis.slug(population);
  return tableOf({
    id: variant === "normalized" ? `perplexity-${slug}` : `perplexity-as-paper-${slug}`,
    title:
      variant === "normalized"
        ? `Perplexity on ${population}`
        : `Perplexity on ${population} as the paper defines it, of models whose probabilities then do not sum to one`,
    columns: [
      MODEL,
      ...columnsOf(["People", "Person-years"], 0),
      ...columnsOf(["All", "First", "Staying", "Moving", "Log-likelihood"]),
    ],
    rows: judged.map(({ label, predictions }) => [
      label,
      predictions.ids.length,
      predictions.person.length,
      ...ALL_KINDS.map((kind) =>
        analysis.estimate(predictions, perplexityMeasure({ kind, variant })),
      ),
      analysis.estimate(predictions, logLikelihoodMeasure(variant)),
    ]),
    note: `Log-likelihood in nats a person-year. ${analysis.errorNote}`,
  });
}

function isUnnormalized({ predictions: { raw, normalized } }: Judged): boolean {
  return raw.some((value, i) => value !== normalized[i]);
}

function accuracies(analysis: Analysis, population: string): Table | undefined {
  const { top } = analysis.results;
  const measures = [
    AUC,
    calibrationMeasure({ by: "quantiles" }),
    calibrationMeasure({ by: "width" }),
    ...top.map(topMeasure),
  ];
  const labels = ["AUC", "Calibration, deciles", "Calibration, bins"];
  return tableOf({
    id: `accuracy-${analysis.slug(population)}`,
    title: `Moves and most probable occupations on ${population}`,
    columns: [MODEL, ...columnsOf([...labels, ...top.map((k) => `Top ${k}`)])],
    rows: analysis
      .judged(population)
      .map(({ label, predictions }) => [
        label,
        ...measures.map((measure) => analysis.estimate(predictions, measure)),
      ]),
    note: `AUC: area under the ROC curve of moving. Calibration: root mean square gap between predicted and observed shares of moves over ten groups, of equal size (deciles) or of equal width (bins). Top k: share of person-years whose occupation is among the k most probable. ${analysis.errorNote}`,
  });
}

function costs(analysis: Analysis, population: string): Table | undefined {
  return tableOf({
    id: `cost-${analysis.slug(population)}`,
    title: `What the models of ${population} took`,
    columns: [
      MODEL,
      ...columnsOf(["People", "Person-years", "Weights fitted", "Weights in all"], 0),
      ...columnsOf(["Seconds"], 1),
      { label: "On" },
    ],
    rows: analysis.judged(population).map(({ label, run: { fit } }) => {
      const { numPeople, numObservations, numParameters, numTotalParameters, seconds } = fit;
      return [
        label,
        numPeople,
        numObservations,
        numParameters ?? null,
        numTotalParameters ?? numParameters ?? null,
        seconds,
        fit.adapter,
      ];
    }),
    note: "People and person-years that the model learned from, and the time of learning.",
  });
}
