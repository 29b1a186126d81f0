import { checkpointFiles } from "../../model/checkpoint/checkpoint_files.ts";
import { decodeFloats, type FloatDtype } from "../../model/checkpoint/float_conversion.ts";
import type { Generation } from "../../model/checkpoint/generation_config.ts";
import {
  openRun,
  OPTIMIZER_FILE,
  TRAINER_FILE,
  type TrainerRecord,
} from "../../model/checkpoint/run_state.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { drain, type Files, folderOf } from "./memory_files.ts";

/** Values by label. */
export type WeightValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** A model, and what a run needs to go on training it, all in memory. */
export interface Checkpoint {
  readonly config: ModelConfig;
  readonly weights: WeightValues;
  readonly tokenizer?: object;
  readonly generation?: Generation;
  readonly trainer?: TrainerRecord & {
    readonly optimizer: { readonly m: WeightValues; readonly v: WeightValues };
  };
}

const NONE = new Float32Array();

/** A checkpoint as the files that are saved, without their manifest. */
export function encodeCheckpoint({ weights, trainer, ...rest }: Checkpoint): Promise<Files> {
  const files = checkpointFiles({
    ...rest,
    weights: (label) => Promise.resolve(weights.get(label) ?? NONE),
    ...(trainer !== undefined && {
      trainer: {
        ...trainer,
        shapes: weightShapes(rest.config),
        moment: (label, moment) => Promise.resolve(trainer.optimizer[moment].get(label) ?? NONE),
      },
    }),
  });
  return drain(files);
}

/** Reads all of a checkpoint, or of a model that another program wrote. */
export async function decodeCheckpoint(files: Files): Promise<Checkpoint> {
  const folder = folderOf(files);
  const { config, generation, tokenizer, ...model } = await storedHuggingFaceModel(folder);
  const weights = await valuesOf(model);
  const checkpoint: Checkpoint = {
    config,
    weights,
    ...(tokenizer !== undefined && { tokenizer }),
    ...(generation !== undefined && { generation }),
  };
  if (!files.has(TRAINER_FILE) && !files.has(OPTIMIZER_FILE)) return checkpoint;
  const { moment, ...record } = await openRun(folder, weightShapes(config));
  const optimizer = { m: new Map(weights), v: new Map(weights) };
  for (const label of weights.keys()) {
    optimizer.m.set(label, await moment(label, "m"));
    optimizer.v.set(label, await moment(label, "v"));
  }
  return { ...checkpoint, trainer: { ...record, optimizer } };
}

/** Values of all weights of a model whose files hold floats. */
export async function valuesOf({
  weights,
}: Pick<StoredModel, "weights">): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [label, weight] of weights) {
    const { bytes, dtype } = await weight.read();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- storedHuggingFaceModel() has no others
    values.set(label, decodeFloats(bytes, dtype as FloatDtype));
  }
  return values;
}
