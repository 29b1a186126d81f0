import type { DecodeStep } from "./decode_steps.ts";
import type { DecodeOptions, Tokenizer } from "./tokenizer.ts";

/** How to decode tokens as they come. */
export interface TextStreamOptions extends DecodeOptions {
  /** Tokens before those of the stream; their text is not returned. */
  readonly after?: Iterable<number>;
}

/**
 * Text of tokens as they come. What it returns is final: no half of a character, no space that a
 * later token takes back. All that {@linkcode TextStream.push} and {@linkcode TextStream.end}
 * return, joined, is what `tokenizer.decode()` makes of all tokens at once; with `after`, what
 * they add to the text of those.
 *
 * Time is linear in the number of tokens.
 *
 * @example
 * ```ts ignore
 * const stream = new TextStream(tokenizer, { after: prompt });
 * for (const id of generated) write(stream.push(id));
 * write(stream.end());
 * ```
 */
export class TextStream {
  readonly #tokenOf: (id: number) => string | undefined;
  readonly #steps: readonly DecodeStep[];
  #ended = false;

  /**
   * @throws {RangeError} If an id of `after` is not in the vocabulary.
   */
  constructor(tokenizer: Tokenizer, options: TextStreamOptions = {}) {
    const { after = [], ...decodeOptions } = options;
    const { tokenOf, steps } = tokenizer.decoding(decodeOptions);
    this.#tokenOf = tokenOf;
    this.#steps = steps;
    for (const id of after) this.push(id);
  }

  /**
   * Takes a token.
   *
   * @returns The text that is final since the last call.
   * @throws {RangeError} If the id is not in the vocabulary.
   * @throws {TypeError} If the stream has ended.
   */
  push(id: number): string {
    if (this.#ended) {
      throw new TypeError("Cannot push a token: the stream must be open, got one that has ended");
    }
    const token = this.#tokenOf(id);
    return token === undefined ? "" : this.#run([token], 0);
  }

  /** Ends the stream. @returns The rest of the text; nothing if it has ended before. */
  end(): string {
    if (this.#ended) return "";
    this.#ended = true;
    let text = "";
    for (const [i, step] of this.#steps.entries()) text += this.#run(step.end(), i + 1);
    return text;
  }

  #run(pieces: readonly string[], from: number): string {
    let current = pieces;
    for (let i = from; i < this.#steps.length && current.length > 0; i++) {
      const next: string[] = [];
      for (const piece of current)
        for (const result of this.#steps[i]!.push(piece)) next.push(result);
      current = next;
    }
    return current.join("");
  }
}
