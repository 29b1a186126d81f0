import { readLlama2cVocabulary } from "../../data/tokenizer/llama2c.ts";
import { readSentencePiece } from "../../data/tokenizer/sentencepiece.ts";
import type { GgufVocabulary } from "../../data/tokenizer/vocabulary_data.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import type { ByteSource, FileSet } from "../checkpoint/byte_source.ts";
import { storedGgufModel } from "../checkpoint/gguf/stored_model.ts";
import { storedLlama2cModel } from "../checkpoint/llama2c.ts";
import { storedHuggingFaceModel } from "../checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../checkpoint/stored_model.ts";
import type { JsonObject } from "../checkpoint/strict_json.ts";

const tokenizerOf = (vocabulary: GgufVocabulary): JsonObject =>
  tokenizerJsonOfVocabulary(vocabulary);

/** First bytes of a GGUF file. */
const GGUF_MAGIC = "GGUF";

/**
 * Opens a model in Hugging Face's layout; a SentencePiece `tokenizer.model` serves where there is
 * no `tokenizer.json`.
 *
 * @throws {SyntaxError} If a file is missing, malformed or of a kind that is not supported.
 * @throws {RangeError} If sizes do not fit together.
 */
export async function openFolder(files: FileSet): Promise<StoredModel> {
  const stored = await storedHuggingFaceModel(files);
  if (stored.tokenizer !== undefined) return stored;
  const pieces = await files.open("tokenizer.model");
  if (pieces === undefined) return stored;
  const vocabulary = readSentencePiece(await pieces.read(0, pieces.size), pieces.name);
  return { ...stored, tokenizer: tokenizerOf(vocabulary) };
}

/**
 * Opens a model that is one file: GGUF, or llama2.c's format.
 *
 * @param source The file; its first bytes tell which.
 * @param tokenizer llama2.c's `tokenizer.bin`, of which GGUF has no need.
 * @throws {SyntaxError} If the file is malformed or of a kind that is not supported.
 */
export async function openFile(source: ByteSource, tokenizer?: ByteSource): Promise<StoredModel> {
  const head = await source.read(0, Math.min(source.size, GGUF_MAGIC.length));
  if (new TextDecoder().decode(head) === GGUF_MAGIC)
    return storedGgufModel(source, { tokenizerOf });
  if (!source.name.endsWith(".bin")) {
    throw new SyntaxError(
      `Cannot read "${source.name}": a model of one file must be GGUF or llama2.c's .bin, got neither; for Hugging Face's layout, give the folder`,
    );
  }
  const stored = await storedLlama2cModel(source);
  if (tokenizer === undefined) return stored;
  const bytes = await tokenizer.read(0, tokenizer.size);
  const { vocabSize } = stored.config;
  const vocabulary = readLlama2cVocabulary(bytes, { file: tokenizer.name, vocabSize });
  return { ...stored, tokenizer: tokenizerOf(vocabulary) };
}
