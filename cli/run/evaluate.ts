import { NUM_OCCUPATIONS } from "../../data/occupations.ts";
import { type SyntheticPopulation, syntheticPopulation } from "../../data/synthetic/mod.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { pairedDifference } from "../../model/occupation/bootstrap.ts";
import { backOff, transitionFrequencies } from "../../model/occupation/empirical.ts";
import type { LanguageModel } from "../../model/occupation/language_model.ts";
import { countOf, evaluate, type Evaluation, KINDS } from "../../model/occupation/metrics.ts";
import {
  closedForm,
  type OccupationModel,
  type Person,
} from "../../model/occupation/occupation_model.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { packageVersion } from "../platform/version.ts";
import { type DeviceChoice, withDevice } from "./device.ts";
import { type EvalDataRequest, openEvalData } from "./eval_data.ts";
import { type EvalReport, reportOf, type TruthReport, writeReport } from "./eval_report.ts";
import { type Prepared, readSplit } from "./prepared.ts";
import { formatDuration } from "./progress.ts";
import { createLanguageModel, openTrainedModel, type TrainedModel } from "./trained_model.ts";
import { personOf } from "../../data/wording.ts";

/** What `tenure eval` is asked to do. */
export interface EvalRequest extends EvalDataRequest {
  /** Folder of a run or of a checkpoint. */
  readonly model: string;
  /** Where the model that adapters stand on is now, if it has moved. */
  readonly baseModel?: string;
  /** Probability that pruning may leave unexplored at an observation. */
  readonly tolerance: number;
  /** How the device is opened. */
  readonly device?: DeviceChoice;
  /** Ends the evaluation, which leaves nothing. */
  readonly signal?: AbortSignal;
}

/** A report, the sums that tables are made of, and where the report is, if it is kept. */
export interface EvalResult {
  readonly report: EvalReport;
  readonly evaluations: readonly Evaluation[];
  readonly file?: string;
}

/**
 * Judges a trained model and the empirical baselines by the same held-out people.
 *
 * @throws {CliError} With exit code 5 if the model, exit code 3 if the data are not to be had, not
 *   those that the model reads, or not fit to judge it; exit code 1 if it is interrupted.
 */
export async function evaluateRun(request: EvalRequest): Promise<EvalResult> {
  const begin = performance.now();
  const { baseModel } = request;
  const trained = await openTrainedModel(
    request.model,
    baseModel === undefined ? {} : { model: baseModel },
  );
  const data = await openEvalData(trained, request);
  const { people, prepared } = data;
  const population = knownPopulation(prepared);
  const baselines = await fitBaselines(prepared, trained, population);
  const judge = async (gpu: Gpu): Promise<EvalResult> => {
    const language = await createLanguageModel(gpu, trained, { tolerance: request.tolerance });
    try {
      const { evaluation, unexplored } = await evaluateLanguageModel(language, people, request);
      const others = await Promise.all(baselines.map((model) => evaluate(model, people)));
      const evaluations = [evaluation, ...others];
      const report: EvalReport = {
        tenure: packageVersion(),
        checkpoint: trained.path,
        step: trained.step,
        split: request.split,
        numPeople: people.length,
        numObservations: Object.fromEntries(
          ["all" as const, ...KINDS].map((kind) => [kind, countOf(evaluation, kind)]),
        ),
        tolerance: request.tolerance,
        unexplored,
        models: evaluations.map(reportOf),
        differences: others.map((other) => ({
          to: other.name,
          ...pairedDifference(evaluation, other),
        })),
        ...(population !== undefined && { truth: truthOf(population, people) }),
        seconds: (performance.now() - begin) / 1000,
      };
      const file = await writeReport(trained, report, { request, data });
      return { report, evaluations, ...(file !== undefined && { file }) };
    } finally {
      language.destroy();
      request.progress.clear();
    }
  };
  return withDevice("auto", judge, request.device);
}

/** The process behind synthetic people; of years cut off, its probabilities are not known. */
function knownPopulation({ population, wording }: Prepared): SyntheticPopulation | undefined {
  if (population === undefined || wording.lastRows > 0) return undefined;
  return syntheticPopulation(population);
}

/** The perplexity that no model can expect to beat, exact but for which histories there are. */
function truthOf(population: SyntheticPopulation, people: readonly Person[]): TruthReport {
  let [sum, count] = [0, 0];
  for (const { career } of people) {
    const entropies = population.entropies(career);
    sum += entropies.reduce((total, entropy) => total + entropy, 0);
    count += entropies.length;
  }
  return { entropy: sum / count, perplexity: Math.exp(sum / count) };
}

/** Models of the training people, and the truth where it is known. */
async function fitBaselines(
  prepared: Prepared,
  { tokenizer, wording }: TrainedModel,
  population: SyntheticPopulation | undefined,
): Promise<OccupationModel[]> {
  const people = (await readSplit(prepared, "train")).map((career) =>
    personOf(career, tokenizer, wording),
  );
  return [
    backOff(people, NUM_OCCUPATIONS, { lower: "continuations" }),
    backOff(people, NUM_OCCUPATIONS),
    transitionFrequencies(people, NUM_OCCUPATIONS),
    ...(population === undefined ? [] : [trueProcess(population)]),
  ];
}

function trueProcess(population: SyntheticPopulation): OccupationModel {
  return closedForm({
    name: "true process",
    numOccupations: NUM_OCCUPATIONS,
    distribution: ({ career }, index) => population.distributionAt(career, index),
  });
}

/** Scores people with progress, and keeps what pruning left out. */
async function evaluateLanguageModel(
  model: LanguageModel,
  people: readonly Person[],
  { progress, signal }: Pick<EvalRequest, "progress" | "signal">,
): Promise<{ evaluation: Evaluation; unexplored: EvalReport["unexplored"] }> {
  let [largest, sum, count] = [0, 0, 0];
  const watched: OccupationModel = {
    name: model.name,
    numOccupations: model.numOccupations,
    async *score(some) {
      const begin = performance.now();
      let numScored = 0;
      for await (const score of model.score(some)) {
        if (signal?.aborted === true) {
          throw new CliError(
            EXIT.failure,
            `Cannot finish the evaluation: it must run to its end, got interrupted after ${numScored} of ${some.length} people`,
          );
        }
        for (const mass of score.unexplored) {
          largest = Math.max(largest, mass);
          sum += mass;
          count++;
        }
        numScored++;
        const elapsed = performance.now() - begin;
        const left = (elapsed / numScored) * (some.length - numScored);
        progress.update(
          () =>
            `${numScored}/${some.length} people · ${((1000 * numScored) / elapsed).toFixed(1)} people/s · ${formatDuration(left)} left`,
        );
        yield score;
      }
    },
    distribution: (person, index) => model.distribution(person, index),
  };
  const evaluation = await evaluate(watched, people);
  return { evaluation, unexplored: { largest, mean: count === 0 ? 0 : sum / count } };
}
