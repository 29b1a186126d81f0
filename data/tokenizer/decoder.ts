import {
  byteFallback,
  byteLevel,
  collect,
  type DecodeStep,
  mapPieces,
  mapPiecesButLast,
  strip,
  stripWhole,
} from "./decode_steps.ts";
import { jsonRecord, numberOr, tokenizerError } from "./tokenizer_check.ts";

/** Turns tokens into text, token by token. */
export type MakeDecoder = () => DecodeStep[];

/** Pieces so far are one text, for the steps that follow. */
interface Build {
  readonly isAdded: (token: string) => boolean;
  isFused: boolean;
}

/** English contractions and punctuation that take no space before them. */
const CLEAN_UP = / (?=[.?!,]|n't|'m|'s|'ve|'re)/g;

/**
 * Reads the `decoder` of a `tokenizer.json`. Its steps hold back no more than they must: bytes of
 * an unfinished character, a suffix that the last token loses.
 *
 * Bytes that are no UTF-8 become U+FFFD, one for each longest beginning of a character.
 *
 * @param isAdded Whether a token is an added one: those are text, not bytes.
 * @returns Makes the steps anew for each text.
 * @throws {SyntaxError} If the decoder is of an unknown kind.
 */
export function readDecoder(json: unknown, isAdded: (token: string) => boolean): MakeDecoder {
  const makers = readSteps(json, { isAdded, isFused: false });
  return () => makers.map((make) => make());
}

function readSteps(json: unknown, build: Build): (() => DecodeStep)[] {
  if (json === null || json === undefined) return [() => mapPieces(spaceBetween)];
  const decoder = jsonRecord(json, "decoder");
  if (decoder["type"] === "Sequence") {
    const { decoders } = decoder;
    if (!Array.isArray(decoders)) throw tokenizerError("decoders must be a list", decoders);
    return decoders.flatMap((entry: unknown) => readSteps(entry, build));
  }
  if (decoder["type"] === "Strip" && build.isFused) {
    const options = stripOptions(decoder);
    return [() => stripWhole(options)];
  }
  if (decoder["type"] === "Fuse") {
    build.isFused = true;
    return [];
  }
  const step = readStep(decoder, build);
  const steps = build.isFused ? [collect, step] : [step];
  build.isFused = decoder["type"] === "ByteLevel";
  return steps;
}

/** Steps that take each token for itself. */
function readStep(decoder: Readonly<Record<string, unknown>>, build: Build): () => DecodeStep {
  switch (decoder["type"]) {
    case "ByteLevel":
      return () => byteLevel(build.isAdded);
    case "ByteFallback":
      return byteFallback;
    case "Metaspace":
      return metaspace(decoder);
    case "Replace":
      return replace(decoder);
    case "Strip": {
      const options = stripOptions(decoder);
      return () => mapPieces((piece) => strip(piece, options));
    }
    case "WordPiece":
      return wordPiece(decoder);
    case "BPEDecoder": {
      const suffix = textOr(decoder["suffix"], "</w>");
      return () => mapPiecesButLast((piece, isLast) => piece.replaceAll(suffix, isLast ? "" : " "));
    }
    default:
      throw tokenizerError("its decoder must be of a known type", decoder["type"]);
  }
}

function metaspace(decoder: Readonly<Record<string, unknown>>): () => DecodeStep {
  const mark = textOr(decoder["replacement"], "▁");
  const hasPrefix = decoder["prepend_scheme"] !== "never" && decoder["add_prefix_space"] !== false;
  return () =>
    mapPieces((piece, isFirst) => {
      const text = piece.replaceAll(mark, " ");
      return isFirst && hasPrefix && text.startsWith(" ") ? text.slice(1) : text;
    });
}

function replace(decoder: Readonly<Record<string, unknown>>): () => DecodeStep {
  const pattern = jsonRecord(decoder["pattern"], "decoder.pattern");
  const content = textOr(decoder["content"], "");
  const { String: plain, Regex: regex } = pattern;
  if (typeof plain === "string") {
    return () => mapPieces((piece) => piece.replaceAll(plain, () => content));
  }
  if (typeof regex !== "string") throw tokenizerError("a pattern must be text", regex);
  const compiled = compile(regex);
  return () => mapPieces((piece) => piece.replaceAll(compiled, () => content));
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "gu");
  } catch {
    throw tokenizerError("a pattern must be a regular expression", pattern);
  }
}

function wordPiece(decoder: Readonly<Record<string, unknown>>): () => DecodeStep {
  const prefix = textOr(decoder["prefix"], "##");
  const cleanUp = decoder["cleanup"] !== false;
  return () =>
    mapPieces((piece, isFirst) => {
      const goesOn = prefix !== "" && piece.startsWith(prefix);
      const spaced = isFirst ? piece : goesOn ? piece.slice(prefix.length) : ` ${piece}`;
      return cleanUp ? spaced.replaceAll(" ' ", "'").replaceAll(CLEAN_UP, "") : spaced;
    });
}

function spaceBetween(piece: string, isFirst: boolean): string {
  return isFirst ? piece : ` ${piece}`;
}

function stripOptions(decoder: Readonly<Record<string, unknown>>) {
  const content = textOr(decoder["content"], " ");
  if (content.length !== 1) throw tokenizerError("Strip must take off one character", content);
  return { content, start: numberOr(decoder["start"], 0), stop: numberOr(decoder["stop"], 0) };
}

function textOr(value: unknown, orElse: string): string {
  if (value === undefined || value === null) return orElse;
  if (typeof value !== "string") throw tokenizerError("a field of the decoder must be text", value);
  return value;
}
