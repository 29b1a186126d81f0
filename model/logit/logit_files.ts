import type { FileSet } from "../checkpoint/byte_source.ts";
import type { ExportedFile } from "../checkpoint/exported_file.ts";
import type { Fields } from "../checkpoint/fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../checkpoint/strict_json.ts";
import { type Covariate, COVARIATES, Features, type FeatureSpace } from "./covariates.ts";
import { fittedFiles, readFitted } from "./fitted_files.ts";
import type { LogitWeights } from "./logit_model.ts";

/** `model_type` of the configuration file. */
const LOGIT_MODEL_TYPE = "tenure-logit";

/** Stands for a limit that there is not: JSON has no infinity. */
const NO_LIMIT = 0;

/** A logit as files. */
export function logitFiles({ space, table, limit }: LogitWeights): ExportedFile[] {
  const { numFeatures } = new Features(space);
  return fittedFiles({
    config: {
      model_type: LOGIT_MODEL_TYPE,
      limit: Number.isFinite(limit) ? limit : NO_LIMIT,
      ...spaceToJson(space),
    },
    tensors: new Map([
      ["table", { shape: [numFeatures, space.numOccupations], values: Float32Array.from(table) }],
    ]),
  });
}

/**
 * Reads what {@linkcode logitFiles} wrote.
 *
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If the weights are not those of the configuration.
 */
export async function readLogit(files: FileSet): Promise<LogitWeights> {
  const { config, values } = await readFitted(files, {
    modelType: LOGIT_MODEL_TYPE,
    configOf: (fields, json) => {
      const limit = fields.number("limit");
      if (limit < 0) fields.refuse("limit", "must be positive, or 0 for none");
      return {
        space: spaceFromJson(fields, json),
        limit: limit === NO_LIMIT ? Infinity : limit,
      };
    },
    shapesOf: ({ space }) =>
      new Map([["table", [new Features(space).numFeatures, space.numOccupations]]]),
  });
  return { ...config, table: values.get("table")! };
}

/** A feature space as fields of a configuration. */
export function spaceToJson({ numOccupations, covariates, categories }: FeatureSpace): JsonObject {
  return { numOccupations, covariates, categories };
}

/** Reads what {@linkcode spaceToJson} wrote. */
export function spaceFromJson(fields: Fields, json: JsonObject): FeatureSpace {
  const numOccupations = fields.size("numOccupations");
  const given = json["covariates"];
  const covariates = (Array.isArray(given) ? (given as readonly JsonValue[]) : []).filter(
    (name): name is Covariate => (COVARIATES as readonly JsonValue[]).includes(name),
  );
  const isList = Array.isArray(given) && given.length === covariates.length;
  if (!isList || new Set(covariates).size !== covariates.length) {
    fields.refuse("covariates", `must list some of ${COVARIATES.join(", ")}`);
  }
  const categories = json["categories"];
  const lists = isJsonObject(categories) ? categories : {};
  const isComplete =
    Object.keys(lists).length === covariates.length &&
    covariates.every((name) => areCategories(lists[name]));
  if (!isComplete) {
    fields.refuse("categories", "must list different categories of each covariate, and no others");
  }
  return { numOccupations, covariates, categories: lists as Record<string, readonly string[]> };
}

function areCategories(value: JsonValue | undefined): boolean {
  if (!Array.isArray(value)) return false;
  const list = value as readonly JsonValue[];
  return list.every((one) => typeof one === "string") && new Set(list).size === list.length;
}
