import { el, replace } from "../dom.ts";
import { COLUMNS, type Column, type Order, sorted } from "./columns.ts";
import type { MeasuredRow } from "./findings.ts";

/** The table of rows. */
export interface BenchTable {
  readonly element: HTMLElement;
  readonly update: (rows: readonly MeasuredRow[]) => void;
}

/** A table with a row for each case that was measured; pressing a column's name sorts by it. */
export function benchTable(): BenchTable {
  let rows: readonly MeasuredRow[] = [];
  let order: Order = { key: "number", isDescending: false };
  const heads = COLUMNS.map((column) => headOf(column, () => sortBy(column)));
  const body = el("tbody", { role: "rowgroup" });
  const render = () => {
    replace(body, ...sorted(rows, order).map(rowOf));
    COLUMNS.forEach(({ key }, i) => {
      const direction = order.isDescending ? "descending" : "ascending";
      heads[i]!.setAttribute("aria-sort", key === order.key ? direction : "none");
    });
  };
  const sortBy = ({ key, isNumber }: Column) => {
    const isDescending = key === order.key ? !order.isDescending : isNumber && key !== "number";
    order = { key, isDescending };
    render();
  };
  render();
  // Roles are written out, for a narrow screen shows rows as cards, and such rows lose theirs.
  const element = el(
    "table",
    { class: "figures bench-table", role: "table" },
    el("caption", {}, "What was measured. A column's name sorts by it."),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)),
    body,
  );
  const update = (now: readonly MeasuredRow[]) => {
    rows = now;
    render();
  };
  return { element, update };
}

function headOf({ name, hint, isNumber }: Column, onclick: () => void): HTMLTableCellElement {
  return el(
    "th",
    { scope: "col", role: "columnheader", class: isNumber && "amount" },
    el("button", { type: "button", class: "quiet", title: hint, onclick }, name),
  );
}

function rowOf(measured: MeasuredRow): HTMLTableRowElement {
  return el(
    "tr",
    { role: "row", "data-id": measured.row.id },
    ...COLUMNS.map(({ key, name, isNumber, text }) =>
      el(
        key === "case" ? "th" : "td",
        {
          ...(key === "case" ? { scope: "row", role: "rowheader" } : { role: "cell" }),
          class: `bench-${key}${isNumber ? " amount" : ""}`,
          "data-name": name,
        },
        text(measured),
      ),
    ),
  );
}
