import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportModel, type ExportRequest, type ExportSummary } from "../../cli/run/export.ts";
import type { ModelExport } from "../../model/checkpoint/export_hugging_face.ts";
import { startSafetensors } from "../../model/checkpoint/safetensors_writer.ts";
import { decodeSafetensors } from "../../model/checkpoint/safetensors.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { type Files, filesOf } from "../checkpoint/memory_files.ts";
import { uniform } from "../support.ts";
import { silentProgress } from "./run_support.ts";

export const WEIGHTS = "model.safetensors";

/** Exports without a word. */
export function exportQuietly(
  changes: Partial<ExportRequest> & Pick<ExportRequest, "model" | "folder">,
): Promise<ExportSummary> {
  return exportModel({
    format: "safetensors",
    merge: false,
    withTokenizer: true,
    overwrite: false,
    progress: silentProgress(),
    ...changes,
  });
}

/** Writes files into a new folder. */
export function writeFiles(folder: string, files: Files): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** Files of a folder. */
export function readFiles(folder: string): Files {
  return new Map(
    readdirSync(folder)
      .toSorted()
      .map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
}

/** A model whose weights are any bits at all, not-a-numbers and infinities among them. */
export async function arbitraryBits(
  config: ModelConfig,
  dtype: ModelExport["dtype"],
): Promise<Files> {
  const files = await filesOf(config, { dtype });
  const bytes = files.get(WEIGHTS)!;
  const { tensors, metadata } = decodeSafetensors(bytes, WEIGHTS);
  const { header } = startSafetensors(tensors, metadata);
  const noise = uniform(bytes.length - header.length, 5);
  for (const [i, value] of noise.entries()) bytes[header.length + i] = (value + 1) * 128;
  // Payloads of quiet and signaling not-a-numbers, for certain.
  const view = new DataView(bytes.buffer, bytes.byteOffset + header.length);
  if (dtype === "F32")
    [0x7fa0_0001, 0xffc1_2345].forEach((bits, i) => view.setUint32(4 * i, bits, true));
  else
    [dtype === "F16" ? 0x7d01 : 0x7f81, 0xffff].forEach((bits, i) =>
      view.setUint16(2 * i, bits, true),
    );
  return files;
}
