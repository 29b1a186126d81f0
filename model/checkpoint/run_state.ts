import type { ModelConfig } from "../transformer/config.ts";
import { Fields } from "./fields.ts";
import { checkWeights, type WeightValues } from "./hugging_face.ts";
import { decodeSafetensors, encodeSafetensors, floatTensor } from "./safetensors.ts";
import {
  brief,
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from "./strict_json.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";

/** Name of the file with the moments. */
export const OPTIMIZER_FILE = "optimizer.safetensors";
/** Name of the file with the rest of a trainer's state. */
export const TRAINER_FILE = "trainer_state.json";

/** All that a run needs, besides its weights, to go on as if it had never stopped. */
export interface RunState {
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
  /** AdamW's moments by label of the weight, each shaped as the weight. */
  readonly optimizer: { readonly m: WeightValues; readonly v: WeightValues };
}

/**
 * Writes a trainer's state as `trainer_state.json`, in Hugging Face's fields with our own under
 * `"tenure"`, and its moments as `optimizer.safetensors`, named `<label>.m` and `<label>.v`.
 *
 * @throws {RangeError} If a moment is missing or misshapen, or the step is no count.
 * @throws {TypeError} If the state holds anything but JSON, such as NaN.
 */
export function encodeRun(
  config: ModelConfig,
  trainer: RunState,
): [name: string, content: Uint8Array<ArrayBuffer>][] {
  const { step, epoch = 0, best, log = [], state, optimizer } = trainer;
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new RangeError(`Cannot write a checkpoint: steps must count from 0, got ${step}`);
  }
  const tensors = new Map();
  for (const moment of ["m", "v"] as const) {
    checkWeights(config, optimizer[moment], `moment ${moment} of weight`);
    for (const { label, shape } of weightShapes(config)) {
      tensors.set(`${label}.${moment}`, { shape, values: optimizer[moment].get(label)! });
    }
  }
  const json: JsonObject = {
    global_step: step,
    epoch,
    best_metric: best?.metric ?? null,
    best_model_checkpoint: best?.checkpoint ?? null,
    log_history: log,
    tenure: state,
  };
  return [
    [OPTIMIZER_FILE, encodeSafetensors(tensors)],
    [TRAINER_FILE, encodeJson(json, TRAINER_FILE)],
  ];
}

/**
 * Reads back what {@linkcode encodeRun} wrote.
 *
 * @throws {SyntaxError} If a file is malformed.
 * @throws {RangeError} If the moments are not those of the model.
 */
export function decodeRun(
  config: ModelConfig,
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): RunState | undefined {
  const [state, moments] = [files.get(TRAINER_FILE), files.get(OPTIMIZER_FILE)];
  if (state === undefined && moments === undefined) return undefined;
  if (state === undefined || moments === undefined) {
    const [there, missing] =
      state === undefined ? [OPTIMIZER_FILE, TRAINER_FILE] : [TRAINER_FILE, OPTIMIZER_FILE];
    throw new SyntaxError(`Cannot read "${missing}": it must be beside ${there}, got no such file`);
  }
  return { ...decodeRunJson(state), optimizer: decodeMoments(config, moments) };
}

/**
 * Reads `trainer_state.json` alone.
 *
 * @throws {SyntaxError} If it is malformed.
 */
export function decodeRunJson(bytes: Uint8Array): Omit<RunState, "optimizer"> {
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

function decodeMoments(config: ModelConfig, bytes: Uint8Array<ArrayBuffer>): RunState["optimizer"] {
  const { tensors } = decodeSafetensors(bytes, OPTIMIZER_FILE);
  const moments = { m: new Map<string, Float32Array<ArrayBuffer>>(), v: new Map() };
  for (const { label, shape } of weightShapes(config)) {
    for (const moment of ["m", "v"] as const) {
      const name = `${label}.${moment}`;
      const tensor = tensors.get(name);
      if (tensor === undefined || tensor.shape.join() !== shape.join()) {
        const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
        throw new RangeError(
          `Cannot read "${OPTIMIZER_FILE}": tensor "${name}" must have shape ` +
            `[${shape.join(", ")}], got ${got}`,
        );
      }
      moments[moment].set(label, floatTensor(tensor, name, OPTIMIZER_FILE).values);
    }
  }
  if (tensors.size !== 2 * moments.m.size) {
    throw new RangeError(
      `Cannot read "${OPTIMIZER_FILE}": it must hold ${2 * moments.m.size} moments, got ${tensors.size}`,
    );
  }
  return moments;
}
