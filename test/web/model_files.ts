import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { encodeEntries } from "../../model/checkpoint/manifest.ts";
import type { ModelFile } from "../../web/engine/api.ts";
import { EngineError } from "../../web/engine/errors.ts";

/** Bytes that a seed tells apart. */
export function bytesOf(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** SHA-256, lower-case hex, by another implementation than the store's. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Text or JSON as bytes. */
export function textBytes(value: unknown): Uint8Array<ArrayBuffer> {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return new TextEncoder().encode(text);
}

/**
 * The files of a model in Hugging Face's layout. The store does not look into weights; those here
 * are any bytes.
 */
export function modelFiles({ bytes = 3_000_000, seed = 1 } = {}): Record<
  string,
  Uint8Array<ArrayBuffer>
> {
  return {
    "config.json": textBytes({ model_type: "llama" }),
    "tokenizer.json": textBytes({ model: {} }),
    "model.safetensors": bytesOf(bytes, seed),
  };
}

/** The `MANIFEST.json` of some files. */
export function manifestOf(files: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(files).map(
    ([name, bytes]) => [name, { bytes: bytes.length, sha256: sha256Of(bytes) }] as const,
  );
  return encodeEntries(new Map(entries));
}

/** The listing of some files as `tenure web` serves it. */
export function listingOf(
  files: Readonly<Record<string, Uint8Array>>,
  name = "listed",
): Uint8Array<ArrayBuffer> {
  const listed = Object.entries(files).map(([path, bytes]) => ({
    path,
    bytes: bytes.length,
    sha256: sha256Of(bytes),
  }));
  return textBytes({ name, files: listed });
}

/** Files as a person chooses them. */
export function chosen(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): ModelFile[] {
  return Object.entries(files).map(([path, bytes]) => ({ path, blob: new Blob([bytes]) }));
}

/** A settled promise's error, which must be one of ours. */
export async function failure(promise: Promise<unknown>): Promise<EngineError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof EngineError, `must be an EngineError, got ${String(error)}`);
    assert.notEqual(error.remedy, "");
    return error;
  }
  assert.fail("must be refused");
}
