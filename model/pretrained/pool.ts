/** Most sizes of which something is kept for the next call. */
const MOST_IDLE = 2;

/** Things of a size that are made once and used by one caller at a time; the latest are kept. */
export class Pool<T extends { destroy(): void }> {
  readonly #idle = new Map<string, T>();
  #isClosed = false;

  /** One of that size that nobody uses. */
  take(sizes: object, make: () => T): T {
    const key = JSON.stringify(sizes);
    const kept = this.#idle.get(key);
    this.#idle.delete(key);
    return kept ?? make();
  }

  /** Takes one back, to keep it or to free it. */
  give(sizes: object, thing: T): void {
    if (this.#isClosed) {
      thing.destroy();
      return;
    }
    const key = JSON.stringify(sizes);
    this.#idle.get(key)?.destroy();
    this.#idle.delete(key);
    this.#idle.set(key, thing);
    for (const [oldest, idle] of this.#idle) {
      if (this.#idle.size <= MOST_IDLE) break;
      idle.destroy();
      this.#idle.delete(oldest);
    }
  }

  /** Frees what is idle now, and what is in use as soon as it is given back. */
  destroy(): void {
    this.#isClosed = true;
    for (const thing of this.#idle.values()) thing.destroy();
    this.#idle.clear();
  }
}
