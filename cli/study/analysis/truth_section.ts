import { occupationIndex } from "../../../data/mod.ts";
import type { SyntheticPopulation } from "../../../data/synthetic/mod.ts";
import { calibrationTest, type TestResult } from "../../../model/evaluation/calibration.ts";
import { perplexityMeasure } from "../../../model/evaluation/measures.ts";
import { rankMoves } from "../../../model/evaluation/moves.ts";
import { type Predictions, predictionsOf } from "../../../model/evaluation/predictions.ts";
import {
  divergenceFrom,
  type LogScoreMoments,
  logScoreMoments,
  logScoreTest,
  shiftOdds,
} from "../../../model/evaluation/truth.ts";
import type { Person } from "../../../model/occupation/occupation_model.ts";
import type { BarsFigure, Estimate, Section, Table } from "../../report/document.ts";
import type { PopulationResult } from "../results.ts";
import type { Analysis } from "./analysis.ts";
import { columnsOf, inWords, sectionOf, tableOf } from "./section.ts";

/** By how much the log-odds of staying of the models that are to fail are shifted. */
const SHIFT = 0.5;

/** Least p-value with which a model passes. */
const LEVEL = 0.01;

/** What the true process says of the test people of a population. */
interface Truth {
  readonly population: string;
  readonly slug: string;
  readonly oracle: Predictions;
  readonly shifted: readonly (readonly [label: string, Predictions])[];
  /** Mean exact entropy of an observation, in nats. */
  readonly entropy: number;
  /** Whether the oracle's log-probabilities are as high as its own entropies say. */
  readonly logScore: TestResult;
}

/** How far models are from the process behind synthetic people. */
export function truthSection(analysis: Analysis): Section | undefined {
  const truths = analysis.results.populations.flatMap((population) =>
    population.truth && population.test.length > 0
      ? [truthOf(population, { truth: population.truth, slug: analysis.slug(population.name) })]
      : [],
  );
  return sectionOf({
    id: "truth",
    title: "Distance from the truth",
    text: [
      "Where people are synthetic, the probability of everything that could happen is known. The distance is the mean of log P − log Q of what did happen, P being the true probability and Q the model's: an estimate of the mean Kullback-Leibler divergence.",
      ...truths.map(
        ({ population, entropy, logScore }) =>
          `On ${population}, the exact entropy of a person-year given those before it is ${inWords(entropy)} nats: no model can expect a perplexity below ${inWords(Math.exp(entropy))}. Whether the true log-probabilities are as high as that: z = ${inWords(logScore.statistic)}, p = ${inWords(logScore.pValue)}.`,
      ),
    ],
    tables: truths.map((truth) => truthTable(analysis, truth)),
    figures: truths.map((truth) => truthFigure(analysis, truth)),
  });
}

function truthOf(
  { name, test }: PopulationResult,
  { truth, slug }: { readonly truth: SyntheticPopulation; readonly slug: string },
): Truth {
  const people: Person[] = test.map((career) => ({
    career,
    occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
  }));
  const known = new Map(
    people.map((person) => [
      person,
      person.occupations.map((_, index) => truth.distributionAt(person.career, index)),
    ]),
  );
  const trueAt = (person: Person, index: number) => known.get(person)![index]!;
  const shiftedBy = (shift: number) =>
    predictionsOf(people, (person, index) =>
      index === 0
        ? trueAt(person, 0)
        : shiftOdds(trueAt(person, index), { outcome: person.occupations[index - 1]!, shift }),
    );
  const oracle = predictionsOf(people, trueAt);
  const moments: LogScoreMoments[] = [...known.values()].flatMap((each) =>
    each.map(logScoreMoments),
  );
  const shifts = [SHIFT, -SHIFT];
  return {
    population: name,
    slug,
    oracle,
    shifted: shifts.map((shift) => [
      `True process, log-odds of staying ${Math.abs(shift)} too ${shift > 0 ? "high" : "low"}`,
      shiftedBy(shift),
    ]),
    entropy: moments.reduce((sum, { entropy }) => sum + entropy, 0) / moments.length,
    logScore: logScoreTest(oracle.normalized, moments),
  };
}

function truthTable(analysis: Analysis, truth: Truth): Table | undefined {
  const { population, slug, oracle, shifted } = truth;
  const models: (readonly [string, Predictions])[] = [
    ["True process", oracle],
    ...shifted,
    ...analysis.judged(population).map(({ label, predictions }) => [label, predictions] as const),
  ];
  return tableOf({
    id: `truth-${slug}`,
    title: `Distance from the truth on ${population}`,
    columns: [
      { label: "Model" },
      ...columnsOf(["Perplexity"]),
      ...columnsOf(["Distance, nats"], 4),
      ...columnsOf(["χ² of calibration"], 1),
      ...columnsOf(["Degrees"], 0),
      ...columnsOf(["p"], 4),
      { label: "Calibration" },
    ],
    rows: models.map(([label, predictions]) => {
      const { statistic, degrees, pValue } = calibrationTest(rankMoves(predictions));
      const verdict = Number.isNaN(pValue) ? null : pValue >= LEVEL ? "passes" : "fails";
      return [
        label,
        analysis.estimate(predictions, perplexityMeasure()),
        distanceOf(analysis, truth, predictions),
        statistic,
        degrees ?? null,
        pValue,
        verdict,
      ];
    }),
    note: `A model passes with p of at least ${LEVEL}. ${analysis.errorNote}`,
  });
}

/** A model's distance, on the people that it was asked about. */
function distanceOf(analysis: Analysis, { oracle }: Truth, predictions: Predictions): Estimate {
  const [truth, model] = analysis.pair(oracle, predictions);
  return analysis.estimate(model, divergenceFrom(truth));
}

function truthFigure(analysis: Analysis, truth: Truth): BarsFigure | undefined {
  const rows = analysis.judged(truth.population).map(({ label, predictions }) => ({
    name: label,
    group: truth.population,
    ...distanceOf(analysis, truth, predictions),
  }));
  if (rows.length === 0) return undefined;
  return {
    kind: "bars",
    id: `truth-${truth.slug}`,
    title: `Distance from the truth on ${truth.population}`,
    caption: "Mean Kullback-Leibler divergence from the true process.",
    label: "nats",
    rows,
  };
}
