import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { Fields } from "../../model/checkpoint/fields.ts";
import {
  brief,
  encodeJson,
  isJsonObject,
  type JsonValue,
  parseJsonObject,
} from "../../model/checkpoint/strict_json.ts";
import type { StoredModelInfo } from "../engine/api.ts";

/** Name of the record in a model's folder; a folder without one is no model. */
export const RECORD_FILE = "model.json";

/** A file of a stored model, such as the record lists it. */
export type StoredFileInfo = StoredModelInfo["files"][number];

/** Hexadecimal digits of a model's id. */
const ID_DIGITS = 16;

const FORMAT = "tenure-stored-model";

/** Name of a model's file in its folder: people's own names may be none that the browser takes. */
export const storedName = (index: number): string => `file-${index}`;

/**
 * The id of a model, by its content: the same files have the same id whatever the model is called,
 * and whenever they were saved.
 *
 * @returns The first 16 hexadecimal digits of a SHA-256 over paths, lengths and sums.
 */
export function modelId(files: readonly StoredFileInfo[]): string {
  const lines = files.map(({ path, bytes, sha256: sum }) => JSON.stringify([path, bytes, sum]));
  const text = lines.toSorted().join("\n");
  return bytesToHex(sha256(new TextEncoder().encode(text))).slice(0, ID_DIGITS);
}

/** Content of {@linkcode RECORD_FILE}; files are stored in the order that it lists. */
export function encodeRecord({
  id,
  name,
  savedAt,
  files,
}: StoredModelInfo): Uint8Array<ArrayBuffer> {
  const listed = files.map(({ path, bytes, sha256: sum }) => ({ path, bytes, sha256: sum }));
  return encodeJson({ format: FORMAT, id, name, savedAt, files: listed }, RECORD_FILE);
}

/**
 * Reads a record.
 *
 * @throws {SyntaxError} If it is malformed, or its id is not that of its files.
 */
export function decodeRecord(bytes: Uint8Array): StoredModelInfo {
  const json = parseJsonObject(bytes, RECORD_FILE);
  const fields = new Fields(json, RECORD_FILE);
  fields.choice("format", [FORMAT]);
  const text = (key: string): string => {
    const value = fields.raw(key);
    return typeof value === "string" ? value : fields.refuse(key, "must be text");
  };
  const listed = fields.raw("files");
  const files = isList(listed) ? listed.map(fileOf) : fields.refuse("files", "must be a list");
  const id = text("id");
  if (id !== modelId(files)) fields.refuse("id", "must be that of the files");
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  return { id, name: text("name"), bytes: total, savedAt: text("savedAt"), files };
}

function fileOf(entry: JsonValue): StoredFileInfo {
  const { path, bytes, sha256: sum } = isJsonObject(entry) ? entry : {};
  if (
    typeof path === "string" &&
    typeof bytes === "number" &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    typeof sum === "string"
  ) {
    return { path, bytes, sha256: sum };
  }
  throw new SyntaxError(
    `Cannot read "${RECORD_FILE}": files must have path, bytes and sha256, got ${brief(entry)}`,
  );
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
