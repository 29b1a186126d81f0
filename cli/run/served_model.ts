import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EngineError } from "../../web/engine/errors.ts";
import { selectFiles } from "../../web/store/select_files.ts";
import type { Piece, SourceFile, SourceFolder } from "../../web/store/model_folder.ts";
import { bestCheckpoint, isCheckpointFolder } from "../platform/checkpoints.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { adapterFolder } from "../platform/model_folder.ts";
import { hashFile } from "./hash.ts";
import { holds, RUN_FILE } from "./run_folder.ts";
import { inMemory, type ServedFile, type ServedFiles } from "./served_files.ts";
import { mimeType } from "./web_headers.ts";

/** Where the page looks for the model that its server offers. */
export const MODEL_INDEX = "model/index.json";

/** A model as the web server offers it. */
export interface ServedModel {
  readonly name: string;
  /** Folder or file that it is read from: of a run, its best checkpoint. */
  readonly path: string;
  readonly bytes: number;
  /** Its files below `model/`, and the list of them that the page reads. */
  readonly files: ServedFiles;
}

/**
 * A model to serve: a run's best checkpoint, a checkpoint, a folder in Hugging Face's layout, or a
 * GGUF file. Of a folder, only the files of the model are served: no optimizer state, no log.
 *
 * @throws {CliError} With exit code 5 if there is no model, or it is an adapter without its base.
 */
export async function serveModel(path: string): Promise<ServedModel> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new CliError(EXIT.checkpoint, `Cannot serve "${path}": it must exist, got no such path`);
  }
  const place = found.isDirectory() ? await folderOf(path) : checkedFile(path);
  const folder = found.isDirectory() ? place : dirname(resolve(place));
  const names = found.isDirectory() ? await readdir(place) : [basename(place)];
  const selection = await chosen(sourceOf(place, folder, names));
  const files = new Map<string, ServedFile>();
  for (const { path: name } of selection) {
    const body = await realpath(join(folder, name));
    const [{ size }, sha256] = await Promise.all([stat(body), hashFile(body)]);
    files.set(`model/${name}`, { body, bytes: size, sha256, type: mimeType(name) });
  }
  const entries = selection.map(({ path: name }) => {
    const { bytes, sha256 } = files.get(`model/${name}`)!;
    return { path: name, bytes, sha256 };
  });
  const name = nameOf(path);
  const index = JSON.stringify({ name, autoload: true, files: entries }, null, 2);
  files.set(MODEL_INDEX, inMemory(new TextEncoder().encode(index), mimeType(MODEL_INDEX)));
  return { name, path: place, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0), files };
}

/** The folder that holds the model: a run's best checkpoint, or what was named. */
async function folderOf(path: string): Promise<string> {
  const adapter = await adapterFolder(path);
  if (adapter !== undefined) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot serve "${path}": it must be a whole model, got an adapter; merge it with tenure export "${path}" --merge -o <folder>, and serve that`,
    );
  }
  if (await isCheckpointFolder(path)) return path;
  const hasCheckpoints = (await readdir(path)).some((name) => /^checkpoint-\d+$/.test(name));
  return hasCheckpoints || (await holds(path, RUN_FILE)) ? bestCheckpoint(path) : path;
}

/** A model of one file, which the page can ask for by its name alone. */
function checkedFile(path: string): string {
  if (/\.gguf$/i.test(path)) return path;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot serve "${path}": a model must be a folder or a GGUF file, got another file; write it as a folder with tenure export "${path}" -o <folder>`,
  );
}

/** Files of a folder, in the words of the page's store, which knows what belongs to a model. */
function sourceOf(name: string, folder: string, paths: readonly string[]): SourceFolder {
  const open = async (path: string): Promise<SourceFile | undefined> => {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (found?.isFile() !== true) return undefined;
    return { path, bytes: found.size, read: () => pieces(join(folder, path)) };
  };
  return { name, key: folder, paths, open };
}

async function* pieces(path: string): AsyncGenerator<Piece> {
  let at = 0;
  for await (const chunk of createReadStream(path)) {
    const bytes = chunk as Uint8Array;
    yield { at, bytes };
    at += bytes.length;
  }
}

async function chosen(source: SourceFolder): Promise<readonly SourceFile[]> {
  return failingAs(EXIT.checkpoint, async () => {
    try {
      return (await selectFiles(source)).files;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const { message, remedy } = error;
      throw new CliError(EXIT.checkpoint, `${message}; ${remedy}`, { cause: error });
    }
  });
}

/** What people call it: the last name of its path that says something. */
function nameOf(path: string): string {
  const whole = resolve(path);
  const name = basename(whole).replace(/\.(gguf|bin)$/i, "");
  return /^checkpoint-\d+$/.test(name) ? `${basename(dirname(whole))} ${name}` : name;
}
