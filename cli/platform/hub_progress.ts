/** Span of time that the rate is taken over. */
const WINDOW_MS = 10_000;

/** How far a download has come. */
export interface DownloadState {
  /** Bytes that are there. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Bytes a second that have come over the network lately; 0 if none. */
  readonly rate: number;
  /** At that rate; nothing if it is 0. */
  readonly leftMs?: number;
}

/** Counts bytes as they come, and tells rate and time left. */
export class DownloadMeter {
  readonly #totalBytes: number;
  readonly #now: () => number;
  #bytes = 0;
  #received = 0;
  /** Bytes received so far, at times within the window. */
  #samples: { at: number; received: number }[];

  constructor(totalBytes: number, now = () => performance.now()) {
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#samples = [{ at: now(), received: 0 }];
  }

  /**
   * @param bytes How many more are there; below 0, how many are gone.
   * @param isNew Whether they have come over the network just now.
   */
  add(bytes: number, isNew: boolean): void {
    this.#bytes += bytes;
    if (!isNew || bytes <= 0) return;
    this.#received += bytes;
    const at = this.#now();
    const last = this.#samples.at(-1)!;
    // Some hundred samples will do, however small the pieces.
    if (at - last.at < WINDOW_MS / 100) return;
    this.#samples.push({ at, received: this.#received });
    const first = this.#samples.findIndex((sample) => sample.at >= at - WINDOW_MS);
    this.#samples = this.#samples.slice(Math.max(0, first - 1));
  }

  state(): DownloadState {
    const [oldest] = this.#samples;
    const seconds = (this.#now() - oldest!.at) / 1000;
    const rate = seconds > 0 ? (this.#received - oldest!.received) / seconds : 0;
    const left = this.#totalBytes - this.#bytes;
    const state = { bytes: this.#bytes, totalBytes: this.#totalBytes, rate };
    return rate > 0 ? { ...state, leftMs: (left / rate) * 1000 } : state;
  }
}
