import {
  brief,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
} from "../../model/checkpoint/strict_json.ts";
import { EngineError } from "./errors.ts";

/**
 * What lists the files of a folder on a web server: `{ "name": …, "files": [{ "path": …, "bytes":
 * …, "sha256"?: … }] }`, paths from the folder.
 */
export const LISTING_FILE = "index.json";

/** A file of a listing. */
export interface ListedFile {
  /** Below the listing's folder. */
  readonly path: string;
  readonly bytes: number;
  /** In lower-case hex. */
  readonly sha256?: string;
}

/** The files of a folder, as its server lists them. */
export interface Listing {
  /** What people call the model. */
  readonly name?: string;
  readonly files: readonly ListedFile[];
}

/**
 * Reads a {@linkcode LISTING_FILE}.
 *
 * @param url Where it comes from, for errors.
 * @returns Undefined if it is somebody else's `index.json`, of whatever else there is.
 * @throws {EngineError} Of kind `"corrupt"` if a file of the list is malformed, or leads out of the
 *   folder.
 */
export function decodeListing(bytes: Uint8Array, url: string): Listing | undefined {
  let json: JsonObject;
  try {
    json = parseJsonObject(bytes, url);
  } catch {
    return undefined;
  }
  const { name, files } = json;
  if (!Array.isArray(files)) return undefined;
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    files: files.map((entry: JsonValue) => listedFile(entry, url)),
  };
}

function listedFile(entry: JsonValue, url: string): ListedFile {
  const { path, bytes, sha256 } = isJsonObject(entry) ? entry : {};
  if (
    typeof path === "string" &&
    !path.split("/").some((part) => ["", ".", ".."].includes(part)) &&
    typeof bytes === "number" &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    (sha256 === undefined || (typeof sha256 === "string" && /^[\da-f]{64}$/.test(sha256)))
  ) {
    return { path, bytes, ...(sha256 !== undefined && { sha256 }) };
  }
  throw new EngineError({
    kind: "corrupt",
    message: `Cannot read "${url}": files must have a path within the folder, bytes and perhaps sha256, got ${brief(entry)}`,
    remedy: "Tell whoever runs the server, or choose the model's files yourself.",
  });
}
