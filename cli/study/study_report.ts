import { join, resolve } from "node:path";
import { AUC, perplexityMeasure } from "../../model/evaluation/measures.ts";
import type { CardResult, ModelCardInput, TrainingStage } from "../report/model_card.ts";
import type { ReportDocument } from "../report/document.ts";
import { Analysis, type AnalysisOptions } from "./analysis/analysis.ts";
import { analyze } from "./analysis/analyze.ts";
import type { FitStep } from "./plan.ts";
import type { StudyResults } from "./results.ts";
import type { OpenedStudy } from "./run.ts";

/**
 * Writes the report of a study's results: a page, its tables and figures, a card for each model.
 *
 * @returns Path of the page.
 * @throws {CliError} With exit code 2 if the folder holds anything but a report.
 */
export async function writeStudyReport(
  folder: string,
  opened: OpenedStudy,
  results: StudyResults,
): Promise<string> {
  const { writeReport } = await import("../report/mod.ts"); // Plot takes a second to load
  const options = analysisOptions(opened);
  const document: ReportDocument = analyze(results, options);
  await writeReport(folder, document, { modelCards: modelCards(opened, results, options) });
  return join(resolve(folder), "index.html");
}

function analysisOptions({ study }: OpenedStudy): AnalysisOptions {
  const { reference } = study.evaluation;
  return {
    ...(reference !== undefined && { reference }),
    claims: study.claims.map(({ better_share: betterShare, population, ...claim }) => ({
      ...claim,
      ...(population !== undefined && { population }),
      ...(betterShare !== undefined && { betterShare }),
    })),
  };
}

/** A card for each model that was fitted, population by population. */
function modelCards(
  { plan, populations, study }: OpenedStudy,
  results: StudyResults,
  options: AnalysisOptions,
): ModelCardInput[] {
  const analysis = new Analysis(results, options);
  const synthetic = new Set(
    populations.filter(({ truth }) => truth !== undefined).map(({ name }) => name),
  );
  const measures = [
    ["Perplexity", perplexityMeasure()],
    ["Perplexity of movers", perplexityMeasure({ kind: "moving" })],
    ["AUC of moving", AUC],
  ] as const;
  return analysis.runs().flatMap((run): ModelCardInput[] => {
    const ask = plan.asks.find(
      ({ fit }) =>
        fit.model.name === run.model &&
        fit.population === run.population &&
        fit.refit === undefined,
    );
    if (ask === undefined || run.fit.numPeople === 0) return [];
    const answers = run.answers.filter(({ variation }) => variation.kind === "none");
    const evaluated = answers.flatMap(({ population, predictions }) =>
      measures.map(([metric, measure]): CardResult => ({
        population,
        metric,
        value: analysis.estimate(predictions, measure),
      })),
    );
    const settings = Object.entries(run.fit.details ?? {});
    return [
      {
        id: `${analysis.slug(run.model)}-${analysis.slug(run.population)}`,
        name: `${analysis.labelOf(run)}, ${run.population}`,
        description: `A model of the family "${run.family}" that gives the probability of a person's next occupation, fitted in the study "${study.study}".`,
        isLanguageModel: run.family === "language-model",
        training: stagesOf(ask.fit, synthetic),
        settings: [
          ["Settings", JSON.stringify(ask.fit.spec)],
          ["Seed", String(ask.fit.model.seed)],
          ...settings.map(([label, value]) => [label, String(value)] as const),
        ],
        evaluation: {
          text: `People who are in no part that any model learned from or was chosen by: ${answers
            .map(({ population, predictions }) => `${predictions.ids.length} of ${population}`)
            .join(", ")}. ${analysis.errorNote}`,
          results: evaluated.filter(({ value }) => Number.isFinite(value.value)),
        },
        limits: [],
        facts: [
          ["Adapter", run.fit.adapter],
          ["Sources", run.fit.commit],
          ["Seconds to fit", run.fit.seconds.toFixed(1)],
        ],
      },
    ];
  });
}

/** What a fit learned from, what it began with first. */
function stagesOf(
  { base, cohort, model }: FitStep,
  synthetic: ReadonlySet<string>,
): TrainingStage[] {
  const before = base === undefined ? [] : stagesOf(base, synthetic);
  const names = [...new Set(cohort.train.map(({ dataset = "" }) => dataset))];
  const stage = before.length === 0 && model.pretrain !== undefined && base === undefined;
  return [
    ...before,
    ...names.map((population) => {
      const people = cohort.train.filter(({ dataset = "" }) => dataset === population);
      return {
        name: stage ? "Pretraining" : base === undefined ? "Training" : "Fine-tuning",
        population,
        numPeople: people.length,
        numObservations: people.reduce((sum, { observations }) => sum + observations.length, 0),
        isSynthetic: synthetic.has(population),
      };
    }),
  ];
}
