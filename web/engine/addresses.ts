import { badInput } from "./explain.ts";

/**
 * An address as a whole one; a relative one counts from the page, or the worker's script.
 *
 * @throws {EngineError} Of kind `"bad-input"` if it is none that files can be fetched from.
 */
export function wholeAddress(address: string): URL {
  const here = (globalThis as { location?: { href: string } }).location?.href;
  const url = URL.canParse(address, here) ? new URL(address, here) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) {
    url.hash = "";
    return url;
  }
  throw badInput(
    `Cannot load a model: its address must be a URL of http or https, such as https://example.org/model/, got ${JSON.stringify(address)}`,
    "Write the address with https:// in front.",
  );
}

/** Address of a file below a folder's, which ends with a slash. */
export function below(folder: URL, path: string): string {
  const url = new URL(path.split("/").map(encodeURIComponent).join("/"), folder);
  url.search = folder.search; // it may be what lets one in
  return url.href;
}

/** The folder that a file lies in. */
export function folderOf(file: URL): URL {
  const folder = new URL(".", file);
  folder.search = file.search;
  return folder;
}

/** The last part of an address's path, as people read it; empty for a folder. */
export function fileName({ pathname }: URL): string {
  return decoded(pathname.slice(pathname.lastIndexOf("/") + 1));
}

/** What people would call a folder, whose address ends with a slash. */
export function folderName({ pathname, hostname }: URL): string {
  return decoded(pathname.split("/").at(-2) ?? "") || hostname;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
