import { el, replace } from "../dom.ts";
import type { OfflineState } from "../shell/offline.ts";
import type { PageMeasures } from "../shell/page_measures.ts";
import { millisecondsInWords } from "../shell/words.ts";
import type { Signal } from "../signal.ts";
import { VERSION } from "../version.ts";
import { type Fact, LIMITS, PRIVACY } from "./facts.ts";

/** What the section tells of the page itself. */
export interface AboutParts {
  readonly measures: Signal<PageMeasures>;
  readonly offline: Signal<OfflineState>;
}

/** What the model knows and does not, what stays where, and what this page measured of itself. */
export function aboutPart({ measures, offline }: AboutParts): HTMLElement {
  return el(
    "div",
    { class: "spread about" },
    section("What the model knows, and what it does not", "about-limits", prose(LIMITS)),
    el(
      "div",
      {},
      section("What stays where", "about-privacy", prose(PRIVACY)),
      section(
        "What this page measured of itself",
        "about-measures",
        selfMeasured(measures, offline),
      ),
      section("Where it comes from", "about-source", source()),
    ),
  );
}

function section(title: string, id: string, content: HTMLElement): HTMLElement {
  return el(
    "section",
    { class: "section", "aria-labelledby": id },
    el("h2", { id }, title),
    content,
  );
}

function prose(facts: readonly Fact[]): HTMLElement {
  const paragraphs = facts.map(({ head, text }) => el("p", {}, el("strong", {}, head), ` ${text}`));
  return el("div", { class: "stack prose" }, ...paragraphs);
}

const OFFLINE: Readonly<Record<OfflineState, string>> = {
  preparing: "being prepared",
  ready: "yes, the page and the models that are kept",
  unavailable: "no: this browser or this server does not let the page keep its files",
};

function selfMeasured(measures: Signal<PageMeasures>, offline: Signal<OfflineState>): HTMLElement {
  const box = el("dl", { class: "facts" });
  const show = () => {
    const { longestTaskMs, firstPredictionMs } = measures.value;
    const rows = [
      ["Longest time the page did not respond", longestTaskInWords(longestTaskMs)],
      [
        "First answer after the question",
        firstPredictionMs === undefined ? "none yet" : millisecondsInWords(firstPredictionMs),
      ],
      ["Works without a network", OFFLINE[offline.value]],
    ] as const;
    replace(box, ...rows.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
  };
  measures.follow(show);
  offline.follow(show);
  return box;
}

function longestTaskInWords(ms: number | undefined): string {
  if (ms === undefined) return "this browser does not tell";
  return ms === 0 ? "less than 50 ms" : millisecondsInWords(ms);
}

function source(): HTMLElement {
  return el(
    "div",
    { class: "stack prose" },
    el(
      "p",
      {},
      `This is tenure ${VERSION}, under the MIT license. It follows LABOR-LLM `,
      "(Athey and others, arXiv 2406.17972), with transformers that run in its own kernels on " +
        "WebGPU. Model, page and kernels are one source, without a framework or a server behind it.",
    ),
    el("p", {}, el("a", { href: "./licenses.txt" }, "Licenses"), " of everything in this page."),
  );
}
