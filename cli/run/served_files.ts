import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, EXIT } from "../platform/errors.ts";
import { fileError } from "../platform/files.ts";
import { exists } from "../platform/file_source.ts";
import { mimeType } from "./web_headers.ts";

/** A file that the web server sends. */
export interface ServedFile {
  /** A path on disk, or the bytes themselves. */
  readonly body: string | Uint8Array;
  readonly bytes: number;
  /** Lower-case hex; browsers ask by it whether what they have is current. */
  readonly sha256: string;
  readonly type: string;
  /** Whether its name changes with its content, so that browsers need not ask again. */
  readonly isImmutable?: boolean;
}

/** Files by their paths below the server's root. Nothing else is ever sent. */
export type ServedFiles = ReadonlyMap<string, ServedFile>;

/** Where the built page may lie: beside what is published, or in a clone. */
const PAGE_FOLDERS = ["../../page/", "../../dist/page/"];

/**
 * Folder of the built page.
 *
 * @throws {CliError} If it was not built, with the remedy.
 */
export async function findPage(): Promise<string> {
  const folders = PAGE_FOLDERS.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  for (const folder of folders) {
    if (await exists(join(folder, "index.html"))) return folder;
  }
  throw new CliError(
    EXIT.failure,
    `Cannot serve the page: it must be built, got no "${join(folders[1]!, "index.html")}"; run npm run build:web`,
  );
}

/**
 * All files of the built page, read at once: what changes on disk later is served after a restart.
 * Links are left out, wherever they lead.
 *
 * @throws {CliError} If the folder cannot be read.
 */
export async function pageFiles(folder: string): Promise<ServedFiles> {
  const files = new Map<string, ServedFile>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: unknown): never => {
      throw fileError("read", folder, { error, exitCode: EXIT.failure });
    },
  );
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(join(folder, "/").length).replaceAll("\\", "/");
    const isImmutable = /^assets\/.*-[\w-]{8}\.\w+$/.test(name);
    files.set(name, { ...inMemory(await readFile(path), mimeType(name)), isImmutable });
  }
  return files;
}

/** A file that is made here. */
export function inMemory(body: Uint8Array, type: string): ServedFile {
  const sha256 = createHash("sha256").update(body).digest("hex");
  return { body, bytes: body.byteLength, sha256, type };
}
