import type { Clock } from "../profile/time_plan.ts";
import type { TuningDeviceIdentity } from "./device_identity.ts";
import { sourceHash } from "./source_hash.ts";
import type { MeasuredCandidate, TuningResult } from "./tune.ts";
import {
  type Choice,
  type Choices,
  keyOf,
  type TuningDevice,
  type TuningQuestion,
} from "./tunable.ts";

const FORMAT = "tenure-tuning";
const VERSION = 1;

/** What is kept of a {@linkcode TuningResult}. */
export interface StoredChoice {
  readonly choice: Choice;
  /** The problem that was measured, as JSON. */
  readonly problem: unknown;
  /** Hash of the sources that were measured. */
  readonly source: string;
  readonly ms: number;
  readonly defaultMs: number | null;
  readonly clock: Clock;
  readonly candidates: readonly MeasuredCandidate[];
  /** When it was measured, as `2026-11-23T08:00:00.000Z`. */
  readonly date: string;
}

/** What was measured on a device. */
export interface StoredTuning {
  readonly device: TuningDeviceIdentity;
  /** By {@linkcode keyOf}. */
  readonly choices: Readonly<Record<string, StoredChoice>>;
}

/** What is kept of a result. */
export function storedChoice(result: TuningResult, date: Date): StoredChoice {
  const { choice, question, source, ms, defaultMs = null, clock, candidates } = result;
  const { problem } = question;
  return {
    choice,
    problem,
    source,
    ms,
    defaultMs,
    clock,
    candidates,
    date: date.toISOString(),
  };
}

/** What was measured as text, for a {@linkcode TuningStore}. */
export function tuningToText({ device, choices }: StoredTuning): string {
  const sorted = Object.entries(choices).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const json = { format: FORMAT, version: VERSION, device, choices: Object.fromEntries(sorted) };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/**
 * Reads back what was measured.
 *
 * @param text As {@linkcode tuningToText} wrote it.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If it is anything else, or of another version.
 */
export function parseTuning(text: string, file: string): StoredTuning {
  const fail = (what: string): never => {
    throw new SyntaxError(
      `Cannot read "${file}": ${what}; delete it, and tune again with: tenure tune`,
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail(`it must be JSON, got ${(error as Error).message}`);
  }
  if (!isObject(json) || json["format"] !== FORMAT) return fail(`it must be a ${FORMAT} file`);
  const { version, device, choices } = json;
  if (version !== VERSION) return fail(`its version must be ${VERSION}, got ${String(version)}`);
  if (!isObject(device) || typeof device["vendor"] !== "string")
    return fail("it must name a device");
  if (!isObject(choices)) return fail("its choices must be an object");
  for (const [key, stored] of Object.entries(choices)) {
    if (!isStored(stored)) return fail(`the choice of "${key}" must be whole`);
  }
  return { device, choices } as unknown as StoredTuning;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStored(stored: unknown): boolean {
  if (!isObject(stored)) return false;
  const { source, ms, defaultMs, date, clock, candidates } = stored;
  return (
    isChoice(stored["choice"]) &&
    typeof source === "string" &&
    typeof date === "string" &&
    (clock === "wall" || clock === "timestamps") &&
    typeof ms === "number" &&
    (defaultMs === null || typeof defaultMs === "number") &&
    Array.isArray(candidates)
  );
}

/** Whether a value of JSON may be a choice. */
export function isChoice(value: unknown): value is Choice {
  const kinds = ["number", "string", "boolean"];
  return isObject(value) && Object.values(value).every((each) => kinds.includes(typeof each));
}

/** Both together; of a key that both have, the later measurement. */
export function mergeTuning(one: StoredTuning, other: StoredTuning): StoredTuning {
  const choices = { ...one.choices };
  for (const [key, stored] of Object.entries(other.choices)) {
    const before = choices[key];
    if (before === undefined || before.date <= stored.date) choices[key] = stored;
  }
  return { device: other.device, choices };
}

/**
 * Choices that were measured earlier. One whose kernels have changed since is not followed: the
 * default holds until it is measured again. The check takes place when a key is first asked for.
 */
export class TunedChoices extends Map<string, Choice> implements Choices {
  /** The choices that were followed so far. */
  readonly followed: Map<string, Choice> = new Map();
  /** Keys that were asked for and whose kernels have changed. */
  readonly stale: Set<string> = new Set();
  readonly #stored: Readonly<Record<string, StoredChoice>>;

  constructor({ choices }: Pick<StoredTuning, "choices">) {
    super(Object.entries(choices).map(([key, { choice }]) => [key, choice]));
    this.#stored = choices;
  }

  consult(device: TuningDevice, { tunable, problem }: TuningQuestion): Choice | undefined {
    const key = keyOf(tunable as never, problem as never);
    const choice = this.get(key);
    if (choice === undefined || this.stale.has(key)) return undefined;
    if (this.followed.has(key)) return choice;
    if (!this.#isFresh(device, tunable, key)) {
      this.stale.add(key);
      return undefined;
    }
    this.followed.set(key, choice);
    return choice;
  }

  #isFresh(device: TuningDevice, tunable: TuningQuestion["tunable"], key: string): boolean {
    const { problem, source } = this.#stored[key]!;
    try {
      return sourceHash(device, { tunable, problem }) === source;
    } catch {
      return false; // problems of this kind look different now
    }
  }
}
