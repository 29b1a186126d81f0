import type { Progress } from "../../engine/api.ts";
import type { App, Work } from "../app.ts";
import { el } from "../dom.ts";
import { type Estimate, Pace } from "./pace.ts";
import { bytesInWords, secondsInWords } from "./words.ts";

const PHASES: Readonly<Record<Progress["phase"], string>> = {
  download: "copying",
  check: "checking",
  load: "moving weights to the graphics processor",
  compile: "compiling kernels",
  sample: "drawing years",
  train: "training",
  bench: "measuring",
};

/** Long work that is under way: what, how far, how fast, how long, and a way to end it. */
export function workBar({ work }: App): HTMLElement {
  const title = el("strong");
  const detail = el("span", { class: "number" });
  const bar = el("progress", { "aria-label": "Progress" });
  const cancel = el("button", { type: "button" }, "Cancel");
  // Apart from the figures, so that a screen reader hears of phases and not of every byte.
  const said = el("p", { class: "unseen", role: "status" });
  const box = el("div", { class: "work", hidden: true }, el("p", {}, title, detail), cancel, bar);
  let pace = new Pace();
  cancel.addEventListener("click", () => work.value?.cancel?.());
  work.follow((now) => {
    box.hidden = now === undefined;
    if (now === undefined) {
      pace = new Pace();
      said.textContent = "";
      return;
    }
    title.textContent = now.title;
    cancel.hidden = now.cancel === undefined;
    showProgress(now, { pace, detail, bar });
    tell(said, announcement(now));
  });
  return el("div", { class: "work-place" }, box, said);
}

/** The figures of some progress, such as `"3.0 MB of 41.2 MB · 1.2 MB/s · 32 s left"`. */
export function progressInWords(
  { phase, what, done, total, unit }: Progress,
  estimate?: Estimate,
): string {
  const amount = (count: number) =>
    unit === "bytes" ? bytesInWords(count) : Math.floor(count).toLocaleString("en-US");
  const suffix = unit === "bytes" ? "" : ` ${unit}`;
  const far =
    total === undefined
      ? `${amount(done)}${suffix}`
      : `${amount(done)} of ${amount(total)}${suffix}`;
  return [
    `${PHASES[phase]}${what === "" ? "" : ` ${what}`}`,
    far,
    estimate !== undefined && unit === "bytes" && `${bytesInWords(estimate.perSecond)}/s`,
    estimate?.left !== undefined && `${secondsInWords(estimate.left)} left`,
  ]
    .filter((part) => part !== false)
    .join(" · ");
}

interface Shown {
  readonly pace: Pace;
  readonly detail: HTMLElement;
  readonly bar: HTMLProgressElement;
}

function showProgress({ progress }: Work, { pace, detail, bar }: Shown): void {
  if (progress === undefined) {
    detail.textContent = "";
    bar.removeAttribute("value");
    return;
  }
  const { phase, done, total } = progress;
  // A rate spans the files of a phase: each of them alone may be too short for one.
  const estimate = pace.add(`${phase} ${total ?? ""}`, performance.now(), done, total);
  detail.textContent = `: ${progressInWords(progress, estimate)}`;
  if (total === undefined || total === 0) bar.removeAttribute("value");
  else bar.value = Math.min(1, done / total);
}

function announcement({ title, progress }: Work): string {
  return progress === undefined ? title : `${title}: ${PHASES[progress.phase]}`;
}

function tell(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
