import type { FileSet } from "../checkpoint/byte_source.ts";
import { type ExportedFile, fileOf } from "../checkpoint/exported_file.ts";
import { Fields } from "../checkpoint/fields.ts";
import { decodeFloats, isFloatDtype, notFloats } from "../checkpoint/float_conversion.ts";
import { runFiles, type RunSource } from "../checkpoint/run_state.ts";
import { encodeSafetensors, type FloatTensor } from "../checkpoint/safetensors.ts";
import { openSafetensors, type SafetensorsFile } from "../checkpoint/safetensors_file.ts";
import {
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from "../checkpoint/strict_json.ts";
import { careerWeightShapes } from "./career_model.ts";
import { type CareerConfig, checkCareerConfig } from "./config.ts";
import { type Covariate, COVARIATES, type CovariateVocabulary } from "./covariates.ts";
import type { CareerParts } from "./transfer.ts";

/** `model_type` of the configuration file. */
export const CAREER_MODEL_TYPE = "tenure-career";

const CONFIG_FILE = "config.json";
const WEIGHTS_FILE = "model.safetensors";

/**
 * A model as files: `config.json` with its sizes and the values of its covariates, and
 * `model.safetensors`; and what a trainer needs to go on.
 *
 * @param parts Sizes, covariates and weights.
 * @param trainer State and moments of a run.
 * @throws {RangeError} If values do not fill their shapes.
 */
export function careerFiles(
  { config, vocabulary, values }: CareerParts,
  trainer?: RunSource,
): ExportedFile[] {
  const tensors = new Map<string, FloatTensor>();
  for (const { label, shape } of careerWeightShapes(config, vocabulary)) {
    tensors.set(label, { shape, values: values.get(label) ?? new Float32Array() });
  }
  return [
    fileOf(CONFIG_FILE, encodeJson(configToJson(config, vocabulary), CONFIG_FILE)),
    fileOf(WEIGHTS_FILE, encodeSafetensors(tensors)),
    ...(trainer === undefined ? [] : runFiles(trainer)),
  ];
}

/**
 * Reads what {@linkcode careerFiles} wrote.
 *
 * @param files The folder.
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If the weights are not those of the configuration, naming the tensor.
 * @throws {TypeError} If they are no floats.
 */
export async function readCareerModel(files: FileSet): Promise<CareerParts> {
  const source = await files.open(CONFIG_FILE);
  const weights = await files.open(WEIGHTS_FILE);
  if (source === undefined || weights === undefined) {
    const missing = source === undefined ? CONFIG_FILE : WEIGHTS_FILE;
    throw new SyntaxError(
      `Cannot read a CAREER model from "${files.name}": there must be a file "${missing}", got none; name the folder of a model that was fitted`,
    );
  }
  const json = parseJsonObject(await source.read(0, source.size), CONFIG_FILE);
  const { config, vocabulary } = configFromJson(json);
  const file = await openSafetensors(weights);
  return { config, vocabulary, values: await readValues(file, config, vocabulary) };
}

/** Every weight, each of the shape that the configuration asks for, and no others. */
async function readValues(
  { name: file, tensors }: SafetensorsFile,
  config: CareerConfig,
  vocabulary: CovariateVocabulary,
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const remedy = `the file must be of the model that ${CONFIG_FILE} describes`;
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { label, shape } of careerWeightShapes(config, vocabulary)) {
    const tensor = tensors.get(label);
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new RangeError(
        `Cannot read "${file}": tensor "${label}" must have shape [${shape.join(", ")}], got ${got}; ${remedy}`,
      );
    }
    if (!isFloatDtype(tensor.dtype)) throw notFloats(label, tensor.dtype, file);
    values.set(label, decodeFloats(await tensor.read(), tensor.dtype));
  }
  const extra = [...tensors.keys()].find((label) => !values.has(label));
  if (extra === undefined) return values;
  throw new RangeError(
    `Cannot read "${file}": its tensors must be the model's ${values.size}, got "${extra}" too; ${remedy}`,
  );
}

function configToJson(config: CareerConfig, vocabulary: CovariateVocabulary): JsonObject {
  return {
    model_type: CAREER_MODEL_TYPE,
    numOccupations: config.numOccupations,
    dModel: config.dModel,
    dHidden: config.dHidden,
    numBlocks: config.numBlocks,
    numHeads: config.numHeads,
    maxSeqLen: config.maxSeqLen,
    eps: config.eps,
    dropout: config.dropout,
    birthYear: config.birthYear,
    covariates: vocabulary.map(({ name, values }) => ({ name, values })),
  };
}

function configFromJson(json: JsonObject): {
  readonly config: CareerConfig;
  readonly vocabulary: CovariateVocabulary;
} {
  const fields = new Fields(json, CONFIG_FILE);
  fields.choice("model_type", [CAREER_MODEL_TYPE]);
  const config: CareerConfig = {
    numOccupations: fields.size("numOccupations"),
    dModel: fields.size("dModel"),
    dHidden: fields.size("dHidden"),
    numBlocks: fields.size("numBlocks"),
    numHeads: fields.size("numHeads"),
    maxSeqLen: fields.size("maxSeqLen"),
    eps: fields.number("eps"),
    dropout: fields.number("dropout"),
    birthYear: fields.boolean("birthYear"),
  };
  checkCareerConfig(config);
  const expected = COVARIATES.filter((name) => name !== "birthYear" || config.birthYear);
  const given = json["covariates"];
  const covariates = Array.isArray(given) ? (given as readonly JsonValue[]).map(covariateOf) : [];
  if (covariates.map((covariate) => covariate?.name).join() !== expected.join()) {
    fields.refuse("covariates", `must list ${expected.join(", ")}, each with its ascending values`);
  }
  return { config, vocabulary: covariates as Covariate[] };
}

/** A covariate, or undefined where it is not one. */
function covariateOf(json: JsonValue): Covariate | undefined {
  if (!isJsonObject(json) || !Array.isArray(json["values"])) return undefined;
  const name = COVARIATES.find((one) => one === json["name"]);
  const values = json["values"] as readonly JsonValue[];
  const kind = name === "year" || name === "birthYear" ? "number" : "string";
  const isOrdered = values.every(
    (value, index) => typeof value === kind && (index === 0 || values[index - 1]! < value!),
  );
  return name !== undefined && isOrdered
    ? { name, values: values as (number | string)[] }
    : undefined;
}
