import type { StudyCache } from "./cache.ts";
import type { FitStep } from "./plan.ts";
import type { Answer, Extras, RunResult, StudyResults } from "./results.ts";
import type { OpenedStudy } from "./run.ts";

type GrowingRun = Omit<RunResult, "answers"> & { readonly answers: Answer[] };

/** Whom a model learned from that learns nothing, whoever is at hand for its examples. */
const NOBODY = { numPeople: 0, numObservations: 0 } as const;

/** Gathers what is finished of a study, in the order in which it declares models. */
export async function collectResults(
  { study, populations, plan }: OpenedStudy,
  cache: StudyCache,
  facts: StudyResults["facts"],
): Promise<StudyResults> {
  const runs = new Map<string, GrowingRun>();
  const runOf = async (fit: FitStep) => {
    const name = JSON.stringify([fit.model.name, fit.population, fit.refit]);
    const known = runs.get(name);
    if (known !== undefined) return known;
    const record = await cache.fit(fit.key);
    if (record === undefined) return undefined;
    const { learnedFrom = record, ...report } = record.report;
    const { seconds, adapter, commit } = record;
    const { learns = true } = fit.model.family;
    const { numPeople, numObservations } = learns ? learnedFrom : NOBODY;
    const run: GrowingRun = {
      model: fit.model.name,
      label: fit.model.label,
      family: fit.model.family.name,
      population: fit.population,
      ...(fit.refit !== undefined && { refit: fit.refit }),
      fit: { ...report, seconds, numPeople, numObservations, adapter, commit },
      answers: [],
      extras: {},
    };
    runs.set(name, run);
    return run;
  };
  for (const ask of plan.asks) {
    if ((await cache.ask(ask.key)) === undefined) continue;
    const run = await runOf(ask.fit);
    const predictions = await cache.predictions(ask.key);
    run?.answers.push({ population: ask.population, variation: ask.variation, predictions });
  }
  for (const extra of plan.extras) {
    const done = await cache.extra(extra.key);
    const run = done === undefined ? undefined : await runOf(extra.fit);
    if (run !== undefined) Object.assign(run.extras satisfies Extras, done!.extras);
  }
  const { replications, top } = study.evaluation;
  return {
    name: study.study,
    seed: study.seed,
    bootstrap: { replications, seed: study.seed },
    top,
    populations,
    runs: [...runs.values()],
    facts,
  };
}
