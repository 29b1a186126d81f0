import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Predictions } from "../../model/evaluation/predictions.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { exists } from "../platform/file_source.ts";
import { writeAtomically } from "../platform/files.ts";
import type { FitReport } from "./family.ts";
import { predictionsOfParquet, predictionsToParquet } from "./predictions_file.ts";
import type { Extras } from "./results.ts";

/** What `fit.json` says of a finished fit. */
export interface FitRecord {
  readonly model: string;
  readonly family: string;
  readonly population: string;
  readonly settings: unknown;
  readonly seed: number;
  readonly numPeople: number;
  readonly numObservations: number;
  readonly report: FitReport;
  readonly seconds: number;
  readonly adapter: string;
  readonly commit: string;
  readonly date: string;
}

/** What stands beside finished predictions. */
export interface AskRecord {
  readonly model: string;
  readonly population: string;
  readonly variation: unknown;
  readonly numPeople: number;
  readonly seconds: number;
}

/**
 * What a study has finished, each piece under a name that all that decides it makes. A piece is
 * there whole or not at all: its record is written last.
 */
export class StudyCache {
  readonly #folder: string;

  /** @param folder Where the pieces lie; made when the first is kept. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Folder of a fit, finished or not; it exists. */
  async fitFolder(key: string): Promise<string> {
    const folder = join(this.#folder, "fits", key);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  /** What is known of a finished fit. */
  fit(key: string): Promise<FitRecord | undefined> {
    return this.#readRecord(join("fits", key, "fit.json"));
  }

  async keepFit(key: string, record: FitRecord): Promise<void> {
    await this.fitFolder(key);
    await this.#writeRecord(join("fits", key, "fit.json"), record);
  }

  /** What is known of finished predictions. */
  ask(key: string): Promise<AskRecord | undefined> {
    return this.#readRecord(join("answers", `${key}.json`));
  }

  async keepAnswer(key: string, predictions: Predictions, record: AskRecord): Promise<void> {
    await mkdir(join(this.#folder, "answers"), { recursive: true });
    const file = join(this.#folder, "answers", `${key}.parquet`);
    await writeAtomically(file, predictionsToParquet(predictions));
    await this.#writeRecord(join("answers", `${key}.json`), record);
  }

  /** Finished predictions. */
  async predictions(key: string): Promise<Predictions> {
    const file = join(this.#folder, "answers", `${key}.parquet`);
    return predictionsOfParquet(await readFile(file), file);
  }

  /** A finished measure that took more than scores. */
  extra(key: string): Promise<{ readonly extras: Extras; readonly seconds: number } | undefined> {
    return this.#readRecord(join("extras", `${key}.json`));
  }

  async keepExtra(
    key: string,
    record: { readonly extras: Extras; readonly seconds: number },
  ): Promise<void> {
    await mkdir(join(this.#folder, "extras"), { recursive: true });
    await this.#writeRecord(join("extras", `${key}.json`), record);
  }

  async #readRecord<T>(name: string): Promise<T | undefined> {
    const path = join(this.#folder, name);
    if (!(await exists(path))) return undefined;
    try {
      return JSON.parse(await readFile(path, "utf8"), revived) as T;
    } catch (cause) {
      throw new CliError(
        EXIT.data,
        `Cannot read "${path}": it must be as the study wrote it, got ${(cause as Error).message}; delete it to do the step again`,
        { cause },
      );
    }
  }

  #writeRecord(name: string, record: object): Promise<void> {
    const text = JSON.stringify(record, (_, value: unknown) => spelled(value), 2);
    return writeAtomically(join(this.#folder, name), `${text}\n`);
  }
}

/** Numbers that JSON cannot write, as it would write null: log 0 of a gap, a loss that diverged. */
const SPELLED = new Map<string, number>([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

function spelled(value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  return { number: String(value) };
}

function revived(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 1) return value;
  const { number } = value as { readonly number?: unknown };
  return typeof number === "string" ? (SPELLED.get(number) ?? value) : value;
}
