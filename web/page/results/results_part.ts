import type { Question } from "../../engine/api.ts";
import type { App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { askableYears, canHave, fullQuestion, keepQuestion } from "./asked.ts";
import { educationField, numberField } from "./controls.ts";
import { errorTeller } from "./error_teller.ts";
import { futureView } from "./future_view.ts";
import { nextView } from "./next_view.ts";
import { Predictor } from "./predictor.ts";
import { promptView } from "./prompt_view.ts";
import { whatIfView } from "./what_if_view.ts";

/** What a model says of the career that is entered: what comes next, what if, a future, and the text. */
export function resultsPart(app: App): HTMLElement {
  const predictor = new Predictor(app.engine);
  let question: Question = {};
  const missing = el("p", { class: "missing" });
  /** Kernels are compiled for the first answer, which may take seconds without anything on view. */
  const first = el("p", { class: "hint", role: "status" });
  const year = numberField("Year", (value) => set({ ...question, year: value }));
  const education = educationField("Education then", (value) =>
    set({ ...question, education: value }),
  );
  const [next, whatIf, future, prompt] = [
    nextView(),
    whatIfView(app),
    futureView(app),
    promptView(),
  ];
  const answer = el("div", { class: "result" }, next.element);
  const all = el(
    "div",
    { class: "results-all", hidden: true },
    el("div", { class: "fields" }, year.element, education.element),
    answer,
    whatIf.element,
    future.element,
    prompt.element,
  );

  const setStale = (isStale: boolean) => {
    all.classList.toggle("stale", isStale);
    // Without a career its buttons would do nothing.
    all.toggleAttribute("inert", isStale);
  };
  const set = (now: Question) => {
    question = now;
    ask();
  };
  const ask = () => {
    const [model, career] = [app.model.value, app.career.value];
    tellMissing(missing, model !== undefined, career !== undefined);
    if (career === undefined || model === undefined) {
      // The last answer stays on view, dimmed, while a career is edited.
      if (model === undefined) predictor.clear();
      else predictor.stop();
      setStale(true);
      return;
    }
    setStale(false);
    question = keepQuestion(career, question);
    const full = fullQuestion(career, question);
    year.show(full.year, askableYears(career));
    education.show(full.education, (level) => canHave(career, full.year, level));
    predictor.ask({ career, question });
    whatIf.reset({ career, question });
  };
  app.model.follow(() => {
    // Another model's answers are not this one's.
    predictor.clear();
    ask();
  });
  app.career.follow(ask);
  predictor.state.follow(errorTeller(app));
  predictor.state.follow(({ prediction, isBusy }) => {
    answer.setAttribute("aria-busy", String(isBusy));
    all.hidden = prediction === undefined;
    const isFirst = isBusy && prediction === undefined;
    first.textContent = isFirst ? "Asking the model; its first answer takes longest." : "";
    whatIf.show(isBusy ? undefined : prediction);
    if (prediction === undefined || isBusy) return;
    next.show(prediction, app.career.value);
    prompt.show(prediction, app.model.value);
  });
  return el(
    "section",
    { class: "results-part", "aria-labelledby": "results-heading" },
    el("h2", { id: "results-heading" }, "What comes next"),
    missing,
    first,
    all,
    el(
      "p",
      { class: "hint" },
      "Probabilities, not promises: how often people in the data with a resume like this one " +
        "were found in each occupation, as far as the model has learned it.",
    ),
  );
}

function tellMissing(element: HTMLElement, hasModel: boolean, hasCareer: boolean): void {
  element.hidden = hasModel && hasCareer;
  if (!hasModel) {
    const link = el("a", { href: "#model" }, "choose one in the Model tab");
    replace(element, "There is no model yet: ", link, ".");
  } else if (!hasCareer) {
    replace(element, "Once the career is complete, the results follow by themselves.");
  }
}
