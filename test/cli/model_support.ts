import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ModelRequest } from "../../cli/run/load_model.ts";
import type { ModelExport } from "../../model/checkpoint/export_hugging_face.ts";
import { smallFiles } from "../pretrained/small_model.ts";
import { silentProgress } from "./run_support.ts";

/** The script of the command line. */
export const COMMAND = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));

/** The real small Llama, where its files are. */
export const STORIES = fileURLToPath(
  new URL("../../../shared/fixtures/stories260K/stories260K.bin", import.meta.url),
);

/** Writes the small random model into a folder, in Hugging Face's layout. */
export async function writeSmallModel(
  folder: string,
  options: Partial<ModelExport> = {},
): Promise<string> {
  mkdirSync(folder);
  for (const [name, bytes] of await smallFiles(options)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** A request for a model, as f32, without a word. */
export function modelAt(path: string): ModelRequest {
  return { path, dtype: "f32", kernels: "auto", progress: silentProgress() };
}

/** Runs a command line to its end; what comes before our own lines on stderr is Dawn's. */
export function tenure(
  args: readonly string[],
  input = "",
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8", input });
}
