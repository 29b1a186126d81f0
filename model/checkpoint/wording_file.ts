import type { Wording } from "../../data/wording.ts";
import type { FileSet } from "./byte_source.ts";
import { type ExportedFile, fileOf } from "./exported_file.ts";
import { Fields } from "./fields.ts";
import { TRAINER_FILE } from "./run_state.ts";
import { readJson } from "./shards.ts";
import { encodeJson, isJsonObject, type JsonObject } from "./strict_json.ts";
import { wordingFromJson, wordingOfSettings, wordingToJson } from "./wording_json.ts";

/** Name of the file that tells, beside an exported model, how its careers were worded. */
export const WORDING_FILE = "tenure.json";

const FORMAT = "tenure-model";

/** The file beside an exported model that tells how its careers were worded. */
export function wordingFile(wording: Wording): ExportedFile {
  const json = { format: FORMAT, wording: wordingToJson(wording) };
  return fileOf(WORDING_FILE, encodeJson(json, WORDING_FILE));
}

/**
 * How the careers were worded that a model learned from, as its files say: `tenure.json` of an
 * export, or the trainer's state of a checkpoint.
 *
 * @returns Undefined if neither says it, as of models that learned from other texts.
 * @throws {SyntaxError} If what they say is malformed.
 */
export async function readWording(files: FileSet): Promise<Wording | undefined> {
  const own = await files.open(WORDING_FILE);
  if (own !== undefined) {
    const fields = new Fields(await readJson(own), WORDING_FILE);
    fields.choice("format", [FORMAT]);
    return wordingFromJson(fields.object("wording"));
  }
  const trainer = await files.open(TRAINER_FILE);
  if (trainer === undefined) return undefined;
  const settings = settingsOf(await readJson(trainer));
  return settings && wordingOfSettings(settings, TRAINER_FILE);
}

/** Settings of one of our runs; other programs write a file of the same name. */
function settingsOf(json: JsonObject): JsonObject | undefined {
  const state = json["tenure"] ?? null;
  const settings = isJsonObject(state) ? (state["settings"] ?? null) : null;
  return isJsonObject(settings) && "wording" in settings ? settings : undefined;
}
