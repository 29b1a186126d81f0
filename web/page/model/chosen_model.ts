import type { ModelFile } from "../../engine/api.ts";
import { EngineError } from "../../engine/errors.ts";

/** What a person chose: which of these files make a model, the engine finds out. */
export interface ChosenModel {
  /** Of the folder, or of the file. */
  readonly name: string;
  readonly files: readonly ModelFile[];
  readonly bytes: number;
}

/**
 * Names what was chosen, and leaves out hidden files, which are those of the system or of git.
 *
 * @throws {EngineError} Of kind `"bad-input"`, if nothing is left.
 */
export function chosenModel(chosen: readonly ModelFile[]): ChosenModel {
  const files = chosen.filter(({ path }) => !/(^|\/)\./.test(path));
  if (files.length === 0) {
    throw new EngineError({
      kind: "bad-input",
      message: "Cannot find a model: at least one file must be chosen, got none",
      remedy: "Choose a folder with config.json and model.safetensors, or a GGUF file.",
    });
  }
  return {
    name: nameOf(files),
    files,
    bytes: files.reduce((sum, { blob }) => sum + blob.size, 0),
  };
}

function nameOf(files: readonly ModelFile[]): string {
  const [folder, ...rest] = files[0]!.path.split("/");
  const isFolder = rest.length > 0 && files.every(({ path }) => path.startsWith(`${folder!}/`));
  if (isFolder) return folder!;
  const gguf = files.find(({ path }) => /\.gguf$/i.test(path));
  if (gguf !== undefined) return stemOf(gguf);
  // A folder's files without their folder say nothing by their names; llama2.c's weights do.
  if (files.some(({ path }) => baseName(path) === "config.json")) return "model";
  return stemOf(files.toSorted((a, b) => b.blob.size - a.blob.size)[0]!);
}

function stemOf({ path }: ModelFile): string {
  return baseName(path).replace(/\.[^.]+$/, "");
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
