import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Fields } from "../../model/checkpoint/fields.ts";
import { type JsonObject, parseJsonObject } from "../../model/checkpoint/strict_json.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { writeAtomically } from "../platform/files.ts";
import { packageVersion } from "../platform/version.ts";
import { type TuningRecord, tuningRecordOf, tuningRecordToJson } from "./tuning.ts";

/** Name of the file that says what a run is. */
export const RUN_FILE = "run.json";

const RUN_FORMAT = "tenure-run";

/** What `run.json` says. */
export interface RunInfo {
  readonly settings: JsonObject;
  /** Steps of the whole run. */
  readonly maxSteps: number;
  /** The prepared folder it learns from. */
  readonly dataFolder: string;
  /** How kernels are run; absent from runs of earlier versions. */
  readonly tuning?: TuningRecord | undefined;
}

/**
 * Reads what a run is.
 *
 * @returns Undefined if the folder holds no run.
 * @throws {CliError} With exit code 5 if the file is damaged.
 */
export async function readRunInfo(folder: string): Promise<RunInfo | undefined> {
  const path = join(folder, RUN_FILE);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  return failingAs(EXIT.checkpoint, () => {
    const json = parseJsonObject(bytes, path);
    const fields = new Fields(json, path);
    fields.choice("format", [RUN_FORMAT]);
    const settings = json["settings"] as JsonObject;
    const data = fields.raw("data");
    if (typeof data !== "string") return fields.refuse("data", "must be the path of a folder");
    return {
      settings,
      maxSteps: fields.size("maxSteps"),
      dataFolder: resolve(folder, data),
      tuning: tuningRecordOf(json["tuning"], path),
    };
  });
}

/** Writes what a run is. */
export async function writeRunInfo(
  folder: string,
  { settings, maxSteps, dataFolder, tuning }: RunInfo,
): Promise<void> {
  const info = {
    format: RUN_FORMAT,
    tenure: packageVersion(),
    data: relative(resolve(folder), resolve(dataFolder)),
    maxSteps,
    settings,
    ...(tuning !== undefined && { tuning: tuningRecordToJson(tuning) }),
  };
  await writeAtomically(join(folder, RUN_FILE), `${JSON.stringify(info, null, 2)}\n`);
}

/**
 * Makes the folder of a run.
 *
 * @throws {CliError} With exit code 1 if the system does not allow it.
 */
export async function makeRunFolder(folder: string): Promise<void> {
  await failingAs(EXIT.failure, async () => {
    try {
      await mkdir(folder, { recursive: true });
    } catch (cause) {
      throw new CliError(
        EXIT.failure,
        `Cannot make the folder "${folder}": the system must allow it, got ${(cause as Error).message}`,
        { cause },
      );
    }
  });
}

/** What a run leaves in its folder besides checkpoints, and checkpoints that were set aside. */
const OWN_FILES = /^(run\.json|log\.jsonl|eval(-[\w.-]+)?\.json|set-aside-checkpoint-[\d-]+)$/;

/** Removes a run's files from its folder, and leaves others alone. */
export async function clearRun(folder: string, checkpoints: readonly string[]): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => OWN_FILES.test(each))) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
  for (const path of checkpoints) await rm(path, { recursive: true, force: true });
}

/** Whether a path is a folder with such a file in it. */
export async function holds(folder: string, file: string): Promise<boolean> {
  return (await stat(join(folder, file)).catch(() => undefined))?.isFile() === true;
}
