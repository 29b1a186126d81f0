import { el, replace } from "../dom.ts";
import type { WordGroup } from "./words.ts";

/** Options of {@linkcode wordSelect}. */
export interface WordSelectOptions {
  readonly label: string;
  /** What an empty value is called, such as `"not told"`; absent where one must be chosen. */
  readonly empty?: string;
  readonly onChange: (value: string) => void;
}

/** A select with its label. */
export interface WordSelect {
  readonly element: HTMLElement;
  /** Offers these, and shows one of them; empty for none. */
  show(groups: readonly WordGroup[], value: string): void;
}

/** A select of words, grouped by where they are from. */
export function wordSelect({ label, empty, onChange }: WordSelectOptions): WordSelect {
  const select = el("select", { onchange: () => onChange(select.value) });
  const show = (groups: readonly WordGroup[], value: string) => {
    const children = groups.map(({ label: group, values }) => {
      const options = values.map((word) => el("option", { value: word }, word));
      return group === "" ? options : [el("optgroup", { label: group }, ...options)];
    });
    replace(select, empty !== undefined && el("option", { value: "" }, empty), ...children.flat());
    select.value = value;
  };
  return {
    element: el("label", { class: "field" }, el("span", { class: "label" }, label), select),
    show,
  };
}
