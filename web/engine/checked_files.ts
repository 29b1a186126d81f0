import type { ByteSource, FileSet } from "../../model/checkpoint/byte_source.ts";
import {
  decodeManifest,
  MANIFEST_FILE,
  type ManifestEntry,
} from "../../model/checkpoint/manifest.ts";
import { readSmallFile } from "../../model/checkpoint/small_file.ts";
import { WORDING_FILE } from "../../model/checkpoint/wording_file.ts";
import type { CallOptions } from "./api.ts";
import { EngineError } from "./errors.ts";

/** Files that people may add to a checkpoint that was written without them. */
const ADDED: readonly string[] = [WORDING_FILE, "chat_template.jinja"];

/** Bytes that are hashed at a time. */
const PIECE_BYTES = 2 ** 22;

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
  const checks = new Map<string, Promise<ByteSource | undefined>>();
  const open = async (name: string) => {
    const [file, entry] = [await files.open(name), manifest.get(name)];
    if (file === undefined && entry !== undefined) {
      throw damaged(name, `it must be there, as ${MANIFEST_FILE} lists it, got none`);
    }
    const isAdded = entry === undefined && ADDED.includes(name);
    if (file !== undefined && !isAdded) await checkFile(file, { name, entry, ...options });
    return file;
  };
  return {
    name: files.name,
    open(name) {
      const check = checks.get(name) ?? open(name);
      checks.set(name, check);
      return check;
    },
  };
}

async function checkFile(
  file: ByteSource,
  {
    name,
    entry,
    signal,
    onProgress,
  }: CallOptions & { readonly name: string; readonly entry: ManifestEntry | undefined },
): Promise<void> {
  if (entry === undefined) {
    throw damaged(name, `it must be listed in ${MANIFEST_FILE}, got a file of unknown origin`);
  }
  const { size } = file;
  if (size !== entry.bytes) {
    throw damaged(name, `it must have ${entry.bytes} bytes as when it was saved, got ${size}`);
  }
  const { sha256 } = await import("@noble/hashes/sha2.js");
  const sum = sha256.create();
  for (let begin = 0; begin < size; begin += PIECE_BYTES) {
    signal?.throwIfAborted();
    const end = Math.min(size, begin + PIECE_BYTES);
    sum.update(await file.read(begin, end));
    onProgress?.({ phase: "check", what: name, done: end, total: size, unit: "bytes" });
  }
  const hex = Array.from(sum.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex === entry.sha256) return;
  throw damaged(name, "its SHA-256 must be the one it was saved with, got another");
}

function damaged(name: string, rule: string): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot read "${name}": ${rule}`,
    remedy: `The file is damaged or was changed: copy or download "${name}" again, from where the model was saved.`,
  });
}
