import { join } from "node:path";
import type { Wording } from "../../data/wording.ts";
import { readWording } from "../../model/checkpoint/wording_file.ts";
import { bestCheckpoint, isCheckpointFolder, listCheckpoints } from "../platform/checkpoints.ts";
import { folderFiles, withPath } from "../platform/file_source.ts";
import { findModelPlace } from "../platform/model_place.ts";

/**
 * How the careers were worded that a model, or an adapter, learned from.
 *
 * @param path As `openModelPath` takes it: the files of a run are those of its best checkpoint.
 * @returns Undefined if its files do not say it.
 * @throws {CliError} With exit code 5 if what they say is malformed.
 */
export async function wordingOfPath(path: string, revision?: string): Promise<Wording | undefined> {
  const place = await findModelPlace(path, revision);
  if (place === undefined) return undefined;
  const folder = place.isFolder ? await modelFolder(place.path) : join(place.path, "..");
  return withPath(folder, () => readWording(folderFiles(folder)));
}

async function modelFolder(path: string): Promise<string> {
  if (await isCheckpointFolder(path)) return path;
  return (await listCheckpoints(path)).length > 0 ? bestCheckpoint(path) : path;
}
