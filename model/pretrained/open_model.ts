import { readLlama2cVocabulary } from "../../data/tokenizer/llama2c.ts";
import type { GgufVocabulary } from "../../data/tokenizer/vocabulary_data.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import type { ByteSource, FileSet } from "../checkpoint/byte_source.ts";
import { storedGgufModel } from "../checkpoint/gguf/stored_model.ts";
import { storedLlama2cModel } from "../checkpoint/llama2c.ts";
import { readJson } from "../checkpoint/shards.ts";
import { readSmallFile } from "../checkpoint/small_file.ts";
import { storedHuggingFaceModel } from "../checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../checkpoint/stored_model.ts";
import type { JsonObject } from "../checkpoint/strict_json.ts";
import { checkTokenizer } from "../checkpoint/tokenizer_check.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { readFolderTokenizer } from "./folder_tokenizer.ts";

const tokenizerOf = (vocabulary: GgufVocabulary): JsonObject =>
  tokenizerJsonOfVocabulary(vocabulary);

/** First bytes of a GGUF file. */
const GGUF_MAGIC = "GGUF";

/**
 * Opens a model in Hugging Face's layout. Where there is no `tokenizer.json`, a SentencePiece
 * `tokenizer.model` serves, or `vocab.json` with `merges.txt`, or `encoder.json` with `vocab.bpe`.
 *
 * @throws {SyntaxError} If a file is missing, malformed or of a kind that is not supported.
 * @throws {RangeError} If sizes do not fit together.
 */
export async function openFolder(files: FileSet): Promise<StoredModel> {
  const stored = await storedHuggingFaceModel(files);
  if (stored.tokenizer !== undefined) return stored;
  return { ...stored, ...(await readFolderTokenizer(files, stored)) };
}

/**
 * Opens a model that is one file: GGUF, or llama2.c's format.
 *
 * @param source The file; its first bytes tell which.
 * @param tokenizer A `tokenizer.json`, or llama2.c's `tokenizer.bin`, to take in place of the
 * model's own.
 * @throws {SyntaxError} If a file is malformed or of a kind that is not supported.
 * @throws {RangeError} If a token is beyond the model's vocabulary.
 */
export async function openFile(source: ByteSource, tokenizer?: ByteSource): Promise<StoredModel> {
  const stored = await openModelFile(source);
  return tokenizer === undefined ? stored : withTokenizer(stored, tokenizer);
}

/**
 * A model with another tokenizer than its own.
 *
 * @param source A `tokenizer.json`, or llama2.c's `tokenizer.bin`.
 * @throws {SyntaxError} If the file is malformed.
 * @throws {RangeError} If a token is beyond the model's vocabulary.
 */
export async function withTokenizer(stored: StoredModel, source: ByteSource): Promise<StoredModel> {
  return { ...stored, tokenizer: await readTokenizer(source, stored.config) };
}

async function openModelFile(source: ByteSource): Promise<StoredModel> {
  const head = await source.read(0, Math.min(source.size, GGUF_MAGIC.length));
  if (new TextDecoder().decode(head) === GGUF_MAGIC)
    return storedGgufModel(source, { tokenizerOf });
  if (source.name.endsWith(".bin")) return storedLlama2cModel(source);
  throw new SyntaxError(
    `Cannot read "${source.name}": a model of one file must be GGUF or llama2.c's .bin, got neither; for Hugging Face's layout, give the folder`,
  );
}

async function readTokenizer(source: ByteSource, config: ModelConfig): Promise<JsonObject> {
  if (!/\.json$/i.test(source.name)) {
    const options = { file: source.name, vocabSize: config.vocabSize };
    return tokenizerOf(readLlama2cVocabulary(await readSmallFile(source), options));
  }
  const json = await readJson(source);
  checkTokenizer(json, config, source.name);
  return json;
}
