import type { Career } from "../../../data/career.ts";
import type { App } from "../app.ts";
import { el } from "../dom.ts";
import { Signal } from "../signal.ts";
import { copyLine } from "./copy_line.ts";
import { careerOf, draftOf, emptyDraft, type Draft } from "./draft.ts";
import { EXAMPLE_CAREER } from "./example.ts";
import { importPanel } from "./import_panel.ts";
import { forgetCareer, keepBox, keptCareer, tabStorage } from "./keep.ts";
import { prepareTitles } from "./prepare_titles.ts";
import { draftWithYears } from "./reviewed.ts";
import { whoForm } from "./who_form.ts";
import { yearsForm } from "./years_form.ts";

/** Where a career is entered, by hand or from a file; `app.career` follows it. */
export function careerPart(app: App): HTMLElement {
  const storage = tabStorage();
  const kept = keptCareer(storage);
  const draft = new Signal<Draft>(kept === undefined ? emptyDraft(lastYear()) : draftOf(kept));
  const use = (career: Career) => (draft.value = draftOf(career));
  const startOver = () => {
    forgetCareer(storage);
    draft.value = emptyDraft(lastYear());
  };
  prepareTitles();
  draft.follow((now) => (app.career.value = careerOf(now)));
  return el(
    "section",
    { class: "career-part", "aria-labelledby": "career-heading" },
    el("h2", { id: "career-heading" }, "A career"),
    el(
      "p",
      { class: "career-actions" },
      el("button", { type: "button", onclick: () => use(EXAMPLE_CAREER) }, "Try an example"),
      el("button", { type: "button", onclick: startOver }, "Start over"),
    ),
    importPanel(app, {
      useYears: (observations) => (draft.value = draftWithYears(draft.value, observations)),
      useCareer: use,
    }),
    whoForm(draft),
    yearsForm(draft),
    copyLine(app.career),
    keepBox(app.career, storage),
  );
}

function lastYear(): number {
  return new Date().getFullYear() - 1;
}
