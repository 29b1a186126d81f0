import { type ProtobufField, protobufFields } from "./protobuf.ts";
import { checkVocabulary, vocabularyError } from "./vocabulary_check.ts";
import type { GgufVocabulary, TokenType } from "./vocabulary_data.ts";

/** Kinds of models in `trainer_spec.model_type`. */
const MODEL_TYPES = ["unigram", "bpe", "word", "char"];

/** Normalizations that tokenizers here can follow. */
const KNOWN_NORMALIZERS = ["", "identity", "nmt_nfkc"];

/** Characters that take the most text to write in one call without overflowing the stack. */
const CHUNK = 2 ** 13;

interface TrainerSpec {
  modelType: number;
  treatSpaceAsSuffix: boolean;
  unknownId: number;
  beginId: number;
  endId: number;
  padId: number;
}

interface NormalizerSpec {
  name: string;
  charsMap: Uint8Array;
  addSpacePrefix: boolean;
  removeExtraSpaces: boolean;
  escapeSpaces: boolean;
}

interface Piece {
  piece: string;
  score: number;
  type: TokenType;
}

/**
 * Reads a SentencePiece `tokenizer.model`: BPE or unigram, its special tokens and how it treats
 * spaces.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If it is not the message it must be, or asks for a model or normalization
 * that is not supported: words, characters, charsmaps other than `nmt_nfkc`.
 * @see {@link https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto | Format}
 */
export function readSentencePiece(bytes: Uint8Array, file = "tokenizer.model"): GgufVocabulary {
  const pieces: Piece[] = [];
  const trainer: TrainerSpec = {
    modelType: 1,
    treatSpaceAsSuffix: false,
    unknownId: 0,
    beginId: 1,
    endId: 2,
    padId: -1,
  };
  const normalizer: NormalizerSpec = {
    name: "",
    charsMap: new Uint8Array(0),
    addSpacePrefix: true,
    removeExtraSpaces: true,
    escapeSpaces: true,
  };
  for (const field of protobufFields(bytes, file)) {
    if (field.number === 1) pieces.push(readPiece(bytesOf(field, file), file));
    else if (field.number === 2) readTrainer(bytesOf(field, file), file, trainer);
    else if (field.number === 3) readNormalizer(bytesOf(field, file), file, normalizer);
    else if (field.number === 5) checkDenormalizer(bytesOf(field, file), file);
  }
  checkSupported(trainer, normalizer, file);
  const vocabulary = vocabularyOf(pieces, { trainer, normalizer, file });
  checkVocabulary(vocabulary, file);
  return vocabulary;
}

function vocabularyOf(
  pieces: readonly Piece[],
  specs: { trainer: TrainerSpec; normalizer: NormalizerSpec; file: string },
): GgufVocabulary {
  const { trainer, normalizer, file } = specs;
  const id = (key: string, value: number, type: TokenType): Record<string, number> => {
    if (value < 0) return {};
    const piece = pieces[value];
    if (piece === undefined) {
      const rule = `${key} must be below the number of pieces, ${pieces.length}`;
      throw vocabularyError(file, rule, String(value));
    }
    // An id that trainer_spec still names though the piece became another one has no role.
    return piece.type === type ? { [key]: value } : {};
  };
  return {
    model: trainer.modelType === 2 ? "llama" : "t5",
    tokens: pieces.map(({ piece }) => piece),
    scores: Float32Array.from(pieces, ({ score }) => score),
    tokenTypes: pieces.map(({ type }) => type),
    ...id("bosId", trainer.beginId, 3),
    ...id("eosId", trainer.endId, 3),
    ...id("unkId", trainer.unknownId, 2),
    ...id("padId", trainer.padId, 3),
    addSpacePrefix: normalizer.addSpacePrefix,
    removeExtraSpaces: normalizer.removeExtraSpaces,
    ...(normalizer.charsMap.length === 0 ? {} : { charsMap: base64(normalizer.charsMap) }),
  };
}

function readPiece(message: Uint8Array, file: string): Piece {
  const result: Piece = { piece: "", score: 0, type: 1 };
  for (const field of protobufFields(message, file)) {
    if (field.number === 1) result.piece = textOf(field, file);
    else if (field.number === 2) result.score = floatOf(field, file);
    else if (field.number === 3) result.type = typeOf(varintOf(field, file), file);
  }
  return result;
}

function readTrainer(message: Uint8Array, file: string, spec: TrainerSpec): void {
  for (const field of protobufFields(message, file)) {
    if (field.number === 3) spec.modelType = varintOf(field, file);
    else if (field.number === 24) spec.treatSpaceAsSuffix = varintOf(field, file) !== 0;
    else if (field.number === 40) spec.unknownId = varintOf(field, file);
    else if (field.number === 41) spec.beginId = varintOf(field, file);
    else if (field.number === 42) spec.endId = varintOf(field, file);
    else if (field.number === 43) spec.padId = varintOf(field, file);
  }
}

function readNormalizer(message: Uint8Array, file: string, spec: NormalizerSpec): void {
  for (const field of protobufFields(message, file)) {
    if (field.number === 1) spec.name = textOf(field, file);
    else if (field.number === 2) spec.charsMap = bytesOf(field, file);
    else if (field.number === 3) spec.addSpacePrefix = varintOf(field, file) !== 0;
    else if (field.number === 4) spec.removeExtraSpaces = varintOf(field, file) !== 0;
    else if (field.number === 5) spec.escapeSpaces = varintOf(field, file) !== 0;
  }
}

function checkDenormalizer(message: Uint8Array, file: string): void {
  for (const field of protobufFields(message, file)) {
    if (field.number === 2 && bytesOf(field, file).length > 0) {
      throw vocabularyError(file, "denormalizer_spec must have no charsmap", "one");
    }
  }
}

function checkSupported(trainer: TrainerSpec, normalizer: NormalizerSpec, file: string): void {
  if (trainer.modelType !== 1 && trainer.modelType !== 2) {
    const name = MODEL_TYPES[trainer.modelType - 1] ?? `type ${trainer.modelType}`;
    throw vocabularyError(file, "the model must be unigram or bpe", name);
  }
  if (trainer.treatSpaceAsSuffix) {
    throw vocabularyError(file, "spaces must begin words", "treat_whitespace_as_suffix");
  }
  if (!normalizer.escapeSpaces) {
    throw vocabularyError(file, "spaces must be escaped", "escape_whitespaces off");
  }
  if (normalizer.charsMap.length > 0 && !KNOWN_NORMALIZERS.includes(normalizer.name)) {
    const rule = "text must be normalized by identity or nmt_nfkc";
    throw vocabularyError(file, rule, JSON.stringify(normalizer.name.slice(0, 50)));
  }
}

function typeOf(value: number, file: string): TokenType {
  if (value < 1 || value > 6) {
    throw vocabularyError(file, "a piece's type must be from 1 to 6", String(value));
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- just checked
  return value as TokenType;
}

function bytesOf(field: ProtobufField, file: string): Uint8Array {
  if (field.kind !== "bytes") throw wrongKind(field, "bytes", file);
  return field.bytes;
}

function varintOf(field: ProtobufField, file: string): number {
  if (field.kind !== "varint") throw wrongKind(field, "an integer", file);
  return field.value;
}

function floatOf(field: ProtobufField, file: string): number {
  if (field.kind !== "fixed32") throw wrongKind(field, "a 32-bit float", file);
  return field.view.getFloat32(0, true);
}

function textOf(field: ProtobufField, file: string): string {
  const bytes = bytesOf(field, file);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const error = vocabularyError(file, "text must be UTF-8", "other bytes");
    error.cause = cause;
    throw error;
  }
}

function wrongKind(field: ProtobufField, wanted: string, file: string): SyntaxError {
  return vocabularyError(file, `field ${field.number} must be ${wanted}`, field.kind);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}
