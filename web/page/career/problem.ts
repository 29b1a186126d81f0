import type { Problem } from "./draft.ts";

/** Says what is wrong, or nothing. What is only missing is said more quietly. */
export function showProblem(element: HTMLElement, problem: Problem | undefined): void {
  element.textContent = problem?.message ?? "";
  element.className = problem?.isMissing === true ? "hint" : "problem";
}
