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
 * @param files Content by name.
 * @returns Content of `MANIFEST.json`.
 */
export async function encodeManifest(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const entries = new Map<string, ManifestEntry>();
  for (const [name, content] of files) {
    entries.set(name, { bytes: content.length, sha256: await sha256(content) });
  }
  return encodeEntries(entries);
}

/** Content of `MANIFEST.json`, where lengths and sums are known. */
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

/**
 * Checks files against the manifest beside them. Without one, as in a model that another program
 * wrote, there is nothing to check.
 *
 * @param files Content by name; those absent are not looked for.
 * @throws {SyntaxError} If a file differs from what was written, or is not listed, naming it.
 */
export async function verifyManifest(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const manifest = files.get(MANIFEST_FILE);
  if (manifest === undefined) return;
  const entries = decodeManifest(manifest);
  for (const [name, content] of files) {
    if (name === MANIFEST_FILE) continue;
    const entry = entries.get(name);
    const rule =
      entry === undefined
        ? `it must be listed in ${MANIFEST_FILE}, got a file of unknown origin`
        : entry.bytes !== content.length
          ? `it must have ${entry.bytes} bytes as when it was saved, got ${content.length}`
          : entry.sha256 !== (await sha256(content))
            ? "its SHA-256 must be the one it was saved with, got another; the file is damaged"
            : undefined;
    if (rule !== undefined) throw new SyntaxError(`Cannot read "${name}": ${rule}`);
  }
}

async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function problem(rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${MANIFEST_FILE}": ${rule}, got ${got}`);
}
