import { basename, join, resolve } from "node:path";
import { standardError } from "../../model/occupation/bootstrap.ts";
import { type Evaluation, KINDS, perplexity } from "../../model/occupation/metrics.ts";
import { writeAtomically } from "../platform/files.ts";
import { DEFAULT_TOLERANCE } from "./choices.ts";
import { type Split, splitFile } from "./prepared.ts";
import type { EvalData, EvalDataRequest } from "./eval_data.ts";
import type { TrainedModel } from "./trained_model.ts";

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
  /** Of the process behind synthetic people. */
  readonly truth?: TruthReport;
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

/** What no model can expect to beat. */
export interface TruthReport {
  /** Mean exact entropy of an occupation given those before it, in nats. */
  readonly entropy: number;
  /** Its exponential. */
  readonly perplexity: number;
}

/** The figures of one model. */
export function reportOf(evaluation: Evaluation): ModelReport {
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

/**
 * Writes a report into the folder of the run: `eval.json` is the best checkpoint's on all test
 * people; other evaluations have names that tell them apart.
 *
 * @returns Path of the file; none if the checkpoint lies in no run.
 */
export async function writeReport(
  trained: TrainedModel,
  report: EvalReport,
  { request, data }: { readonly request: EvalDataRequest; readonly data: EvalData },
): Promise<string | undefined> {
  const { path, runFolder, isChosen } = trained;
  if (runFolder === undefined) return undefined;
  const { split, limit } = request;
  const { tolerance } = report;
  const parts = [
    "eval",
    ...(isChosen ? [basename(resolve(path))] : []),
    ...(split === "test" ? [] : [split]),
    ...(limit === 0 ? [] : [`limit${limit}`]),
    ...(tolerance === DEFAULT_TOLERANCE ? [] : [`tolerance${tolerance}`]),
    ...(data.isOwn ? [] : [`data-${data.prepared.files[splitFile(split)]?.slice(0, 8)}`]),
  ];
  const file = join(runFolder, `${parts.join("-")}.json`);
  await writeAtomically(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}
