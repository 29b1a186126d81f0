import { mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Career } from "../../data/career.ts";
import { careersToJsonl } from "../../data/career_json.ts";
import { trainResumeTokenizer } from "../../data/encode_resume.ts";
import { splitCareers } from "../../data/split.ts";
import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import { type PopulationName, syntheticPopulation } from "../../data/synthetic/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { writeAtomically } from "../platform/files.ts";
import { packageVersion } from "../platform/version.ts";
import { readCareersFile } from "./careers_file.ts";
import { hashFile } from "./hash.ts";
import {
  PREPARE_FILE,
  PREPARE_FORMAT,
  type Split,
  splitFile,
  SPLITS,
  TOKENIZER_FILE,
} from "./prepared.ts";
import { countSplit, type SplitCounts } from "./split_counts.ts";
import { cutCareer, resumeOptions, type Wording } from "../../data/wording.ts";
import { wordingToJson } from "../../model/checkpoint/wording_json.ts";

/** What `tenure prepare` is asked to do. */
export interface PrepareRequest {
  /** A file of careers, or a population to draw from. */
  readonly source: string | { readonly population: PopulationName; readonly numPeople: number };
  readonly folder: string;
  /** Seed of the split, of numeric titles and of synthetic people. */
  readonly seed: number;
  /** Tokens wanted; by default by the number of person-years. */
  readonly vocabSize?: number;
  readonly wording: Wording;
  /** Replaces an earlier preparation. @default {false} */
  readonly overwrite?: boolean;
}

/** What `tenure prepare` did. */
export interface PrepareSummary {
  readonly folder: string;
  readonly vocabSize: number;
  readonly counts: Readonly<Record<Split, SplitCounts>>;
}

/** Person-years from which a tokenizer of this size has enough to merge; ascending. */
const VOCAB_SIZES = [
  { numObservations: 0, vocabSize: 512 },
  { numObservations: 2000, vocabSize: 1024 },
  { numObservations: 20_000, vocabSize: 2048 },
] as const;

/** Fewest people with whom each part has one, by its shares of 0.7, 0.1 and 0.2. */
const MIN_PEOPLE = 10;

/**
 * Splits careers by person, trains a tokenizer on the training people, and writes both.
 *
 * Each file appears whole or not at all, and `prepare.json`, with the SHA-256 of the others, last.
 *
 * @throws {CliError} With exit code 3 if the careers are not fit, exit code 2 if the folder is
 *   in use.
 */
export async function prepare(request: PrepareRequest): Promise<PrepareSummary> {
  const { folder, seed, wording, overwrite = false } = request;
  await checkFolder(folder, overwrite);
  const { careers, origin } = await load(request);
  await makeFolder(folder);
  const parts = await failingAs(EXIT.data, () => {
    if (careers.length < MIN_PEOPLE) {
      throw new RangeError(
        `Cannot split careers: there must be at least ${MIN_PEOPLE} people, got ${careers.length}`,
      );
    }
    return splitCareers(
      careers.map((career) => cutCareer(career, wording)),
      { seed },
    );
  });
  return writePrepared(folder, { ...request, parts, origin });
}

/** What {@linkcode writePrepared} writes. */
export interface PreparedParts extends Pick<PrepareRequest, "seed" | "wording" | "vocabSize"> {
  readonly parts: Readonly<Record<Split, readonly Career[]>>;
  /** Where the careers come from, as `prepare.json` tells it. */
  readonly origin: object;
}

/**
 * Trains a tokenizer on the training people, and writes it and all people into a folder that exists.
 *
 * @throws {CliError} With exit code 3 if the careers are not fit.
 */
export function writePrepared(folder: string, request: PreparedParts): Promise<PrepareSummary> {
  const { seed, wording, parts, origin } = request;
  return failingAs(EXIT.data, async () => {
    const { vocabSize = vocabSizeFor(parts.train) } = request;
    const tokenizerJson = trainResumeTokenizer(parts.train, {
      ...resumeOptions(wording),
      vocabSize,
    });
    const tokenizer = Tokenizer.fromJson(tokenizerJson);
    const counts = Object.fromEntries(
      SPLITS.map((split) => [split, countSplit(parts[split], tokenizer, wording)]),
    ) as Record<Split, SplitCounts>;
    const files: Record<string, string> = {};
    const write = async (name: string, content: Parameters<typeof writeAtomically>[1]) => {
      await writeAtomically(join(folder, name), content);
      files[name] = await hashFile(join(folder, name));
    };
    for (const split of SPLITS) await write(splitFile(split), careersToJsonl(parts[split]));
    await write(TOKENIZER_FILE, `${JSON.stringify(tokenizerJson)}\n`);
    const info = {
      format: PREPARE_FORMAT,
      tenure: packageVersion(),
      source: origin,
      seed,
      vocabSize: tokenizer.vocabSize,
      wording: wordingToJson(wording),
      counts,
      files,
    };
    await writeAtomically(join(folder, PREPARE_FILE), `${JSON.stringify(info, null, 2)}\n`);
    return { folder, vocabSize: tokenizer.vocabSize, counts };
  });
}

/** The careers, and where they come from, as `prepare.json` tells it. */
async function load({
  source,
  seed,
}: PrepareRequest): Promise<{ careers: Career[]; origin: object }> {
  if (typeof source === "string") {
    const careers = await readCareersFile(source);
    return { careers, origin: { file: basename(source), sha256: await hashFile(source) } };
  }
  const { population, numPeople } = source;
  const careers = syntheticPopulation(population).generate(numPeople, { seed });
  return { careers, origin: { population, numPeople } };
}

async function checkFolder(folder: string, overwrite: boolean): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  if (names.length === 0 || overwrite) return;
  throw new CliError(
    EXIT.usage,
    `Cannot prepare "${folder}": the folder must be new or empty, got ${names.length} files in it; replace an earlier preparation with --overwrite`,
  );
}

/** Makes the folder; while its files change, it is not prepared. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await rm(join(folder, PREPARE_FILE), { force: true });
  } catch (cause) {
    throw new CliError(
      EXIT.failure,
      `Cannot write into "${folder}": it must be a folder to write to, got ${(cause as Error).message}`,
      { cause },
    );
  }
}

function vocabSizeFor(careers: readonly Career[]): number {
  const total = careers.reduce((sum, { observations }) => sum + observations.length, 0);
  return VOCAB_SIZES.findLast(({ numObservations }) => total >= numObservations)!.vocabSize;
}
