import type { EncodedResume } from "../../data/batch.ts";
import { checkResumeTokens, encodeResume, titleTokens } from "../../data/encode_resume.ts";
import type { PackedDataset } from "../../data/pack.ts";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Validation } from "../../model/train/trainer.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { trainingData, validationData } from "./batches.ts";
import { openPrepared, type Prepared, readSplit, splitFile, TOKENIZER_FILE } from "./prepared.ts";
import type { BatchSettings } from "./settings.ts";
import { resumeOptions } from "../../data/wording.ts";

/** People to learn from and to choose by, as tokens. */
export interface Corpus {
  readonly prepared: Prepared;
  /** Of the model, if it has one of its own, else the prepared one. */
  readonly tokenizer: Tokenizer;
  readonly train: readonly EncodedResume[];
  readonly valid: readonly EncodedResume[];
  /** Tokens of the longest resume, were its last title the longest of all. */
  readonly longest: number;
  /** SHA-256 of what a run learns from. */
  readonly sums: Readonly<Record<string, string>>;
}

/** The batches of a run. */
export interface Learning {
  readonly train: PackedDataset;
  readonly validation: (Validation & { readonly numBatches: number }) | undefined;
}

/**
 * Reads and encodes the training and validation people of a prepared folder.
 *
 * Memory: all of their tokens.
 *
 * @param folder The prepared folder.
 * @param own Tokenizer of the model, in place of the prepared one.
 * @throws {CliError} With exit code 3 if the folder is not as it was prepared; exit code 5 if the
 *   model's tokenizer cannot write resumes.
 */
export async function readCorpus(folder: string, own?: Tokenizer): Promise<Corpus> {
  const prepared = await openPrepared(folder);
  const { wording, files } = prepared;
  const tokenizer = own ?? prepared.tokenizer;
  const options = resumeOptions(wording);
  if (own !== undefined) {
    const [first] = await readSplit(prepared, "train");
    await failingAs(EXIT.checkpoint, () => {
      if (first !== undefined) checkResumeTokens(first, own, options);
    });
  }
  const encode = async (split: "train" | "valid"): Promise<EncodedResume[]> => {
    const careers = await readSplit(prepared, split);
    return failingAs(EXIT.data, () =>
      careers.map((career) => encodeResume(career, tokenizer, options)),
    );
  };
  const [train, valid] = [await encode("train"), await encode("valid")];
  const longestTitle = Math.max(...titleTokens(tokenizer, options).map(({ length }) => length));
  const longestResume = [...train, ...valid].reduce(
    (most, { tokens }) => Math.max(most, tokens.length),
    0,
  );
  const names = [splitFile("train"), splitFile("valid")];
  if (own === undefined) names.push(TOKENIZER_FILE);
  const sums = Object.fromEntries(names.map((name) => [name, files[name] ?? ""]));
  return { prepared, tokenizer, train, valid, longest: longestResume + longestTitle, sums };
}

/**
 * Packs people into batches.
 *
 * @throws {CliError} With exit code 3 if a row is too short for a year of a resume.
 */
export async function packCorpus(
  { tokenizer, train, valid }: Corpus,
  { batch, seed }: { readonly batch: BatchSettings; readonly seed: number },
): Promise<Learning> {
  const options = { ...batch, seed, padId: tokenizer.padId };
  return failingAs(EXIT.data, () => ({
    train: trainingData(train, options),
    validation: valid.length === 0 ? undefined : validationData(valid, options),
  }));
}

/** Context of a model that is to read every resume, rounded up. */
export function contextFor({ longest }: Corpus, { seqLen }: BatchSettings): number {
  if (longest > MAX_CONTEXT) {
    throw new CliError(
      EXIT.data,
      `Cannot train on these careers: a resume must have at most ${MAX_CONTEXT} tokens, got ${longest}; prepare with --last-rows or a larger --vocab-size`,
    );
  }
  return roundedContext(Math.max(seqLen, longest));
}

/**
 * Checks that a model with a context of its own can read the rows.
 *
 * @throws {CliError} With exit code 3 if a row may hold a resume that is longer.
 */
export function checkContext(
  { longest }: Corpus,
  { seqLen }: BatchSettings,
  context: number,
): void {
  if (Math.min(longest, seqLen) <= context) return;
  throw new CliError(
    EXIT.data,
    `Cannot train on these careers: a resume must have at most the ${context} tokens of the model, got ${longest} in rows of ${seqLen}; prepare with --last-rows, or cut resumes into windows with --seq-len ${context}`,
  );
}

/** The next context that a model may have. */
export function roundedContext(length: number): number {
  return Math.ceil(length / 64) * 64;
}

/**
 * What to know before training on rows that are shorter than some resumes.
 *
 * @returns A line with the remedy; undefined if each resume fits a row.
 */
export function shortRowsNote(corpus: Corpus, { seqLen }: BatchSettings): string | undefined {
  const numLonger = corpus.train.filter(({ tokens }) => tokens.length > seqLen).length;
  if (numLonger === 0) return undefined;
  return `Note: ${numLonger} of ${corpus.train.length} resumes are longer than a row of ${seqLen} tokens, and are cut into windows: training never sees the later positions at which evaluation reads them whole; train with --seq-len ${roundedContext(corpus.longest)}`;
}

/** Longest resume, in tokens; some three hundred years of a career. */
const MAX_CONTEXT = 4096;
