import { EngineError } from "../../engine/errors.ts";
import type { ModelChoice } from "./model_desk.ts";

/** Where a site says which model it has, from its page. */
const INDEX = "model/index.json";

/** A model that this site offers. */
export interface SiteModel {
  readonly choice: ModelChoice;
  readonly bytes: number;
  /** Whether to load it unasked, as a page does that was started for this model. */
  readonly autoload: boolean;
}

/**
 * Looks whether this site offers a model. Nothing but its list of files is downloaded.
 *
 * @param page Address of the page.
 * @returns Undefined if it offers none, or the site is out of reach.
 * @throws {EngineError} Of kind `"corrupt"`, if the list is malformed.
 */
export async function findSiteModel(page: string): Promise<SiteModel | undefined> {
  const address = new URL(INDEX, page);
  const response = await fetch(address.href).catch(() => undefined);
  // A server may answer with the page itself where there is no file.
  const isJson = response?.headers.get("content-type")?.includes("json") ?? false;
  if (response === undefined || !response.ok || !isJson) return undefined;
  return parseSiteModel(await response.text(), address.href);
}

/**
 * Reads the list: `{ name, autoload?, files: [{ path, bytes, sha256? }] }`, paths from its own folder.
 *
 * @throws {EngineError} Of kind `"corrupt"`, if it is malformed, or leads out of its folder.
 */
export function parseSiteModel(text: string, address: string): SiteModel {
  const { name, autoload = false, files } = objectOf(parse(text));
  if (typeof name !== "string" || name === "") throw corrupt('"name" must be text', name);
  if (typeof autoload !== "boolean") throw corrupt('"autoload" must be true or false', autoload);
  if (!Array.isArray(files) || files.length === 0) throw corrupt('"files" must be a list', files);
  const entries = files.map((file: unknown) => entryOf(file));
  const sums = entries.flatMap(({ path, sha256 }) =>
    sha256 === undefined ? [] : [[path, sha256]],
  );
  const gguf = entries.length === 1 && /\.gguf$/i.test(entries[0]!.path) ? entries[0]!.path : "";
  const url = new URL(gguf.split("/").map(encodeURIComponent).join("/") || ".", address).href;
  return {
    choice: {
      name,
      source: { kind: "url", url },
      sha256: Object.fromEntries(sums) as Record<string, string>,
    },
    bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
    autoload,
  };
}

interface SiteFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string | undefined;
}

function entryOf(file: unknown): SiteFile {
  const { path, bytes, sha256 } = objectOf(file);
  const isInside =
    typeof path === "string" &&
    path.split("/").every((part) => /^[^\\:?#]+$/.test(part) && !/^\.+$/.test(part));
  if (!isInside) throw corrupt('"path" must stay within the folder', path);
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw corrupt('"bytes" must be a count', bytes);
  }
  if (sha256 !== undefined && (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))) {
    throw corrupt('"sha256" must be 64 hex digits in lower case', sha256);
  }
  return { path, bytes, sha256 };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt("it must be JSON", (error as Error).message);
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> & {
  readonly [key in keyof SiteFile | "name" | "autoload" | "files"]?: unknown;
} {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw corrupt("it must hold objects", value);
}

function corrupt(rule: string, got: unknown): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot read this site's "${INDEX}": ${rule}, got ${JSON.stringify(got) ?? "nothing"}`,
    remedy: "Choose a model from your own disk, or tell whoever runs this site.",
  });
}
