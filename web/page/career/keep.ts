import type { Career } from "../../../data/career.ts";
import { careerFromJson, careerToJson } from "../../../data/career_json.ts";
import { careerProblem } from "../../../data/career_check.ts";
import { el } from "../dom.ts";
import type { Signal } from "../signal.ts";

/** Where a tab keeps a career; gone when the tab is closed. */
export type Keep = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEY = "tenure-career";

/** The career that was kept; none if there is none, or what is there is not one. */
export function keptCareer(keep: Keep | undefined): Career | undefined {
  try {
    const line = keep?.getItem(KEY) ?? undefined;
    if (line === undefined) return undefined;
    const career = careerFromJson(line, { file: KEY, line: 1 });
    return careerProblem(career) === undefined ? career : undefined;
  } catch {
    // Storage may be refused, and what is in it may be from another version.
    return undefined;
  }
}

/** Removes what was kept. */
export function forgetCareer(keep: Keep | undefined): void {
  try {
    keep?.removeItem(KEY);
  } catch {
    // Where storage is refused, nothing was kept.
  }
}

/**
 * A box that, while it is ticked, keeps the career in the tab. By default it is not, and nothing
 * is kept.
 */
export function keepBox(career: Signal<Career | undefined>, keep: Keep | undefined): HTMLElement {
  const problem = el("span", { class: "hint", role: "status" });
  const box = el("input", { type: "checkbox", onchange: () => save() });
  const save = () => {
    const { value } = career;
    try {
      if (keep === undefined) throw new Error("There is no storage");
      if (!box.checked) keep.removeItem(KEY);
      else if (value !== undefined) keep.setItem(KEY, careerToJson(value));
      problem.textContent = "";
    } catch {
      box.checked = false;
      problem.textContent = "This browser refuses to keep anything for this page.";
    }
  };
  box.checked = keptCareer(keep) !== undefined;
  career.follow(() => {
    if (box.checked) save();
  });
  return el(
    "label",
    { class: "check" },
    box,
    el("span", {}, "Keep in this tab, also when the page is loaded again"),
    problem,
  );
}

/** The storage of this tab; none where the browser refuses it. */
export function tabStorage(): Keep | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
