import type { ByteSource, FileSet } from "../../model/checkpoint/byte_source.ts";
import { decodeManifest, MANIFEST_FILE } from "../../model/checkpoint/manifest.ts";
import { readSmallFile } from "../../model/checkpoint/small_file.ts";
import { WORDING_FILE } from "../../model/checkpoint/wording_file.ts";
import type { CallOptions } from "./api.ts";
import { EngineError } from "./errors.ts";
import { type Listing, LISTING_FILE } from "./listing.ts";

/** Files that people may add to a checkpoint that was written without them. */
const ADDED: readonly string[] = [WORDING_FILE, "chat_template.jinja"];

/** Bytes that are hashed at a time. */
const PIECE_BYTES = 2 ** 22;

/** What a file must be. */
interface Promised {
  /** Name of the list that says so. */
  readonly by: string;
  readonly bytes: number;
  /** In lower-case hex. */
  readonly sha256?: string | undefined;
}

/**
 * Files that are those that a checkpoint was saved with: each is compared with `MANIFEST.json`
 * when it is first opened. Without a manifest, as in other programs' models, there is nothing to
 * compare.
 *
 * @throws {SyntaxError} If the manifest is malformed. Opening a file throws an `EngineError` of
 *   kind `"corrupt"` that names it, if it is not as it was.
 */
export async function checkedFiles(files: FileSet, options: CallOptions): Promise<FileSet> {
  const source = await files.open(MANIFEST_FILE);
  if (source === undefined) return files;
  const manifest = decodeManifest(await readSmallFile(source));
  const open = async (name: string) => {
    const [file, entry] = [await files.open(name), manifest.get(name)];
    if (entry !== undefined) {
      await checkFile(file, name, { promised: { by: MANIFEST_FILE, ...entry }, ...options });
    } else if (file !== undefined && !ADDED.includes(name)) {
      throw damaged(name, `it must be listed in ${MANIFEST_FILE}, got a file of unknown origin`);
    }
    return file;
  };
  return { name: files.name, open: once(open) };
}

/**
 * The files of a folder whose server lists them, each compared with the list when it is first
 * opened; there are no others.
 *
 * @throws {EngineError} Opening a file: of kind `"corrupt"`, if it is not as listed.
 */
export function listedFiles(files: FileSet, listing: Listing, options: CallOptions): FileSet {
  const byPath = new Map(listing.files.map((file) => [file.path, file]));
  const open = async (path: string) => {
    const entry = byPath.get(path);
    if (entry === undefined) return undefined;
    const file = await files.open(path);
    await checkFile(file, path, { promised: { by: LISTING_FILE, ...entry }, ...options });
    return file;
  };
  return { name: files.name, open: once(open) };
}

type Open = FileSet["open"];

/** Does not open, and so does not check, a file twice. */
function once(open: Open): Open {
  const opened = new Map<string, ReturnType<Open>>();
  return (name) => {
    const file = opened.get(name) ?? open(name);
    opened.set(name, file);
    file.catch(() => opened.delete(name)); // the next attempt asks again
    return file;
  };
}

async function checkFile(
  file: ByteSource | undefined,
  name: string,
  { promised, ...options }: CallOptions & { readonly promised: Promised },
): Promise<void> {
  const { by, bytes, sha256 } = promised;
  if (file === undefined) throw damaged(name, `it must be there, as ${by} lists it, got none`);
  if (file.size !== bytes) {
    throw damaged(name, `it must have ${bytes} bytes, as ${by} lists it, got ${file.size}`);
  }
  if (sha256 === undefined || sha256 === (await sumOf(file, { name, ...options }))) return;
  throw damaged(name, `its SHA-256 must be the one that ${by} lists, got another`);
}

/** Sums that are known: a file may be on two lists. */
const sums = new WeakMap<ByteSource, string>();

/** SHA-256 of a file, in lower-case hex. */
async function sumOf(
  file: ByteSource,
  { name, signal, onProgress }: CallOptions & { readonly name: string },
): Promise<string> {
  const known = sums.get(file);
  if (known !== undefined) return known;
  const { sha256 } = await import("@noble/hashes/sha2.js");
  const sum = sha256.create();
  const { size } = file;
  for (let begin = 0; begin < size; begin += PIECE_BYTES) {
    signal?.throwIfAborted();
    const end = Math.min(size, begin + PIECE_BYTES);
    sum.update(await file.read(begin, end));
    onProgress?.({ phase: "check", what: name, done: end, total: size, unit: "bytes" });
  }
  const hex = Array.from(sum.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  sums.set(file, hex);
  return hex;
}

function damaged(name: string, rule: string): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot read "${name}": ${rule}`,
    remedy: `The file is damaged or was changed: copy or download "${name}" again, from where the model was saved.`,
  });
}
