import { readGpt2Vocabulary } from "../../data/tokenizer/gpt2_vocabulary.ts";
import { readSentencePiece } from "../../data/tokenizer/sentencepiece.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import type { FileSet } from "../checkpoint/byte_source.ts";
import { modelTypeOf } from "../checkpoint/config_json.ts";
import { readJson } from "../checkpoint/shards.ts";
import { readSmallFile, readTextFile } from "../checkpoint/small_file.ts";
import type { StoredModel } from "../checkpoint/stored_model.ts";
import type { JsonObject } from "../checkpoint/strict_json.ts";
import { checkTokenizer } from "../checkpoint/tokenizer_check.ts";
import { addTokens, listAddedTokens } from "./added_tokens.ts";

/** Names that the two files of a byte-level vocabulary go by. */
const BYTE_LEVEL_FILES = [
  ["vocab.json", "merges.txt"],
  ["encoder.json", "vocab.bpe"],
] as const;

/** How text is cut, by the class that `tokenizer_config.json` names, or else the model's family. */
const CUTS: ReadonlyMap<unknown, string> = new Map([
  ["GPT2Tokenizer", "gpt-2"],
  ["gpt2", "gpt-2"],
  ["Qwen2Tokenizer", "qwen2"],
  ["qwen2", "qwen2"],
  ["qwen3", "qwen2"],
]);

/** A tokenizer, or why there is none. */
export type FolderTokenizer = Pick<StoredModel, "tokenizer" | "tokenizerProblem">;

/**
 * Reads the tokenizer of a folder without `tokenizer.json`: SentencePiece's `tokenizer.model`, or
 * a byte-level vocabulary, `vocab.json` with `merges.txt` or `encoder.json` with `vocab.bpe`.
 * `added_tokens.json` and the `added_tokens_decoder` of `tokenizer_config.json` are added.
 *
 * @param stored The model that the folder holds.
 * @returns Nothing if there is none, the reason if it is of a kind that is not supported.
 * @throws {SyntaxError} If a file is too long or malformed, or the tokens contradict each other.
 * @throws {RangeError} If a token is beyond the model's vocabulary, naming it.
 */
export async function readFolderTokenizer(
  files: FileSet,
  stored: StoredModel,
): Promise<FolderTokenizer> {
  const { tokenizer, ...problem } = await readVocabulary(files, stored);
  if (tokenizer === undefined) return problem;
  const { config, tokenizerConfig = {} } = stored;
  const listed = await files.open("added_tokens.json");
  const added = listAddedTokens(listed && (await readJson(listed)), tokenizerConfig);
  return { tokenizer: addTokens(tokenizer, added, config) };
}

async function readVocabulary(files: FileSet, stored: StoredModel): Promise<FolderTokenizer> {
  const pieces = await files.open("tokenizer.model");
  if (pieces !== undefined) {
    const vocabulary = readSentencePiece(await readSmallFile(pieces), pieces.name);
    return checked(tokenizerJsonOfVocabulary(vocabulary), stored, pieces.name);
  }
  for (const [vocabName, mergesName] of BYTE_LEVEL_FILES) {
    const vocab = await files.open(vocabName);
    const merges = await files.open(mergesName);
    if (vocab === undefined || merges === undefined) continue;
    const pre = cutOf(stored);
    if (pre === undefined) {
      const rule = "text must be cut as by GPT2Tokenizer or Qwen2Tokenizer";
      const got = "a tokenizer_config.json that names neither";
      const remedy = "use the tokenizer.json of the model";
      return { tokenizerProblem: `Cannot read "${vocab.name}": ${rule}, got ${got} (${remedy})` };
    }
    const options = { pre, vocabFile: vocabName, mergesFile: mergesName };
    const vocabulary = readGpt2Vocabulary(
      await readJson(vocab),
      await readTextFile(merges),
      options,
    );
    return checked(tokenizerJsonOfVocabulary(vocabulary), stored, vocab.name);
  }
  return {};
}

function checked(tokenizer: JsonObject, { config }: StoredModel, file: string): FolderTokenizer {
  checkTokenizer(tokenizer, config, file);
  return { tokenizer };
}

function cutOf({ config, tokenizerConfig }: StoredModel): string | undefined {
  const name = tokenizerConfig?.["tokenizer_class"];
  const known = typeof name === "string" ? CUTS.get(name.replace(/Fast$/, "")) : undefined;
  return known ?? CUTS.get(modelTypeOf(config));
}
