/** What an import left out, by reason. */
export interface ReportEntry {
  /** What was left out: people, person-years, or a value of a person or a year. */
  readonly what: "person" | "year" | "value";
  /** Why: `"no occupation, status or enrollment told"`. */
  readonly reason: string;
  readonly count: number;
  /** Some of the places: `"CPS80_occ_codes.csv:17, 1982"`. */
  readonly examples: readonly string[];
}

/** Examples that are kept of each reason. */
const NUM_EXAMPLES = 3;

/** Most reasons; further ones are counted together, so that no file can fill the memory. */
const MAX_REASONS = 1000;

/** Counts what an import leaves out, with some places of each reason. */
export class ImportReport {
  readonly #entries = new Map<string, { count: number; examples: string[] } & Subject>();

  /** Counts something that was left out. */
  add(what: ReportEntry["what"], reason: string, place: string): void {
    const key = `${what}\0${reason}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size >= MAX_REASONS && reason !== "other reasons") {
        return this.add(what, "other reasons", place);
      }
      entry = { what, reason, count: 0, examples: [] };
      this.#entries.set(key, entry);
    }
    entry.count += 1;
    if (entry.examples.length < NUM_EXAMPLES) entry.examples.push(place);
  }

  /** All reasons, people first, the most frequent first. */
  entries(): ReportEntry[] {
    const order = ["person", "year", "value"];
    return [...this.#entries.values()].toSorted(
      (a, b) => order.indexOf(a.what) - order.indexOf(b.what) || b.count - a.count,
    );
  }
}

interface Subject {
  readonly what: ReportEntry["what"];
  readonly reason: string;
}
