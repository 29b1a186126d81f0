import type { FileSet } from "../checkpoint/byte_source.ts";
import { type ExportedFile, fileOf } from "../checkpoint/exported_file.ts";
import { Fields } from "../checkpoint/fields.ts";
import { decodeFloats, isFloatDtype, notFloats } from "../checkpoint/float_conversion.ts";
import { encodeSafetensors, type FloatTensor } from "../checkpoint/safetensors.ts";
import { openSafetensors } from "../checkpoint/safetensors_file.ts";
import { encodeJson, type JsonObject, parseJsonObject } from "../checkpoint/strict_json.ts";

const CONFIG_FILE = "config.json";
const WEIGHTS_FILE = "model.safetensors";

/** A fitted model as it is kept: what it is, and its weights. */
export interface FittedModel {
  /** Begins with `model_type`. */
  readonly config: JsonObject & { readonly model_type: string };
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** How {@linkcode readFitted} knows a model. */
export interface FittedReader<Config> {
  /** What `model_type` must say. */
  readonly modelType: string;
  /** Reads the rest of the configuration; {@linkcode Fields.refuse} refuses it. */
  readonly configOf: (fields: Fields, json: JsonObject) => Config;
  /** Shape of every tensor that the configuration asks for. */
  readonly shapesOf: (config: Config) => ReadonlyMap<string, readonly number[]>;
}

/** `config.json` and `model.safetensors`. */
export function fittedFiles({ config, tensors }: FittedModel): ExportedFile[] {
  return [
    fileOf(CONFIG_FILE, encodeJson(config, CONFIG_FILE)),
    fileOf(WEIGHTS_FILE, encodeSafetensors(tensors)),
  ];
}

/**
 * Reads what {@linkcode fittedFiles} wrote: all tensors of the shapes that the configuration asks
 * for, and no others.
 *
 * @param files The folder.
 * @param reader What model it must be.
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If a tensor is missing, superfluous or of another shape.
 * @throws {TypeError} If tensors are no floats.
 */
export async function readFitted<Config>(
  files: FileSet,
  { modelType, configOf, shapesOf }: FittedReader<Config>,
): Promise<{
  readonly config: Config;
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}> {
  const [source, weights] = [await files.open(CONFIG_FILE), await files.open(WEIGHTS_FILE)];
  if (source === undefined || weights === undefined) {
    const missing = source === undefined ? CONFIG_FILE : WEIGHTS_FILE;
    throw new SyntaxError(
      `Cannot read a fitted model from "${files.name}": there must be a file "${missing}", got none; fit it again`,
    );
  }
  const json = parseJsonObject(await source.read(0, source.size), CONFIG_FILE);
  const fields = new Fields(json, CONFIG_FILE);
  fields.choice("model_type", [modelType]);
  const config = configOf(fields, json);
  const { name, tensors } = await openSafetensors(weights);
  const shapes = shapesOf(config);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [label, shape] of shapes) {
    const tensor = tensors.get(label);
    if (tensor === undefined || tensor.shape.join() !== shape.join()) {
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new RangeError(
        `Cannot read "${name}": tensor "${label}" must have shape [${shape.join(", ")}] as ${CONFIG_FILE} asks, got ${got}; fit the model again`,
      );
    }
    if (!isFloatDtype(tensor.dtype)) throw notFloats(label, tensor.dtype, name);
    const floats = decodeFloats(await tensor.read(), tensor.dtype);
    const odd = floats.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) {
      throw new RangeError(
        `Cannot read "${name}": values of "${label}" must be finite, got ${floats[odd]} at ${odd}; fit the model again`,
      );
    }
    values.set(label, floats);
  }
  const extra = [...tensors.keys()].find((label) => !shapes.has(label));
  if (extra === undefined) return { config, values };
  throw new RangeError(
    `Cannot read "${name}": its tensors must be the model's ${shapes.size}, got "${extra}" too; fit the model again`,
  );
}
