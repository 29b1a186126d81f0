import type { Career } from "../../../data/career.ts";
import { careerToJson } from "../../../data/career_json.ts";
import { el, replace } from "../dom.ts";
import type { Signal } from "../signal.ts";

/** Copies the career as a line of JSON, as `tenure predict --career` and this page read it. */
export function copyLine(career: Signal<Career | undefined>): HTMLElement {
  const answer = el("div", { role: "status" });
  const copy = async () => {
    const { value } = career;
    if (value === undefined) return;
    const line = careerToJson(value);
    try {
      await navigator.clipboard.writeText(line);
      replace(answer, el("p", { class: "hint" }, "Copied; it is on the clipboard now."));
    } catch {
      // Without permission, the line is there to be copied by hand.
      const text = el("textarea", { readonly: true, rows: 4, "aria-label": "Career as JSON" });
      text.value = line;
      replace(answer, text);
      text.select();
    }
  };
  const button = el("button", { type: "button", onclick: () => void copy() }, "Copy as JSON line");
  career.follow((now) => {
    button.disabled = now === undefined;
    replace(answer);
  });
  return el("div", { class: "copy-line" }, button, answer);
}
