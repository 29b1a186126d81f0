/** Milliseconds that the rate is averaged over: long enough to be calm, short enough to be true. */
const WINDOW_MS = 5000;

/** No rate is told before this much time was seen, ms. */
const FIRST_MS = 400;

/** How fast work goes, and how long it will take. */
export interface Estimate {
  readonly perSecond: number;
  /** Seconds; absent where the end is not known. */
  readonly left?: number;
}

/** Follows what is done of some work over its last seconds. */
export class Pace {
  #samples: { readonly at: number; readonly done: number }[] = [];
  #what = "";

  /**
   * Takes note of what is done.
   *
   * @param what Another one begins anew, as phases have other units.
   * @param at Time, ms.
   * @returns Nothing until there is something to tell.
   */
  add(what: string, at: number, done: number, total?: number): Estimate | undefined {
    const last = this.#samples.at(-1);
    if (what !== this.#what || (last !== undefined && done < last.done)) {
      this.#samples = [];
      this.#what = what;
    }
    this.#samples.push({ at, done });
    // One sample from before the window stays, so that slow steps have a rate, too.
    while (this.#samples.length > 2 && this.#samples[1]!.at < at - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    const perSecond = ((done - first.done) / (at - first.at)) * 1000;
    if (at - first.at < FIRST_MS || !(perSecond > 0)) return undefined;
    return total === undefined
      ? { perSecond }
      : { perSecond, left: Math.max(0, total - done) / perSecond };
  }
}
