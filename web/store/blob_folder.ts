import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { singleModel } from "../../model/pretrained/single_file.ts";
import type { ModelFile } from "../engine/api.ts";
import { EngineError } from "../engine/errors.ts";
import { baseName, commonFolder, type Piece, type SourceFolder } from "./model_folder.ts";

/** Bytes that are read at a time. */
const CHUNK_BYTES = 2 ** 22;

/** Bytes at each end of a file that tell two files of one length apart. */
const FINGERPRINT_BYTES = 4096;

/**
 * Files that a person chose or dropped.
 *
 * @throws {EngineError} `"bad-input"` if there are none, or two of one path.
 */
export async function blobFolder(files: readonly ModelFile[]): Promise<SourceFolder> {
  const byPath = new Map(files.map((file) => [file.path, file.blob]));
  if (byPath.size === 0 || byPath.size < files.length) {
    throw new EngineError({
      kind: "bad-input",
      message: `Cannot read a model's files: there must be one or more, each with a path of its own, got ${files.length} with ${byPath.size} paths`,
      remedy: "Choose the files of one folder.",
    });
  }
  const paths = [...byPath.keys()];
  return {
    name: commonFolder(paths).slice(0, -1) || nameOfFiles(paths),
    key: await fingerprint(files),
    paths,
    async open(path) {
      const blob = byPath.get(path);
      return blob && { path, bytes: blob.size, read: (signal) => readBlob(blob, signal) };
    },
  };
}

async function* readBlob(blob: Blob, signal?: AbortSignal): AsyncGenerator<Piece, void> {
  for (let at = 0; at < blob.size; at += CHUNK_BYTES) {
    signal?.throwIfAborted();
    yield { at, bytes: new Uint8Array(await blob.slice(at, at + CHUNK_BYTES).arrayBuffer()) };
  }
}

/** What a model of one file is called. */
function nameOfFiles(paths: readonly string[]): string {
  return singleModel(paths.map(baseName))?.replace(/\.\w+$/, "") ?? "model";
}

/** Tells models apart without reading them: paths, lengths, and the ends of each file. */
async function fingerprint(files: readonly ModelFile[]): Promise<string> {
  const sum = sha256.create();
  for (const { path, blob } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    sum.update(new TextEncoder().encode(JSON.stringify([path, blob.size])));
    for (const end of [blob.slice(0, FINGERPRINT_BYTES), blob.slice(-FINGERPRINT_BYTES)]) {
      sum.update(new Uint8Array(await end.arrayBuffer()));
    }
  }
  return bytesToHex(sum.digest());
}
