import type { Wording } from "../../data/wording.ts";
import { Fields } from "./fields.ts";
import type { JsonObject } from "./strict_json.ts";

/** A wording as JSON. */
export function wordingToJson(wording: Wording): JsonObject {
  return { ...wording };
}

/**
 * Reads a wording back.
 *
 * @throws {SyntaxError} If a field is missing or of another kind, naming it.
 */
export function wordingFromJson(fields: Fields): Wording {
  const dataset = fields.raw("dataset");
  return {
    dataset: typeof dataset === "string" ? dataset : fields.refuse("dataset", "must be text"),
    birthYear: fields.boolean("birthYear"),
    titles: fields.choice("titles", ["authentic", "numeric"]),
    titleSeed: fields.number("titleSeed"),
    lastRows: fields.number("lastRows"),
  };
}

/**
 * How a run's careers were worded.
 *
 * @param settings Of the run, as its checkpoints keep them.
 * @param file Named in errors.
 * @throws {SyntaxError} If it is not said, or malformed.
 */
export function wordingOfSettings(settings: JsonObject, file: string): Wording {
  return wordingFromJson(new Fields(settings, file).object("wording"));
}
