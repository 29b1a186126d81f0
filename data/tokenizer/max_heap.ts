/** A binary heap of (priority, key): the highest priority first, of equals the lowest key. */
export class MaxHeap {
  readonly #priorities: number[] = [];
  readonly #keys: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  push(priority: number, key: number): void {
    const [priorities, keys] = [this.#priorities, this.#keys];
    let at = keys.length;
    priorities.push(priority);
    keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Removes and returns the first entry, or `undefined` if the heap is empty. */
  pop(): { priority: number; key: number } | undefined {
    const [priorities, keys] = [this.#priorities, this.#keys];
    const last = keys.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    const [priority, key] = [priorities.pop()!, keys.pop()!];
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= last) break;
      const right = left + 1;
      const child = right < last && this.#before(right, left) ? right : left;
      if (!this.#before(child, at)) break;
      this.#swap(child, at);
      at = child;
    }
    return { priority, key };
  }

  #before(a: number, b: number): boolean {
    const difference = this.#priorities[a]! - this.#priorities[b]!;
    return difference > 0 || (difference === 0 && this.#keys[a]! < this.#keys[b]!);
  }

  #swap(a: number, b: number): void {
    const [priorities, keys] = [this.#priorities, this.#keys];
    [priorities[a], priorities[b]] = [priorities[b]!, priorities[a]!];
    [keys[a], keys[b]] = [keys[b]!, keys[a]!];
  }
}
