import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Career } from "../../data/career.ts";
import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { PopulationName } from "../../data/synthetic/population.ts";
import { POPULATION_NAMES } from "../../data/synthetic/population.ts";
import { Fields } from "../../model/checkpoint/fields.ts";
import {
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from "../../model/checkpoint/strict_json.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { readCareersFile } from "./careers_file.ts";
import { hashFile } from "./hash.ts";
import type { Wording } from "../../data/wording.ts";
import { wordingFromJson } from "../../model/checkpoint/wording_json.ts";

/** Parts of a prepared folder: to learn from, to choose by, to judge by. */
export const SPLITS = ["train", "valid", "test"] as const;

/** One of {@linkcode SPLITS}. */
export type Split = (typeof SPLITS)[number];

/** Name of the file that says how a folder was prepared; written last, so that it vouches for the rest. */
export const PREPARE_FILE = "prepare.json";

/** Name of the tokenizer's file. */
export const TOKENIZER_FILE = "tokenizer.json";

/** Marks {@linkcode PREPARE_FILE} as ours. */
export const PREPARE_FORMAT = "tenure-prepared";

/** A folder of prepared careers. */
export interface Prepared {
  readonly folder: string;
  readonly wording: Wording;
  /** SHA-256 of each file, as it was prepared. */
  readonly files: Readonly<Record<string, string>>;
  readonly tokenizer: Tokenizer;
  /** Content of `tokenizer.json`. */
  readonly tokenizerJson: JsonObject;
  /** The population whose true probabilities are known, if the people are synthetic. */
  readonly population?: PopulationName;
}

/**
 * Opens a folder that `tenure prepare` wrote.
 *
 * @throws {CliError} With exit code 3 if it is none, or a file has changed since.
 */
export async function openPrepared(folder: string): Promise<Prepared> {
  return failingAs(EXIT.data, async () => {
    const path = join(folder, PREPARE_FILE);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new CliError(
        EXIT.data,
        `Cannot read "${folder}": it must be a folder that tenure prepare wrote, got no ${PREPARE_FILE} in it`,
        { cause },
      );
    });
    const fields = new Fields(parseJsonObject(bytes, path), path);
    fields.choice("format", [PREPARE_FORMAT]);
    const files = fields.raw("files");
    if (!isJsonObject(files)) return fields.refuse("files", "must list the SHA-256 of each file");
    const sums = Object.fromEntries(
      Object.entries(files).map(([name, sum]) => [name, typeof sum === "string" ? sum : ""]),
    );
    await verify({ folder, files: sums }, TOKENIZER_FILE);
    const tokenizerPath = join(folder, TOKENIZER_FILE);
    const tokenizerJson = parseJsonObject(await readFile(tokenizerPath), tokenizerPath);
    const source = fields.object("source");
    const isSynthetic = source.raw("population") !== undefined;
    return {
      folder,
      wording: wordingFromJson(fields.object("wording")),
      files: sums,
      tokenizer: Tokenizer.fromJson(tokenizerJson),
      tokenizerJson,
      ...(isSynthetic && { population: source.choice("population", POPULATION_NAMES) }),
    };
  });
}

/**
 * Reads the careers of one part.
 *
 * @throws {CliError} With exit code 3 if the file is missing, malformed or not as it was prepared.
 */
export async function readSplit(prepared: Prepared, split: Split): Promise<Career[]> {
  await verify(prepared, splitFile(split));
  return readCareersFile(join(prepared.folder, splitFile(split)));
}

/** Name of a part's file. */
export function splitFile(split: Split): string {
  return `${split}.jsonl`;
}

async function verify({ folder, files }: Pick<Prepared, "folder" | "files">, name: string) {
  const path = join(folder, name);
  const sum = await hashFile(path);
  if (sum === files[name]) return;
  throw new CliError(
    EXIT.data,
    `Cannot read "${path}": its SHA-256 must be the one in ${PREPARE_FILE}, got another; prepare the folder again`,
  );
}
