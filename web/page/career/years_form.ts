import { el } from "../dom.ts";
import type { Signal } from "../signal.ts";
import { addYear, changeRow, draftProblems, removeRow, repeatRow, type Draft } from "./draft.ts";
import { yearRow, type YearRow } from "./year_row.ts";

/** The years of a career, one row each; Enter in a year adds the next. */
export function yearsForm(draft: Signal<Draft>): HTMLElement {
  const rows = new Map<number, YearRow>();
  const list = el("ol", { class: "years" });

  const makeRow = (key: number): YearRow =>
    yearRow(key, {
      change: (part) => (draft.value = changeRow(draft.value, key, part)),
      repeat: (until) => (draft.value = repeatRow(draft.value, key, until)),
      remove: () => {
        const place = draft.value.rows.findIndex((row) => row.key === key);
        draft.value = removeRow(draft.value, key);
        const next = draft.value.rows[Math.min(place, draft.value.rows.length - 1)];
        (next === undefined ? add : rows.get(next.key))?.focus();
      },
      recent: () => recentOf(draft.value, key),
    });
  const addNext = () => {
    const known = new Set(draft.value.rows.map(({ key }) => key));
    draft.value = addYear(draft.value, new Date().getFullYear() - 1);
    const added = draft.value.rows.find(({ key }) => !known.has(key));
    if (added !== undefined) rows.get(added.key)?.focus();
  };
  const add = el("button", { type: "submit", class: "add-year" }, "Add a year");
  const onSubmit = (event: Event) => {
    event.preventDefault();
    addNext();
  };

  draft.follow((now) => {
    const problems = draftProblems(now).rows;
    for (const key of rows.keys()) {
      if (!now.rows.some((row) => row.key === key)) rows.delete(key);
    }
    for (const row of now.rows) {
      if (!rows.has(row.key)) rows.set(row.key, makeRow(row.key));
      rows.get(row.key)!.show(row, problems.get(row.key));
    }
    order(
      list,
      now.rows.map(({ key }) => rows.get(key)!.element),
    );
    add.textContent = now.rows.length === 0 ? "Add the first year" : "Add the next year";
  });
  return el(
    "form",
    { class: "years-form", novalidate: true, onsubmit: onSubmit },
    el("h3", {}, "Years"),
    el(
      "p",
      { class: "hint" },
      "One row a year: the highest education by then, and the main job, or “In education”, " +
        "“Unemployed”, “Not in labor force”. Years may be missing.",
    ),
    list,
    add,
  );
}

/** Codes of the other rows, those near this one first. */
function recentOf({ rows }: Draft, key: number): string[] {
  const place = rows.findIndex((row) => row.key === key);
  const near = rows
    .map(({ occupation }, i) => ({ occupation, distance: Math.abs(i - place) }))
    .filter(({ distance }) => distance > 0)
    .toSorted((a, b) => a.distance - b.distance);
  const codes = near.flatMap(({ occupation }) => (occupation === undefined ? [] : [occupation]));
  return [...new Set(codes)].slice(0, 5);
}

/** Puts elements in this order; the one with the cursor keeps it. */
function order(list: Element, elements: readonly Element[]): void {
  const isSame =
    list.children.length === elements.length &&
    elements.every((element, i) => list.children[i] === element);
  if (isSame) return;
  const focused = document.activeElement;
  list.replaceChildren(...elements);
  if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
}
