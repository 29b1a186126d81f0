/** Finds the strings that end a text while it comes in pieces, and lets none of them through. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /** @throws {RangeError} If a string is empty: it would end every text at once. */
  constructor(stops: readonly string[]) {
    if (stops.includes("")) {
      throw new RangeError(
        "Cannot stop at a string: it must have at least one character, got none",
      );
    }
    this.#stops = stops;
  }

  /**
   * Takes the next piece.
   *
   * @returns Text that no stop string can begin in, and whether one has ended the text.
   */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    const all = this.#held + piece;
    const found = this.#stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#held = "";
      return { text: all.slice(0, Math.min(...found)), stopped: true };
    }
    let keep = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, all.length); length > keep; length--) {
        if (all.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    this.#held = all.slice(all.length - keep);
    return { text: all.slice(0, all.length - keep), stopped: false };
  }

  /** The rest, once no more pieces come. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}
