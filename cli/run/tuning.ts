import { stat } from "node:fs/promises";
import {
  isSameAdapter,
  isSameDevice,
  type TuningDeviceIdentity,
} from "../../engine/tuning/device_identity.ts";
import { loadTuning, type TuningStore } from "../../engine/tuning/store.ts";
import { isChoice, TunedChoices } from "../../engine/tuning/stored_choices.ts";
import type { Choice } from "../../engine/tuning/tunable.ts";
import type { Gpu } from "../../engine/gpu.ts";
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from "../../model/checkpoint/strict_json.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { FileTuningStore, FolderTuningStore } from "../platform/tuning_store.ts";

/** Where choices are kept: this machine's cache, or one file. */
export function storeOf(tuning: string): TuningStore {
  return tuning === "auto" ? new FolderTuningStore() : new FileTuningStore(tuning);
}

/**
 * The choices that a device follows.
 *
 * @param identity Which device.
 * @param tuning `"auto"` for what was measured on this machine, `"off"` for none, or a file.
 * @returns Undefined for none, so that all defaults hold.
 * @throws {CliError} With exit code 2 if a file is named that is not there.
 */
export async function tunedChoices(
  identity: TuningDeviceIdentity,
  tuning: string,
): Promise<TunedChoices | undefined> {
  if (tuning === "off") return undefined;
  if (tuning !== "auto" && (await stat(tuning).catch(() => undefined))?.isFile() !== true) {
    throw new CliError(
      EXIT.usage,
      `Cannot take choices from "${tuning}": there must be such a file, got none; make it with: tenure tune --tuning ${tuning}`,
    );
  }
  const loaded = await loadTuning(storeOf(tuning), identity, warn);
  if (!isSameDevice(loaded.device, identity)) {
    warn(`The choices in "${tuning}" are not followed: ${differenceOf(loaded.device, identity)}`);
    return undefined;
  }
  return Object.keys(loaded.choices).length === 0 ? undefined : new TunedChoices(loaded);
}

function warn(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** How a device is another, in words. */
function differenceOf(before: TuningDeviceIdentity, now: TuningDeviceIdentity): string {
  const names = ["vendor", "architecture", "device", "driver", "variant"] as const;
  const name = names.find((each) => before[each] !== now[each]);
  if (name !== undefined) return `its ${name} was "${before[name]}", and is "${now[name]}"`;
  const toggles = (list: readonly string[]) => list.join(", ") || "none";
  return toggles(before.toggles) === toggles(now.toggles)
    ? "its features or limits were others"
    : `Dawn's switches were ${toggles(before.toggles)}, and are ${toggles(now.toggles)}`;
}

/** The choices of a run, and where they were made: they decide its bits. */
export interface TuningRecord {
  readonly device: TuningDeviceIdentity;
  readonly choices: Readonly<Record<string, Choice>>;
}

/** As JSON, for `run.json` and checkpoints. */
export function tuningRecordToJson({ device, choices }: TuningRecord): JsonObject {
  return { device, choices } as unknown as JsonObject;
}

/**
 * Reads back the choices of a run; of earlier versions, which had none to record, undefined.
 *
 * @throws {SyntaxError} If they are damaged.
 */
export function tuningRecordOf(
  json: JsonValue | undefined,
  file: string,
): TuningRecord | undefined {
  if (json === undefined) return undefined;
  const { device, choices } = isJsonObject(json) ? json : {};
  const isWhole =
    isJsonObject(device) && isJsonObject(choices) && Object.values(choices).every(isChoice);
  if (isWhole) return { device, choices } as unknown as TuningRecord;
  throw new SyntaxError(
    `Cannot read "${file}": its tuning must be a device and its choices, got something else`,
  );
}

/**
 * The choices that a run goes on with: those that it began with, even if others were measured
 * since. On another adapter these mean nothing, and its own hold from now on.
 *
 * @param record What the run says; undefined for one that begins.
 * @param identity The device at hand.
 * @param tell Told if the bits will not be those of a run that was never interrupted.
 * @returns Undefined if the device's own choices are to be followed.
 */
export function choicesToGoOnWith(
  record: TuningRecord | undefined,
  identity: TuningDeviceIdentity,
  tell: (line: string) => void,
): ReadonlyMap<string, Choice> | undefined {
  if (record === undefined) return undefined;
  const { device, choices } = record;
  if (isSameDevice(device, identity)) return new Map(Object.entries(choices));
  const difference = differenceOf(device, identity);
  if (isSameAdapter(device, identity)) {
    tell(
      `The run goes on with its choices of kernels, but perhaps not in every bit: ${difference}`,
    );
    return new Map(Object.entries(choices));
  }
  tell(`The run began on another adapter, and goes on with other bits: ${difference}`);
  return undefined;
}

/**
 * The choices that were followed so far; no others will be from now on, so that they are all of
 * those that decide the bits of what is recorded.
 */
export function followedChoices(gpu: Gpu): Readonly<Record<string, Choice>> {
  const followed = gpu.choices instanceof TunedChoices ? gpu.choices.followed : gpu.choices;
  gpu.choices = new Map(followed);
  return Object.fromEntries(followed);
}
