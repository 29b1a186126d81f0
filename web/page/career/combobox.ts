import { el, replace } from "../dom.ts";

/** A line of a combobox's list. */
export interface Choice {
  readonly code: string;
  readonly title: string;
  /** Why it is there, or how good it is, such as `"nurse"`. */
  readonly note?: string;
}

/** Options of {@linkcode combobox}. */
export interface ComboboxOptions {
  /** What it asks for, to those who do not see it. */
  readonly label: string;
  readonly placeholder?: string;
  /** What fits a text, best first; an empty text asks for what is at hand. */
  readonly suggest: (text: string) => readonly Choice[];
  readonly onPick: (code: string) => void;
}

/** A text field with a list of choices. */
export interface Combobox {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  /** Shows a choice without telling `onPick`. */
  show(choice: Choice | undefined): void;
}

let count = 0;

/**
 * A text field that suggests as one types: arrow keys walk the list, Enter or a click picks,
 * Escape closes it and puts back what was there. What is not picked does not count.
 *
 * @see {@link https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ | ARIA Authoring Practices, combobox}
 */
export function combobox({ label, placeholder, suggest, onPick }: ComboboxOptions): Combobox {
  const id = `combobox-${count++}`;
  let choices: readonly Choice[] = [];
  let active = -1;
  let picked: Choice | undefined;

  const list = el("ul", { role: "listbox", id, "aria-label": label, class: "combobox-list" });
  list.hidden = true;
  const code = el("span", { class: "combobox-code", "aria-hidden": "true" });
  const input = el("input", {
    type: "text",
    role: "combobox",
    "aria-label": label,
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": id,
    autocomplete: "off",
    spellcheck: "false",
    placeholder,
  });

  const setActive = (index: number) => {
    active = index;
    for (const [i, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(i === index));
      if (i === index) option.scrollIntoView?.({ block: "nearest" });
    }
    if (index < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${index}`);
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    setActive(-1);
  };
  const open = (text: string) => {
    choices = suggest(text);
    replace(list, ...choices.map((choice, i) => optionOf(choice, `${id}-${i}`)));
    list.hidden = choices.length === 0;
    input.setAttribute("aria-expanded", String(choices.length > 0));
    setActive(text !== "" && choices.length > 0 ? 0 : -1);
  };
  const show = (choice: Choice | undefined) => {
    picked = choice;
    input.value = choice?.title ?? "";
    input.title = choice?.title ?? "";
    code.textContent = numberOf(choice?.code);
  };
  const pick = (choice: Choice) => {
    show(choice);
    close();
    onPick(choice.code);
  };
  const walk = (step: number) => {
    if (list.hidden) open(input.value === picked?.title ? "" : input.value);
    const { length } = choices;
    if (length === 0) return;
    const from = active < 0 && step < 0 ? 0 : active;
    setActive((from + step + length) % length);
  };

  const onKey = (event: Event) => {
    const { key } = event as KeyboardEvent;
    const choice = choices[active];
    if (key === "ArrowDown" || key === "ArrowUp") walk(key === "ArrowDown" ? 1 : -1);
    else if (key === "Enter" && !list.hidden && choice !== undefined) pick(choice);
    else if (key === "Escape" && !list.hidden) {
      close();
      show(picked);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  input.addEventListener("keydown", onKey);
  input.addEventListener("input", () => open(input.value));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => {
    if (list.hidden) open(input.value === picked?.title ? "" : input.value);
  });
  input.addEventListener("blur", () => {
    const exact = choices.find(({ title }) => title.toLowerCase() === input.value.toLowerCase());
    if (exact !== undefined && exact.code !== picked?.code) pick(exact);
    close();
    show(picked);
  });
  // A press would take the focus from the text field, and so close the list before the click.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = (event.target as Element).closest("[role=option]");
    const choice = option === null ? undefined : choices[[...list.children].indexOf(option)];
    if (choice !== undefined) pick(choice);
  });

  return { element: el("div", { class: "combobox" }, input, code, list), input, show };
}

function optionOf({ code, title, note }: Choice, id: string): HTMLElement {
  return el(
    "li",
    { role: "option", id, "aria-selected": "false" },
    el("span", { class: "combobox-title" }, title),
    note !== undefined && el("span", { class: "combobox-note" }, note),
    el("span", { class: "combobox-code" }, numberOf(code)),
  );
}

/** The code as it is shown: those of statuses say no more than their titles. */
function numberOf(code = ""): string {
  return /^\d+$/.test(code) ? code : "";
}
