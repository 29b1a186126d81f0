import { type ByteSource, bytesSource, type FileSet } from "../../model/checkpoint/byte_source.ts";
import {
  type ExportedFile,
  exportHuggingFace,
  type ModelExport,
} from "../../model/checkpoint/export_hugging_face.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { EncodedWeight, StoredModel } from "../../model/checkpoint/stored_model.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { uniform } from "../support.ts";
import { countingWeights } from "./arbitrary_model.ts";

/** Content of files by name. */
export type Files = Map<string, Uint8Array<ArrayBuffer>>;

/** A part of a file that was read. */
export interface Read {
  readonly name: string;
  readonly bytes: number;
}

/** Files in memory as a folder that notes what is read of them; a read gives a copy, as a disk does. */
export function folderOf(files: Files): FileSet & { readonly reads: Read[] } {
  const reads: Read[] = [];
  return {
    name: "folder",
    reads,
    open(name) {
      const bytes = files.get(name);
      return Promise.resolve(bytes && sourceOf(bytes, name, reads));
    },
  };
}

/** Bytes as a file that notes what is read of it. */
export function sourceOf(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  reads: Read[] = [],
): ByteSource {
  const source = bytesSource(bytes, name);
  return {
    ...source,
    async read(begin, end) {
      reads.push({ name, bytes: end - begin });
      return (await source.read(begin, end)).slice();
    },
  };
}

/** Drains files, one after the other; each must have the size that it says. */
export async function drain(exported: Iterable<ExportedFile>): Promise<Files> {
  const files: Files = new Map();
  for (const { name, size, chunks } of exported) {
    const bytes = new Uint8Array(size);
    let offset = 0;
    for await (const chunk of chunks) {
      bytes.set(chunk, offset); // throws where there is more than the size
      offset += chunk.length;
    }
    if (offset !== size) throw new RangeError(`${name} has ${offset} bytes, not ${size}`);
    files.set(name, bytes);
  }
  return files;
}

/** Random values that fit 16 bits of either kind, so that they come back from any. */
export function randomWeights(
  config: ModelConfig,
  seed = 1,
): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(
    Array.from(countingWeights(config), ([label, { length }], i) => [
      label,
      uniform(length, seed + i).map((x) => Math.round(x * 128) / 64),
    ]),
  );
}

/** Writes a model and gives its files. */
export function filesOf(
  config: ModelConfig,
  options: Partial<ModelExport> = {},
  weights: ReadonlyMap<string, Float32Array<ArrayBuffer>> = randomWeights(config),
): Promise<Files> {
  const read = (label: string) => Promise.resolve(weights.get(label)!);
  return drain(exportHuggingFace({ config, weights: read, dtype: "F32", ...options }));
}

/** Reads every weight, in order. */
export async function readAll({ weights }: StoredModel): Promise<[string, EncodedWeight][]> {
  const read: [string, EncodedWeight][] = [];
  for (const [label, weight] of weights) read.push([label, await weight.read()]);
  return read;
}

/** A JSON file. */
export function jsonBytes(json: JsonObject): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Content of a JSON file. */
export function jsonOf(files: Files, name: string): JsonObject {
  return JSON.parse(new TextDecoder().decode(files.get(name))) as JsonObject;
}
