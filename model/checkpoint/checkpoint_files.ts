import { exportHuggingFace, type ModelExport } from "./export_hugging_face.ts";
import { type ExportedFile, fileOf } from "./exported_file.ts";
import { runFiles, type RunSource } from "./run_state.ts";
import { encodeJson, type JsonObject } from "./strict_json.ts";

/** A model and a trainer's state whose tensors are read one at a time. */
export interface CheckpointSource extends Omit<ModelExport, "dtype" | "maxShardBytes"> {
  readonly trainer?: RunSource;
}

/** What goes with weights: as far as it is there. */
export type TokenizerFiles = Pick<ModelExport, "tokenizer" | "tokenizerConfig">;

/**
 * A checkpoint as files in Hugging Face's layout, whose tensors are asked for as the files are
 * drained: memory holds a few copies of one tensor. `storedHuggingFaceModel()` and `openRun()` read
 * them.
 *
 * @returns Files in the order to write them; a manifest of what was written belongs behind them.
 * @throws {RangeError} If sizes, tokenizer or generation do not fit together, or the step is no
 *   count; while draining, if a tensor does not fill its shape.
 * @throws {TypeError} If the tokenizer or the trainer's state holds anything but JSON.
 */
export function checkpointFiles({ trainer, ...model }: CheckpointSource): ExportedFile[] {
  const files = exportHuggingFace({ ...model, dtype: "F32", maxShardBytes: Infinity });
  return trainer === undefined ? files : [...files, ...runFiles(trainer)];
}

/** The files of a tokenizer, for a folder without a model. */
export function tokenizerFiles({ tokenizer, tokenizerConfig }: TokenizerFiles): ExportedFile[] {
  const contents = { "tokenizer.json": tokenizer, "tokenizer_config.json": tokenizerConfig };
  return Object.entries(contents).flatMap(([name, json]) =>
    // encodeJson() checks that it is JSON.
    json === undefined ? [] : [fileOf(name, encodeJson(json as JsonObject, name))],
  );
}
