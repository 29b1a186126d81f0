import type { z } from "zod";
import type { Career, Tokenizer } from "../../data/mod.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { OccupationModel, Person } from "../../model/occupation/occupation_model.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import type { DeviceChoice } from "../run/device.ts";
import type { Progress } from "../run/progress.ts";

/**
 * A family of models that a study can fit and ask: counts, logits, CAREER, language models.
 *
 * A study knows models only through this. Everything that `open` needs is in the files that
 * `fit` wrote.
 */
export interface Family<Schema extends z.ZodType = z.ZodType> {
  /** As `family:` in a study names it: `"logit"`. */
  readonly name: string;
  /** Settings of a model of this family: all of its entry that is not common to all models. */
  readonly schema: Schema;
  /** Whether a model may begin with one that was fitted on other people. */
  readonly canPretrain: boolean;
  /** Whether a fit learns anything from people; if not, it is as good for any population. @default {true} */
  readonly learns?: boolean;
  /** The part of the settings that decides the fit; by default all of them. */
  readonly fitSettings?: (spec: z.output<Schema>) => unknown;
  /** SHA-256 of files that the settings name, whose content decides the fit too. */
  readonly fingerprint?: (spec: z.output<Schema>, studyFolder: string) => Promise<string>;
  /**
   * Learns from people and writes all it takes to ask the model into `folder`.
   *
   * Called again on the same folder after an interruption, it goes on where it can.
   */
  fit(task: FitTask<z.output<Schema>>): Promise<FitReport>;
  /** Opens what `fit` wrote. */
  open(task: OpenTask<z.output<Schema>>): Promise<OpenedModel>;
}

/** People to learn from, and to choose by. */
export interface Cohort {
  readonly train: readonly Career[];
  readonly valid: readonly Career[];
}

/** What both fitting and asking take. */
export interface OpenTask<Spec> {
  /** Name of the model in tables. */
  readonly name: string;
  readonly spec: Spec;
  /** Where the fitted model is, or will be; it exists. */
  readonly folder: string;
  /** The people it is fitted on; those who were all read again when it is opened. */
  readonly cohort: Cohort;
  /** Folder of the study's file, which paths in it start from. */
  readonly studyFolder: string;
  readonly progress: Progress;
  /** How a device is opened: `withDevice("auto", work, device)`. */
  readonly device: DeviceChoice;
  /** Aborts when the study is to stop; an error then ends the step, and what is saved stays. */
  readonly signal: AbortSignal;
}

/** What fitting takes. */
export interface FitTask<Spec> extends OpenTask<Spec> {
  readonly seed: number;
  /** A model of the same family that was fitted on other people, to begin with. */
  readonly base?: OpenTask<Spec>;
}

/** What is known of a fit; all of it is JSON. */
export interface FitReport {
  /** Weights that were fitted, where they can be counted. */
  readonly numParameters?: number;
  /** Weights of the whole model, where some were not fitted. */
  readonly numTotalParameters?: number;
  /** Perplexity of validation observations by step, for learning curves. */
  readonly curve?: readonly { readonly step: number; readonly perplexity: number }[];
  /** What validation chose, and whatever else a reader may ask: `{ "components": 64 }`. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** Those it learned from, where they are not all people of the cohort. */
  readonly learnedFrom?: { readonly numPeople: number; readonly numObservations: number };
}

/** A fitted model, ready to be asked. */
export interface OpenedModel {
  readonly model: OccupationModel;
  /** A career as this model sees it. */
  readonly person: (career: Career) => Person;
  /** Where the model is one of language: what it takes to let it write titles. */
  readonly language?: OpenedLanguage;
  /** Frees the device. */
  readonly close: () => void | Promise<void>;
}

/** A language model with the texts that it is asked by. */
export interface OpenedLanguage {
  readonly gpu: Gpu;
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  /** All that the model reads before the title of an observation. */
  readonly prompt: (career: Career, index: number) => Uint32Array;
  /** Titles of the vocabulary as the model should write them. */
  readonly titles: readonly string[];
}
