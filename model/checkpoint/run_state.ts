import { sizeOf } from "../../engine/tensor.ts";
import type { WeightShape } from "../transformer/weight_shapes.ts";
import type { FileSet } from "./byte_source.ts";
import { type ExportedFile, fileOf } from "./exported_file.ts";
import { Fields } from "./fields.ts";
import { decodeFloats, encodeFloats, isFloatDtype, notFloats } from "./float_conversion.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors_file.ts";
import { type SafetensorsDtype } from "./safetensors_header.ts";
import { startSafetensors } from "./safetensors_writer.ts";
import {
  brief,
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from "./strict_json.ts";

/** Name of the file with the moments. */
export const OPTIMIZER_FILE = "optimizer.safetensors";
/** Name of the file with the rest of a trainer's state. */
export const TRAINER_FILE = "trainer_state.json";

/** What a trainer keeps besides moments. */
export interface TrainerRecord {
  /** Optimizer steps taken. */
  readonly step: number;
  /** Passes over the training data, in part. @default {0} */
  readonly epoch?: number;
  /** Lowest validation loss so far, and the checkpoint that has it. */
  readonly best?: { readonly metric: number; readonly checkpoint: string };
  /** One object per logged step. @default {[]} */
  readonly log?: readonly JsonObject[];
  /** Seeds, data position and whatever else the trainer wants back as it was. */
  readonly state: JsonObject;
}

/** One of AdamW's two moments. */
export type Moment = (typeof MOMENTS)[number];

const MOMENTS = ["m", "v"] as const;

/** Reads a moment of a weight, by the weight's label. */
export type ReadMoment = (label: string, moment: Moment) => Promise<Float32Array<ArrayBuffer>>;

/** A trainer's state whose moments are read one at a time. */
export interface RunSource extends TrainerRecord {
  /** Weights that have moments. */
  readonly shapes: Iterable<WeightShape>;
  /** Each is asked for once, in the order of the file. */
  readonly moment: ReadMoment;
}

/** A trainer's state in files, its moments yet to be read. */
export interface StoredRun extends TrainerRecord {
  readonly moment: ReadMoment;
}

/**
 * Writes a trainer's state as `trainer_state.json`, in Hugging Face's fields with our own under
 * `"tenure"`, and its moments as `optimizer.safetensors`, named `<label>.m` and `<label>.v`.
 * Moments are asked for as the files are drained, so that memory holds one of them.
 *
 * @returns Both files; draining throws a `RangeError` if a moment does not fill its shape.
 * @throws {RangeError} If the step is no count.
 * @throws {TypeError} If the state holds anything but JSON, such as NaN.
 */
export function runFiles({ shapes, moment: read, ...record }: RunSource): ExportedFile[] {
  const { step, epoch = 0, best, log = [], state } = record;
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new RangeError(`Cannot write a checkpoint: steps must count from 0, got ${step}`);
  }
  const json: JsonObject = {
    global_step: step,
    epoch,
    best_metric: best?.metric ?? null,
    best_model_checkpoint: best?.checkpoint ?? null,
    log_history: log,
    tenure: state,
  };
  return [momentsFile(shapes, read), fileOf(TRAINER_FILE, encodeJson(json, TRAINER_FILE))];
}

function momentsFile(shapes: Iterable<WeightShape>, read: ReadMoment): ExportedFile {
  const tensors = new Map<string, WeightShape & { dtype: SafetensorsDtype; moment: Moment }>();
  for (const { label, shape } of shapes) {
    for (const moment of MOMENTS) {
      tensors.set(`${label}.${moment}`, { label, shape, moment, dtype: "F32" });
    }
  }
  const { header, names, size } = startSafetensors(tensors);
  async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    yield header;
    for (const name of names) {
      const { label, moment, shape } = tensors.get(name)!;
      const values = await read(label, moment);
      if (values.length !== sizeOf(shape)) {
        throw new RangeError(
          `Cannot write a checkpoint: moment ${moment} of weight "${label}" must have shape [${shape.join(", ")}], got ${values.length} values`,
        );
      }
      yield encodeFloats(values, "F32");
    }
  }
  return { name: OPTIMIZER_FILE, size, chunks: chunks() };
}

/**
 * Opens what {@linkcode runFiles} wrote; moments are read when asked for.
 *
 * @param files The checkpoint's folder.
 * @param shapes Weights that must have moments, and no others.
 * @throws {SyntaxError} If a file is missing or malformed.
 * @throws {RangeError} If the moments are not those of the weights.
 * @throws {TypeError} If they are no floats.
 */
export async function openRun(files: FileSet, shapes: Iterable<WeightShape>): Promise<StoredRun> {
  const record = await openTrainerRecord(files);
  const source = await files.open(OPTIMIZER_FILE);
  if (source === undefined) throw missing(OPTIMIZER_FILE, TRAINER_FILE);
  const file = await openSafetensors(source);
  checkMoments(file.tensors, shapes);
  return { ...record, moment: (label, moment) => readMoment(file, `${label}.${moment}`) };
}

/**
 * Reads `trainer_state.json` of a folder.
 *
 * @throws {SyntaxError} If it is missing or malformed.
 */
export async function openTrainerRecord(files: FileSet): Promise<TrainerRecord> {
  const source = await files.open(TRAINER_FILE);
  if (source === undefined) throw missing(TRAINER_FILE, "the model");
  return decodeRunJson(await source.read(0, source.size));
}

async function readMoment(
  { name: file, tensors }: SafetensorsFile,
  name: string,
): Promise<Float32Array<ArrayBuffer>> {
  const tensor = tensors.get(name);
  if (tensor === undefined) {
    throw new RangeError(`Cannot read "${file}": it must hold "${name}", got no such tensor`);
  }
  if (!isFloatDtype(tensor.dtype)) throw notFloats(name, tensor.dtype, file);
  return decodeFloats(await tensor.read(), tensor.dtype);
}

function missing(name: string, beside: string): SyntaxError {
  return new SyntaxError(`Cannot read "${name}": it must be beside ${beside}, got no such file`);
}

/**
 * Reads `trainer_state.json` alone.
 *
 * @throws {SyntaxError} If it is malformed.
 */
export function decodeRunJson(bytes: Uint8Array): TrainerRecord {
  const json = parseJsonObject(bytes, TRAINER_FILE);
  const fields = new Fields(json, TRAINER_FILE);
  const step = fields.number("global_step");
  if (!Number.isSafeInteger(step) || step < 0) fields.refuse("global_step", "must count from 0");
  const log = json["log_history"] ?? [];
  if (!isObjects(log)) return fields.refuse("log_history", "must be a list of objects");
  const state = json["tenure"];
  if (!isJsonObject(state)) {
    const remedy = "must be the state that this program resumes from, not another's";
    throw new SyntaxError(`Cannot read "${TRAINER_FILE}": tenure ${remedy}, got ${brief(state)}`);
  }
  const best = json["best_model_checkpoint"] ?? null;
  if (best !== null && typeof best !== "string") {
    return fields.refuse("best_model_checkpoint", "must be a string");
  }
  return {
    step,
    epoch: fields.number("epoch"),
    ...(best === null ? {} : { best: { metric: fields.number("best_metric"), checkpoint: best } }),
    log,
    state,
  };
}

function isObjects(value: JsonValue): value is readonly JsonObject[] {
  return Array.isArray(value) && value.every(isJsonObject);
}

/** Checks that there are both moments of every weight, shaped as the weight, and nothing else. */
function checkMoments(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  shapes: Iterable<WeightShape>,
): void {
  let count = 0;
  for (const { label, shape } of shapes) {
    for (const moment of MOMENTS) {
      count++;
      const name = `${label}.${moment}`;
      const tensor = tensors.get(name);
      if (tensor !== undefined && tensor.shape.join() === shape.join()) continue;
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new RangeError(
        `Cannot read "${OPTIMIZER_FILE}": tensor "${name}" must have shape ` +
          `[${shape.join(", ")}], got ${got}`,
      );
    }
  }
  if (tensors.size === count) return;
  throw new RangeError(
    `Cannot read "${OPTIMIZER_FILE}": it must hold ${count} moments, got ${tensors.size}`,
  );
}
