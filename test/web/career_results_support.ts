import { openDocument } from "./page_support.ts";

/** A document whose selects can be set, and whose fields can be focused and selected, as in a browser. */
export function openPage(): void {
  const window = openDocument();
  Object.defineProperty(window.HTMLSelectElement.prototype, "value", {
    configurable: true,
    get(this: HTMLSelectElement) {
      const options = [...this.querySelectorAll("option")];
      const chosen = options.find((option) => option.hasAttribute("selected")) ?? options[0];
      return chosen?.getAttribute("value") ?? "";
    },
    set(this: HTMLSelectElement, value: string) {
      for (const option of this.querySelectorAll("option")) {
        option.toggleAttribute("selected", option.getAttribute("value") === value);
      }
    },
  });
  Object.assign(window.HTMLInputElement.prototype, { select: () => undefined });
  Object.assign(globalThis, { HTMLElement: window.HTMLElement });
}

/** Chooses a value as a person does. */
export function choose(control: HTMLInputElement | HTMLSelectElement, value: string): void {
  control.value = value;
  const event = control.ownerDocument.createEvent("Event");
  event.initEvent("change", true, true);
  control.dispatchEvent(event);
}

/** Types a text into a field. */
export function type(input: HTMLInputElement, text: string): void {
  input.value = text;
  const event = input.ownerDocument.createEvent("Event");
  event.initEvent("input", true, true);
  input.dispatchEvent(event);
}
