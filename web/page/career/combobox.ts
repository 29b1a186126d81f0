import { el, replace } from "../dom.ts";

/** A line of a combobox's list. */
export interface Choice {
  readonly code: string;
  readonly title: string;
  /** Why it is there, or how good it is, such as `"nurse"`. */
  readonly note?: string;
}

/** Options of {@linkcode Combobox}. */
export interface ComboboxOptions {
  /** What it asks for, to those who do not see it. */
  readonly label: string;
  readonly placeholder?: string;
  /** What fits a text, best first; an empty text asks for what is at hand. */
  readonly suggest: (text: string) => readonly Choice[];
  /** What to await before suggesting for a text would be quick; undefined if it is quick now. */
  readonly wait?: () => Promise<void> | undefined;
  readonly onPick: (code: string) => void;
}

let count = 0;

/**
 * A text field that suggests as one types: arrow keys walk the list, Enter, Tab or a click picks,
 * Escape closes it and puts back what was there. What is not picked does not count.
 *
 * @see {@link https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ | ARIA Authoring Practices, combobox}
 */
export class Combobox {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  readonly #list: HTMLElement;
  readonly #code: HTMLElement = el("span", { class: "combobox-code", "aria-hidden": "true" });
  readonly #options: ComboboxOptions;
  #choices: readonly Choice[] = [];
  /** Index of the choice that Enter picks; -1 for none. */
  #active = -1;
  #picked: Choice | undefined;
  /** Whether what is typed waits for its suggestions. */
  #isWaiting = false;

  constructor(options: ComboboxOptions) {
    const { label, placeholder } = options;
    const id = `combobox-${count++}`;
    this.#options = options;
    this.#list = el("ul", {
      role: "listbox",
      id,
      "aria-label": label,
      class: "combobox-list",
      hidden: true,
    });
    this.input = el("input", {
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
    this.element = el("div", { class: "combobox" }, this.input, this.#code, this.#list);
    this.#listen();
  }

  /** Shows a choice without telling `onPick`. */
  show(choice: Choice | undefined): void {
    this.#picked = choice;
    this.input.value = choice?.title ?? "";
    this.input.title = choice?.title ?? "";
    this.#code.textContent = numberOf(choice?.code);
  }

  #listen(): void {
    const { input } = this;
    input.addEventListener("keydown", (event) => {
      if (!this.#onKey(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    input.addEventListener("input", () => {
      // The code is that of what was picked, not of what is typed.
      this.#code.textContent = "";
      this.#openSoon(input.value);
    });
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => {
      if (this.#list.hidden) this.#openAll();
    });
    input.addEventListener("blur", () => this.#leave());
    // A press would take the focus from the text field, and so close the list before the click.
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const option = (event.target as Element).closest("[role=option]");
      const index = option === null ? -1 : [...this.#list.children].indexOf(option);
      const choice = this.#choices[index];
      if (choice !== undefined) this.#pick(choice);
    });
  }

  /** @returns Whether the key meant something. */
  #onKey(key: string): boolean {
    if (/^(?:Enter|Tab|Arrow(?:Up|Down))$/.test(key)) this.#stopWaiting();
    const isOpen = !this.#list.hidden;
    const choice = this.#choices[this.#active];
    if (key === "ArrowDown" || key === "ArrowUp") this.#walk(key === "ArrowDown" ? 1 : -1);
    else if (key === "Enter" && isOpen && choice !== undefined) this.#pick(choice);
    else if (key === "Escape" && (isOpen || this.#isWaiting)) {
      this.#close();
      this.show(this.#picked);
    } else {
      // Tab goes on to the next field, and takes along what is marked.
      if (key === "Tab" && isOpen && choice !== undefined) this.#pick(choice);
      return false;
    }
    return true;
  }

  #walk(step: number): void {
    if (this.#list.hidden) this.#openAll();
    const { length } = this.#choices;
    if (length === 0) return;
    const from = this.#active < 0 && step < 0 ? 0 : this.#active;
    this.#setActive((from + step + length) % length);
  }

  /** Opens with what is at hand, unless something else is being typed. */
  #openAll(): void {
    const { value } = this.input;
    this.#open(value === this.#picked?.title ? "" : value);
  }

  /** Opens once suggestions are quick, unless something else is typed or done by then. */
  #openSoon(text: string): void {
    const wait = text.trim() === "" ? undefined : this.#options.wait?.();
    this.#isWaiting = wait !== undefined;
    if (wait === undefined) this.#open(text);
    else void wait.then(() => this.input.value === text && this.#stopWaiting());
  }

  /** Who goes on before suggestions are quick gets them all the same. */
  #stopWaiting(): void {
    if (this.#isWaiting) this.#open(this.input.value);
  }

  #open(text: string): void {
    this.#isWaiting = false;
    this.#choices = this.#options.suggest(text);
    const isEmpty = this.#choices.length === 0;
    const { id } = this.#list;
    replace(this.#list, ...this.#choices.map((choice, i) => optionOf(choice, `${id}-${i}`)));
    this.#list.hidden = isEmpty;
    this.input.setAttribute("aria-expanded", String(!isEmpty));
    this.#setActive(text !== "" && !isEmpty ? 0 : -1);
  }

  #close(): void {
    this.#isWaiting = false;
    this.#list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#setActive(-1);
  }

  #setActive(index: number): void {
    this.#active = index;
    for (const [i, option] of [...this.#list.children].entries()) {
      option.setAttribute("aria-selected", String(i === index));
      if (i === index) option.scrollIntoView?.({ block: "nearest" });
    }
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `${this.#list.id}-${index}`);
  }

  #pick(choice: Choice): void {
    this.show(choice);
    this.#close();
    this.#options.onPick(choice.code);
  }

  /** A title that was typed in full counts; anything else is put back. */
  #leave(): void {
    this.#stopWaiting();
    const typed = this.input.value.toLowerCase();
    const exact = this.#choices.find(({ title }) => title.toLowerCase() === typed);
    if (exact !== undefined && exact.code !== this.#picked?.code) this.#pick(exact);
    this.#close();
    this.show(this.#picked);
  }
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
