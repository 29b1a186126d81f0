import type { Career } from "../../../data/career.ts";
import type { App } from "../app.ts";
import { el } from "../dom.ts";
import { Signal } from "../signal.ts";
import { careerOf, draftOf, emptyDraft, type Draft } from "./draft.ts";
import { EXAMPLE_CAREER } from "./example.ts";
import { whoForm } from "./who_form.ts";
import { yearsForm } from "./years_form.ts";

/** Where a career is entered, by hand or from a file; `app.career` follows it. */
export function careerPart(app: App): HTMLElement {
  const draft = new Signal<Draft>(emptyDraft(lastYear()));
  const use = (career: Career) => (draft.value = draftOf(career));
  draft.follow((now) => (app.career.value = careerOf(now)));
  return el(
    "section",
    { class: "career-part", "aria-labelledby": "career-heading" },
    el("h2", { id: "career-heading" }, "A career"),
    el(
      "p",
      { class: "career-actions" },
      el("button", { type: "button", onclick: () => use(EXAMPLE_CAREER) }, "Try an example"),
      el(
        "button",
        { type: "button", onclick: () => (draft.value = emptyDraft(lastYear())) },
        "Start over",
      ),
    ),
    whoForm(draft),
    yearsForm(draft),
  );
}

function lastYear(): number {
  return new Date().getFullYear() - 1;
}
