/** Something that was left out, how often, and where it first was. */
export interface PsidDrop {
  /** Why, in words that are the same for all of its kind. */
  readonly reason: string;
  /** Person-years, or years where whole years were left out. */
  readonly count: number;
  /** First place of its kind: `"IND2021ER.txt, line 7, 1985"`. */
  readonly first: string;
}

/** Most reasons that are told apart; further ones count as others of their kind. */
const MAX_REASONS = 200;

/** Counts what was left out of a survey, by reason. */
export class PsidReport {
  private readonly counts = new Map<string, { count: number; first: string }>();

  /** Counts one more. */
  drop(reason: string, place: string): void {
    const known = this.counts.get(reason);
    if (known !== undefined) {
      known.count++;
    } else if (this.counts.size < MAX_REASONS) {
      this.counts.set(reason, { count: 1, first: place });
    } else {
      const other = this.counts.get("other reasons") ?? { count: 0, first: place };
      this.counts.set("other reasons", { ...other, count: other.count + 1 });
    }
  }

  /** All of it, in the order of first occurrence. */
  get drops(): PsidDrop[] {
    return Array.from(this.counts, ([reason, rest]) => ({ reason, ...rest }));
  }
}
