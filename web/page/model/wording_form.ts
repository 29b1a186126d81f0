import { el } from "../dom.ts";
import type { ModelDesk } from "./model_desk.ts";

/** What the model's files do not say: in which words it learned to read careers. */
export function wordingForm(
  desk: ModelDesk,
  { dataset, birthYear }: { readonly dataset: string; readonly birthYear: boolean },
): HTMLElement {
  const name = el("input", {
    id: "wording-dataset",
    required: true,
    maxlength: 80,
    value: dataset,
  });
  const born = el("input", { type: "checkbox", id: "wording-born" });
  born.checked = birthYear;
  const first = el("samp");
  const preview = () => {
    first.textContent = `<A worker from the ${name.value.trim()} dataset>`;
  };
  name.addEventListener("input", preview);
  preview();
  return el(
    "form",
    {
      class: "stack sheet-note",
      onsubmit: (event) => {
        event.preventDefault();
        void desk.reload({
          wording: { dataset: name.value.trim(), birthYear: born.checked },
        });
      },
    },
    el("h3", {}, "How does it read careers?"),
    el(
      "p",
      {},
      "This model's files do not say. It answers best in the words that it was trained on; " +
        "until you tell, these are assumed.",
    ),
    el(
      "div",
      { class: "field" },
      el("label", { for: "wording-dataset" }, "Name of the survey it learned from"),
      name,
      el("p", { class: "hint" }, "A resume begins with ", first),
    ),
    el(
      "div",
      { class: "check" },
      born,
      el("label", { for: "wording-born" }, "Resumes told the year of birth"),
    ),
    el("div", {}, el("button", {}, "Load it again with these words")),
  );
}
