import { Fields } from "./fields.ts";
import {
  brief,
  encodeJson,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from "./strict_json.ts";

/** Name of the file that lists all others; it is written last, so that it vouches for them. */
export const MANIFEST_FILE = "MANIFEST.json";

/** What a manifest says of one file. */
export interface ManifestEntry {
  readonly bytes: number;
  /** In hexadecimal, lower case. */
  readonly sha256: string;
}

const FORMAT = "tenure-checkpoint";

/**
 * Lists files with their lengths and SHA-256 sums.
 *
 * @returns Content of `MANIFEST.json`.
 */
export function encodeEntries(
  entries: ReadonlyMap<string, ManifestEntry>,
): Uint8Array<ArrayBuffer> {
  const files = Object.fromEntries(
    Array.from(entries, ([name, { bytes, sha256: sum }]): [string, JsonObject] => [
      name,
      { bytes, sha256: sum },
    ]),
  );
  return encodeJson({ format: FORMAT, files }, MANIFEST_FILE);
}

/**
 * Reads a manifest.
 *
 * @param bytes Content of `MANIFEST.json`.
 * @throws {SyntaxError} If it is no manifest, or names a file outside of its folder.
 */
export function decodeManifest(bytes: Uint8Array): Map<string, ManifestEntry> {
  const json = parseJsonObject(bytes, MANIFEST_FILE);
  new Fields(json, MANIFEST_FILE).choice("format", [FORMAT]);
  const { files } = json;
  if (!isJsonObject(files)) {
    throw problem(`files must be an object`, brief(files));
  }
  return new Map(
    Object.entries(files).map(([name, entry]) => {
      if (!/^[\w-][\w.-]*$/.test(name)) {
        throw problem("names of files must be plain, without folders", brief(name));
      }
      const { bytes: length, sha256: sum } = isJsonObject(entry) ? entry : {};
      if (typeof length !== "number" || typeof sum !== "string") {
        throw problem(`"${name}" must have bytes, a number, and sha256, a string`, brief(entry));
      }
      return [name, { bytes: length, sha256: sum }];
    }),
  );
}

function problem(rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${MANIFEST_FILE}": ${rule}, got ${got}`);
}
