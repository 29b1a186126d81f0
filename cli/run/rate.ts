import { formatDuration } from "./progress.ts";

/** How fast work of a known length goes, and how long it will take. */
export class Rate {
  readonly #total: number;
  readonly #what: string;
  readonly #now: () => number;
  readonly #begin: number;
  #done = 0;

  constructor(total: number, what: string, now = () => performance.now()) {
    this.#total = total;
    this.#what = what;
    this.#now = now;
    this.#begin = now();
  }

  get done(): number {
    return this.#done;
  }

  add(count: number): void {
    this.#done += count;
  }

  /** `"64/1000 prefixes · 12.5/s · 1 min 15 s left"` */
  text(): string {
    const perMs = this.#done / Math.max(1e-9, this.#now() - this.#begin);
    const left = perMs > 0 ? ` · ${formatDuration((this.#total - this.#done) / perMs)} left` : "";
    const rate = `${(1000 * perMs).toPrecision(3)}/s`;
    return `${this.#done}/${this.#total} ${this.#what} · ${rate}${left}`;
  }
}
