/** Milliseconds between lines where output is no terminal, and between redraws where it is. */
const LINE_INTERVAL_MS = 5000;
const DRAW_INTERVAL_MS = 100;

/** Erases the line that the cursor is on. */
const CLEAR_LINE = "\r\u001B[K";

/** The part of a stream that progress is written to. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Progress for a person to read: on a terminal one line that refreshes, elsewhere a line every
 * few seconds.
 */
export class Progress {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #lastShown = -Infinity;
  #isDrawn = false;

  constructor(stream: ProgressStream = process.stderr, now = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
  }

  /** Shows how far work has come, if it is time to; `text` is asked only then. */
  update(text: () => string): void {
    const now = this.#now();
    const interval = this.#stream.isTTY === true ? DRAW_INTERVAL_MS : LINE_INTERVAL_MS;
    if (now - this.#lastShown < interval) return;
    this.#lastShown = now;
    if (this.#stream.isTTY !== true) {
      this.#stream.write(`${text()}\n`);
      return;
    }
    const width = (this.#stream.columns ?? 80) - 1;
    this.#stream.write(`${CLEAR_LINE}${text().slice(0, width)}`);
    this.#isDrawn = true;
  }

  /** Writes a line that stays. */
  line(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Removes the refreshing line. */
  clear(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

/** A time span for people: `"45 s"`, `"3 min 05 s"`, `"2 h 10 min"`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
