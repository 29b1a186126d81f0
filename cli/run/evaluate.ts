import { join } from "node:path";
import { type Career, NUM_OCCUPATIONS } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { pairedDifference, standardError } from "../../model/occupation/bootstrap.ts";
import { backOff, transitionFrequencies } from "../../model/occupation/empirical.ts";
import type { LanguageModel } from "../../model/occupation/language_model.ts";
import {
  countOf,
  evaluate,
  type Evaluation,
  KINDS,
  perplexity,
} from "../../model/occupation/metrics.ts";
import {
  closedForm,
  type OccupationModel,
  type Person,
} from "../../model/occupation/occupation_model.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { writeAtomically } from "../platform/files.ts";
import { packageVersion } from "../platform/version.ts";
import { withDevice } from "./device.ts";
import { openPrepared, type Prepared, readSplit, type Split } from "./prepared.ts";
import { formatDuration, type Progress } from "./progress.ts";
import { readRunInfo } from "./run_folder.ts";
import { createLanguageModel, openTrainedModel, type TrainedModel } from "./trained_model.ts";
import { cutCareer, personOf } from "./wording.ts";

/** What `tenure eval` is asked to do. */
export interface EvalRequest {
  /** Folder of a run or of a checkpoint. */
  readonly model: string;
  /** Prepared folder; by default the one the run learned from. */
  readonly dataFolder?: string;
  readonly split: Exclude<Split, "train">;
  /** People to judge by, the first ones of the split; 0 for all. */
  readonly limit: number;
  /** Probability that pruning may leave unexplored at an observation. */
  readonly tolerance: number;
  readonly progress: Progress;
}

/** What `tenure eval` found, as `eval.json` keeps it. */
export interface EvalReport {
  readonly tenure: string;
  readonly checkpoint: string;
  readonly step: number;
  readonly split: Split;
  readonly numPeople: number;
  readonly numObservations: Readonly<Record<string, number>>;
  readonly tolerance: number;
  /** Largest and mean bound of the probability that pruning left out. */
  readonly unexplored: { readonly largest: number; readonly mean: number };
  readonly models: readonly ModelReport[];
  /** Perplexity of the language model minus that of others, on the same people. */
  readonly differences: readonly DifferenceReport[];
  readonly seconds: number;
}

/** Perplexities of one model. */
export interface ModelReport {
  readonly name: string;
  readonly perplexity: Readonly<Record<string, number | null>>;
  /** As the paper scores, without normalizing. */
  readonly unnormalized: Readonly<Record<string, number | null>>;
  readonly standardError: number;
}

/** A difference of perplexities with its bootstrap standard error. */
export interface DifferenceReport {
  readonly to: string;
  readonly difference: number;
  readonly standardError: number;
}

/** A report, and the sums that tables are made of. */
export interface EvalResult {
  readonly report: EvalReport;
  readonly evaluations: readonly Evaluation[];
}

/**
 * Judges a trained model and the empirical baselines by the same held-out people.
 *
 * @throws {CliError} With exit code 5 if the model, exit code 3 if the data are not to be had, or
 *   not those that the model reads.
 */
export async function evaluateRun(request: EvalRequest): Promise<EvalResult> {
  const begin = performance.now();
  const trained = await openTrainedModel(request.model);
  const prepared = await openPrepared(await dataFolderOf(request, trained));
  checkSameWording(prepared, trained);
  const held = await readPeople(prepared, trained, request);
  const baselines = await fitBaselines(prepared, trained);
  return withDevice("auto", async (gpu) => {
    const language = await createLanguageModel(gpu, trained, { tolerance: request.tolerance });
    try {
      const { evaluation, unexplored } = await evaluateLanguageModel(
        language,
        held,
        request.progress,
      );
      const others = await Promise.all(baselines.map((model) => evaluate(model, held)));
      const evaluations = [evaluation, ...others];
      const report: EvalReport = {
        tenure: packageVersion(),
        checkpoint: trained.path,
        step: trained.step,
        split: request.split,
        numPeople: held.length,
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
        seconds: (performance.now() - begin) / 1000,
      };
      await writeReport(trained, report);
      return { report, evaluations };
    } finally {
      language.destroy();
      request.progress.clear();
    }
  });
}

async function dataFolderOf(
  { dataFolder }: EvalRequest,
  { runFolder, path }: TrainedModel,
): Promise<string> {
  const folder = dataFolder ?? (await readRunInfo(runFolder))?.dataFolder;
  if (folder !== undefined) return folder;
  throw new CliError(
    EXIT.usage,
    `Cannot evaluate "${path}": its run must say which data it learned from, got no run.json beside it; name them with --data <folder>`,
  );
}

/** A model asked in other words than it learned answers something else. */
function checkSameWording(prepared: Prepared, { settings, path }: TrainedModel): void {
  const before = JSON.stringify(settings["wording"]);
  const now = JSON.stringify(prepared.wording);
  if (before === now) return;
  throw new CliError(
    EXIT.data,
    `Cannot evaluate "${path}" on "${prepared.folder}": careers must be worded as the model learned them, ${before}, got ${now}`,
  );
}

async function readPeople(
  prepared: Prepared,
  { tokenizer, wording }: TrainedModel,
  { split, limit }: EvalRequest,
): Promise<Person[]> {
  const careers = await readSplit(prepared, split);
  const chosen = limit === 0 ? careers : careers.slice(0, limit);
  return failingAs(EXIT.data, () =>
    chosen.map((career) => personOf(cutCareer(career, wording), tokenizer, wording)),
  );
}

/** Models of the training people, and the truth where it is known. */
async function fitBaselines(
  prepared: Prepared,
  { tokenizer, wording }: TrainedModel,
): Promise<OccupationModel[]> {
  const people = (await readSplit(prepared, "train")).map((career) =>
    personOf(career, tokenizer, wording),
  );
  const { population } = prepared;
  return [
    backOff(people, NUM_OCCUPATIONS, { lower: "continuations" }),
    backOff(people, NUM_OCCUPATIONS),
    transitionFrequencies(people, NUM_OCCUPATIONS),
    ...(population === undefined ? [] : [trueProcess(syntheticPopulation(population))]),
  ];
}

function trueProcess(population: {
  distributionAt(career: Career, index: number): Float64Array;
}): OccupationModel {
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
  progress: Progress,
): Promise<{ evaluation: Evaluation; unexplored: EvalReport["unexplored"] }> {
  let [largest, sum, count] = [0, 0, 0];
  const watched: OccupationModel = {
    name: model.name,
    numOccupations: model.numOccupations,
    async *score(some) {
      const begin = performance.now();
      let numScored = 0;
      for await (const score of model.score(some)) {
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

function reportOf(evaluation: Evaluation): ModelReport {
  const figures = (variant: "raw" | "normalized") =>
    Object.fromEntries(
      (["all", ...KINDS] as const).map((kind) => {
        const value = perplexity(evaluation, { kind, variant });
        return [kind, Number.isFinite(value) ? value : null];
      }),
    );
  return {
    name: evaluation.name,
    perplexity: figures("normalized"),
    unnormalized: figures("raw"),
    standardError: standardError(evaluation),
  };
}

async function writeReport({ runFolder }: TrainedModel, report: EvalReport): Promise<void> {
  const name = report.split === "test" ? "eval.json" : `eval-${report.split}.json`;
  await writeAtomically(join(runFolder, name), `${JSON.stringify(report, null, 2)}\n`);
}
