import { OCCUPATIONS, occupationIndex, STATUSES } from "../../../data/occupations.ts";
import { suggestOccupations } from "../../../data/personal/match_title.ts";
import type { Choice } from "./combobox.ts";

/** An occupation as a combobox shows it. */
export function choiceOf(code: string, note?: string): Choice {
  const { title } = OCCUPATIONS[occupationIndex(code)]!;
  return note === undefined ? { code, title } : { code, title, note };
}

/** Years outside work, which stand at the top of an empty field's list. */
const STATUS_CHOICES: readonly Choice[] = STATUSES.map((code) => choiceOf(code));

/** What fits a text; for an empty one the statuses, and what was chosen lately. */
export function suggestChoices(text: string, recent: readonly string[] = []): readonly Choice[] {
  if (text.trim() === "") {
    const others = recent.filter((code) => !STATUS_CHOICES.some((status) => status.code === code));
    return [...STATUS_CHOICES, ...[...new Set(others)].map((code) => choiceOf(code))];
  }
  return suggestOccupations(text).map(({ code, via }) =>
    choiceOf(code, via === undefined ? undefined : `“${via}”`),
  );
}
