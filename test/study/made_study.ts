import type { Career } from "../../data/career.ts";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import { type SyntheticPopulation, syntheticPopulation } from "../../data/synthetic/mod.ts";
import { collectPredictions, type Predictions } from "../../model/evaluation/predictions.ts";
import { shiftOdds } from "../../model/evaluation/truth.ts";
import { backOff, transitionFrequencies } from "../../model/occupation/empirical.ts";
import {
  closedForm,
  type OccupationModel,
  type Person,
} from "../../model/occupation/occupation_model.ts";
import type { Answer, PopulationResult, RunResult, StudyResults } from "../../cli/study/results.ts";

/** Synthetic people of one name in one study: trained on, and judged by. */
export interface MadePopulation extends PopulationResult {
  readonly truth: SyntheticPopulation;
  readonly people: { readonly train: readonly Person[]; readonly test: readonly Person[] };
}

export function personOf(career: Career): Person {
  const occupations = career.observations.map(({ occupation }) => occupationIndex(occupation));
  return { career, occupations };
}

/** A population of synthetic people in three parts. */
export function madePopulation(
  kind: "survey" | "large",
  { numPeople, name = kind }: { readonly numPeople: number; readonly name?: string },
): MadePopulation {
  const truth = syntheticPopulation(kind);
  const careers = truth.generate(numPeople, { seed: 3 });
  const [first, second] = [Math.floor(0.6 * numPeople), Math.floor(0.7 * numPeople)];
  const parts = {
    train: careers.slice(0, first),
    valid: careers.slice(first, second),
    test: careers.slice(second),
  };
  const people = { train: parts.train.map(personOf), test: parts.test.map(personOf) };
  return { name, truth, ...parts, people };
}

/** The true process, with the log-odds of staying shifted. */
export function shiftedTruth(truth: SyntheticPopulation, shift: number): OccupationModel {
  return closedForm({
    name: `truth shifted by ${shift}`,
    numOccupations: NUM_OCCUPATIONS,
    distribution: ({ career, occupations }, index) => {
      const distribution = truth.distributionAt(career, index);
      if (index === 0) return distribution;
      return shiftOdds(distribution, { outcome: occupations[index - 1]!, shift });
    },
  });
}

/** A run with answers, in all else as bare as can be. */
export function madeRun(
  run: Pick<RunResult, "model" | "population" | "answers"> & Partial<RunResult>,
): RunResult {
  return {
    label: run.model,
    family: "made",
    fit: { seconds: 1.5, numPeople: 10, numObservations: 100, adapter: "none", commit: "none" },
    extras: {},
    ...run,
  };
}

/** An answer about people as they are. */
export function answer(population: string, predictions: Predictions): Answer {
  return { population, variation: { kind: "none" }, predictions };
}

/** Results with nothing in them but these. */
export function madeResults(
  populations: readonly PopulationResult[],
  runs: readonly RunResult[],
): StudyResults {
  return {
    name: "A made study",
    seed: 1,
    bootstrap: { replications: 100, seed: 1 },
    top: [1, 5],
    populations,
    runs,
    facts: [["Adapter", "none"]],
  };
}

/** Every kind of result that a study can have, on two populations of synthetic people. */
export async function fullStudy(numPeople = 200): Promise<StudyResults> {
  const populations = (["survey", "large"] as const).map((kind) =>
    madePopulation(kind, { numPeople, name: `${kind} People` }),
  );
  const runs: RunResult[] = [];
  for (const own of populations) {
    const others = populations.filter((other) => other !== own);
    const ask = async (model: OccupationModel, of: MadePopulation) =>
      answer(of.name, await collectPredictions(model, of.people.test));
    const counts = transitionFrequencies(own.people.train, NUM_OCCUPATIONS);
    const smooth = backOff(own.people.train, NUM_OCCUPATIONS);
    const population = own.name;
    const base = await ask(smooth, own);
    const worse = await ask(counts, own);
    runs.push(
      madeRun({ model: "counts", label: "Counts", population, answers: [worse] }),
      madeRun({
        model: "smooth",
        label: "Smooth counts",
        population,
        answers: [
          base,
          { ...worse, variation: { kind: "shuffled", fields: ["gender"] } },
          { ...worse, variation: { kind: "history", rows: 5 } },
          { ...base, variation: { kind: "history", rows: 10 } },
          ...(await Promise.all(others.map((other) => ask(smooth, other)))),
        ],
        fit: {
          ...madeRun({ model: "", population, answers: [] }).fit,
          numParameters: 335,
          curve: [
            { step: 0, perplexity: 335 },
            { step: 10, perplexity: 20 },
          ],
        },
        extras: {
          validTitles: { numSampled: 50, numValid: 48 },
          gapYears: Array.from({ length: 20 }, (_, i) => ({ direct: -i, twoStep: -i - (i % 2) })),
          forecast: [2015, 2017].map((year) => ({
            year,
            numPeople: 30,
            perplexity: 12,
            auc: { unemployed: 0.7 },
            shares: { unemployed: { predicted: 0.1, true: 0.08 } },
          })),
        },
      }),
      madeRun({
        model: "smooth",
        label: "Smooth counts",
        population,
        refit: { kind: "mixed", share: 0.5 },
        answers: [
          await ask(
            backOff(
              [...own.people.train, ...others.flatMap(({ people }) => people.train.slice(0, 60))],
              NUM_OCCUPATIONS,
            ),
            own,
          ),
        ],
      }),
    );
    for (const replicate of [0, 1, 2]) {
      const resampled = own.people.train.map((_, i, all) => all[(i * (replicate + 2)) % 97]!);
      runs.push(
        madeRun({
          model: "smooth",
          label: "Smooth counts",
          population,
          refit: { kind: "resampled", replicate },
          answers: [await ask(backOff(resampled, NUM_OCCUPATIONS), own)],
        }),
      );
    }
    const oracle = shiftedTruth(own.truth, 0);
    runs.push(
      madeRun({ model: "truth", label: "Truth", population, answers: [await ask(oracle, own)] }),
    );
  }
  return madeResults(populations, runs);
}
