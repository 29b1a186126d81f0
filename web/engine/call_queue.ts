import { abortedError } from "./explain.ts";

/** Does calls one after the other, in the order they came. */
export class CallQueue {
  /** Settles when the last call is done. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Set<(error: unknown) => void>();
  #destroyed: unknown;

  /**
   * Does a call once those before it are done. An abort ends the wait, and what the caller sees of
   * a call under way, at once; the next call waits for the work itself all the same.
   *
   * @throws {EngineError} Of kind `"aborted"`; else what the work throws.
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = await this.turn(signal);
    try {
      this.#check(signal); // what ended the call may have come with its turn
    } catch (error) {
      turn();
      throw error;
    }
    return this.#endable(Promise.resolve().then(work).finally(turn), signal);
  }

  /**
   * Waits for its turn.
   *
   * @returns Ends the turn; to be called in any case.
   * @throws {EngineError} Of kind `"aborted"`.
   */
  async turn(signal?: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    this.#last = before.then(() => ended);
    try {
      await this.#endable(before, signal);
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Rejects all calls under way, and those to come. */
  destroy(error: unknown): void {
    this.#destroyed = error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#destroyed !== undefined) throw this.#destroyed;
    if (signal?.aborted === true) throw abortedError(signal.reason);
  }

  /** A promise that an abort, or the end of the queue, rejects before its time. */
  async #endable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#check(signal);
    return new Promise<T>((resolve, reject) => {
      const abort = () => fail(abortedError(signal?.reason));
      const settle = () => {
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(fail);
      };
      const fail = (error: unknown) => {
        settle();
        reject(error);
      };
      signal?.addEventListener("abort", abort);
      this.#waiting.add(fail);
      work.then((value) => {
        settle();
        resolve(value);
      }, fail);
    });
  }
}
