import type { WeightDType } from "../../engine/pack.ts";
import { Fields } from "../../model/checkpoint/fields.ts";
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from "../../model/checkpoint/strict_json.ts";
import type { LearningRateOptions } from "../../model/train/schedule.ts";
import type { LoraConfig } from "../../model/lora/config.ts";
import type { ActivationDType } from "../../model/transformer/activation_dtype.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { type Kernels, WEIGHT_DTYPES } from "./choices.ts";
import type { Wording } from "../../data/wording.ts";

/** How long to train: passes over the data, steps, or minutes that are turned into steps before the first. */
export type Length =
  | { readonly unit: "epochs"; readonly count: number }
  | { readonly unit: "steps"; readonly count: number }
  | { readonly unit: "minutes"; readonly count: number };

/** How resumes become batches. */
export interface BatchSettings {
  readonly seqLen: number;
  readonly numRows: number;
  readonly accumulation: number;
  readonly titleWeight: number;
  readonly otherWeight: number;
}

/** How weights move. */
export interface OptimizerSettings {
  readonly learningRate: number;
  readonly warmupRatio: number;
  readonly decay: NonNullable<LearningRateOptions["decay"]>;
  readonly finalShare: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly maxGradNorm: number;
}

/** When to look at the held-out people. */
export interface ValidationSettings {
  /** Steps between validations; 0 for the default, which depends on the number of steps. */
  readonly evalSteps: number;
  /** Validations without a new best after which to stop; 0 for never. */
  readonly patience: number;
}

/** Somebody's model that a run begins with, and how it is changed. */
export interface PretrainedSettings {
  /** Which model: `fingerprintOf()` it. */
  readonly fingerprint: string;
  /** Adapters to train in place of the model's own weights. */
  readonly lora?: LoraConfig;
  /** How the weights beneath adapters are held. */
  readonly baseDtype?: WeightDType;
}

/** All that decides which weights a run ends with; a run goes on only under the same. */
export interface RunSettings {
  readonly model: ModelConfig;
  readonly batch: BatchSettings;
  readonly optimizer: OptimizerSettings;
  readonly validation: ValidationSettings;
  readonly length: Length;
  readonly seed: number;
  readonly kernels: Kernels;
  readonly wording: Wording;
  /** Absent where weights begin at random. */
  readonly pretrained?: PretrainedSettings;
  /** What activations are stored as; f32 where absent. */
  readonly dtype?: ActivationDType;
  /** Computes the activations of a block again for backward. */
  readonly checkpoint?: boolean;
  /** SHA-256 of the files learned from. */
  readonly data: Readonly<Record<string, string>>;
}

/** Settings as JSON, for `run.json` and checkpoints. */
export function settingsToJson(settings: RunSettings): JsonObject {
  return settings as unknown as JsonObject;
}

/**
 * Reads back how the weights beneath an adapter were held in training.
 *
 * @throws {SyntaxError} If it is no way to hold weights.
 */
export function baseDtypeOfSettings(settings: JsonObject, file: string): WeightDType {
  const fields = new Fields(settings, file).object("pretrained");
  return fields.raw("baseDtype") === undefined ? "f32" : fields.choice("baseDtype", WEIGHT_DTYPES);
}

/**
 * The first setting that differs, as `"optimizer.learningRate must be 0.002, got 0.001"`.
 *
 * @returns Undefined if all are the same.
 */
export function firstDifference(before: JsonObject, now: JsonObject): string | undefined {
  const [a, b] = [flatten(before), flatten(now)];
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    if (a.get(key) !== b.get(key)) {
      return `${key} must be ${a.get(key) ?? "absent"} as before, got ${b.get(key) ?? "none"}`;
    }
  }
  return undefined;
}

/** Leaves of an object by dotted path, as JSON text. */
function flatten(value: JsonValue, path = ""): Map<string, string> {
  if (!isJsonObject(value)) return new Map([[path, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, element]) => [
      ...flatten(element, path === "" ? key : `${path}.${key}`),
    ]),
  );
}
