import type { Career } from "../../data/mod.ts";
import type { SyntheticPopulation } from "../../data/synthetic/mod.ts";
import type { Predictions } from "../../model/evaluation/predictions.ts";
import type { FitReport } from "./family.ts";

/** All that a study found, in memory, before it becomes tables and figures. */
export interface StudyResults {
  /** Title of the study. */
  readonly name: string;
  readonly seed: number;
  readonly bootstrap: { readonly replications: number; readonly seed: number };
  /** Sizes k of top-k accuracies. */
  readonly top: readonly number[];
  readonly populations: readonly PopulationResult[];
  readonly runs: readonly RunResult[];
  /** What the study was run on, for the head of the report. */
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** A population of a study. */
export interface PopulationResult {
  readonly name: string;
  readonly train: readonly Career[];
  readonly valid: readonly Career[];
  /** All test people that models were asked about. */
  readonly test: readonly Career[];
  /** The process behind synthetic people. */
  readonly truth?: SyntheticPopulation;
}

/** A model fitted for a population, and what it thought of test people. */
export interface RunResult {
  /** Name of the model, the same for all populations: `"career"`. */
  readonly model: string;
  /** As tables name it: `"CAREER, pretrained"`. */
  readonly label: string;
  readonly family: string;
  /** Name of the population whose people it was fitted (or fine-tuned) on, or asked about first. */
  readonly population: string;
  /** Where this is a refit: on resampled people, or with a share of other populations'. */
  readonly refit?:
    | { readonly kind: "resampled"; readonly replicate: number }
    | { readonly kind: "mixed"; readonly share: number };
  readonly fit: FitReport & {
    readonly seconds: number;
    readonly numPeople: number;
    readonly numObservations: number;
    /** What was computed on, by which version of the sources. */
    readonly adapter: string;
    readonly commit: string;
  };
  readonly answers: readonly Answer[];
  readonly extras: Extras;
}

/** Predictions of one model on the test people of one population. */
export interface Answer {
  /** Whose test people. */
  readonly population: string;
  readonly variation: Variation;
  readonly predictions: Predictions;
}

/** How test people were changed before the model was asked. */
export type Variation =
  | { readonly kind: "none" }
  /** Demographics drawn from other test people, all of a field at once. */
  | { readonly kind: "shuffled"; readonly fields: readonly DemographicField[] }
  /** Only the latest `rows` years before each observation are told. */
  | { readonly kind: "history"; readonly rows: number };

/** What may be shuffled. */
export type DemographicField = "gender" | "ethnicity" | "region";

/** Measures that need more than a score of every observation. */
export interface Extras {
  /** Whether titles that the model writes are titles of the vocabulary. */
  readonly validTitles?: {
    readonly numSampled: number;
    readonly numValid: number;
    /** What else it wrote, the commonest first. */
    readonly invalid?: readonly { readonly text: string; readonly count: number }[];
  };
  /** Log-probabilities over a gap of years: asked at once, and through the years between. */
  readonly gapYears?: readonly {
    readonly direct: number;
    readonly twoStep: number;
    /** Probability of the occupations of the year between that were left out. */
    readonly leftOut?: number;
    /** Whose gap: those of one person do not err independently. */
    readonly person?: string;
  }[];
  /** Sampled careers from a cutoff year on. */
  readonly forecast?: readonly ForecastYear[];
}

/** Forecast of one year of people whose careers were told up to a cutoff. */
export interface ForecastYear {
  readonly year: number;
  readonly numPeople: number;
  /** exp of the mean negative log share of sampled paths with the true occupation, add-one smoothed. */
  readonly perplexity: number;
  /** Standard error of the perplexity over people, by the delta method; absent of one person. */
  readonly error?: number;
  /** Area under the curve of being in a status, by the share of paths in it. */
  readonly auc: Readonly<Record<string, number>>;
  /** Share of people in a status: by the paths, and in truth. */
  readonly shares: Readonly<Record<string, { readonly predicted: number; readonly true: number }>>;
}
