import type { DecodeStep } from "./decode_steps.ts";

/**
 * Text of tokens as they come. What it returns is final: no half of a character, no space that a
 * later token takes back. All that {@linkcode push} and {@linkcode end} return, joined, is the
 * text of all tokens at once.
 *
 * Time is linear in the number of tokens.
 *
 * @example
 * ```ts ignore
 * const stream = tokenizer.textStream({ after: prompt });
 * for (const id of generated) write(stream.push(id));
 * write(stream.end());
 * ```
 */
export class TextStream {
  readonly #tokenOf: (id: number) => string | undefined;
  readonly #steps: readonly DecodeStep[];
  #ended = false;

  /**
   * @param tokenOf Text of a token; `undefined` for one to leave out.
   * @param steps Of the decoder, made for this text.
   */
  constructor(tokenOf: (id: number) => string | undefined, steps: readonly DecodeStep[]) {
    this.#tokenOf = tokenOf;
    this.#steps = steps;
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
    for (const step of this.#steps.slice(from)) {
      const next: string[] = [];
      for (const piece of current) for (const result of step.push(piece)) next.push(result);
      current = next;
    }
    return current.join("");
  }
}
