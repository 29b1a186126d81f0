import { BYTE_OF_CHARACTER } from "./byte_level.ts";

/** One step of a decoder: takes text piece by piece and passes on what is final. */
export interface DecodeStep {
  /** Takes a piece; returns those that no later one can change. */
  push(piece: string): readonly string[];
  /** Returns what was held back. */
  end(): readonly string[];
}

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

/** Changes each piece for itself. */
export function mapPieces(change: (piece: string, isFirst: boolean) => string): DecodeStep {
  let isFirst = true;
  return {
    push: (piece) => {
      const result = change(piece, isFirst);
      isFirst = false;
      return [result];
    },
    end: () => [],
  };
}

/** Changes each piece for itself, the last one in another way: it is known only at the end. */
export function mapPiecesButLast(change: (piece: string, isLast: boolean) => string): DecodeStep {
  let held: string | undefined;
  return {
    push: (piece) => {
      const result = held === undefined ? [] : [change(held, false)];
      held = piece;
      return result;
    },
    end: () => (held === undefined ? [] : [change(held, true)]),
  };
}

/**
 * Characters of the byte alphabet back to bytes, and those to text.
 *
 * A token with any other character is text as it stands, and so is an added token.
 */
export function byteLevel(isAdded: (token: string) => boolean): DecodeStep {
  const utf8 = utf8Stream();
  return {
    push: (piece) => {
      const bytes = isAdded(piece) ? undefined : alphabetBytes(piece);
      return bytes === undefined ? [utf8.end() + piece] : [utf8.push(bytes)];
    },
    end: () => [utf8.end()],
  };
}

/** Tokens `<0x0A>` to bytes, and runs of those to text. */
export function byteFallback(): DecodeStep {
  const utf8 = utf8Stream();
  return {
    push: (piece) => {
      const hex = BYTE_TOKEN.exec(piece)?.[1];
      return hex === undefined
        ? [utf8.end(), piece]
        : [utf8.push(Uint8Array.of(Number.parseInt(hex, 16)))];
    },
    end: () => [utf8.end()],
  };
}

/** What to take off a text: a character, at most so often at its start and at its end. */
export interface StripOptions {
  readonly content: string;
  readonly start: number;
  readonly stop: number;
}

/** Takes characters off the ends of one text. */
export function strip(text: string, { content, start, stop }: StripOptions): string {
  let from = 0;
  while (from < start && text[from] === content) from++;
  let to = text.length;
  while (text.length - to < stop && to > from && text[to - 1] === content) to--;
  return text.slice(from, to);
}

/** {@linkcode strip} of all pieces together. */
export function stripWhole({ content, start, stop }: StripOptions): DecodeStep {
  let left = start;
  let held = "";
  return {
    push: (piece) => {
      let text = piece;
      while (left > 0 && text !== "") {
        if (!text.startsWith(content)) left = 0;
        else {
          text = text.slice(1);
          left--;
        }
      }
      held += text;
      const kept = strip(held, { content, start: 0, stop });
      const final = held.slice(0, kept.length);
      held = held.slice(kept.length);
      return [final];
    },
    end: () => [],
  };
}

/** Holds everything back, for steps that need the text as a whole. */
export function collect(): DecodeStep {
  const pieces: string[] = [];
  return {
    push: (piece) => {
      pieces.push(piece);
      return [];
    },
    end: () => [pieces.join("")],
  };
}

/** The bytes of a token, or `undefined` if it has a character that stands for none. */
function alphabetBytes(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHARACTER.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** Bytes to text; an unfinished character waits for its end. */
function utf8Stream(): { push(bytes: Uint8Array): string; end(): string } {
  let decoder: TextDecoder | undefined;
  return {
    push: (bytes) => {
      decoder ??= new TextDecoder("utf-8", { ignoreBOM: true });
      return decoder.decode(bytes, { stream: true });
    },
    end: () => {
      const rest = decoder?.decode() ?? "";
      // A byte order mark is text only where it is not the first thing that a decoder sees.
      decoder = undefined;
      return rest;
    },
  };
}
