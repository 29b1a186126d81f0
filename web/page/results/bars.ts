import { el, svg } from "../dom.ts";
import { percent } from "../shell/words.ts";
import { points, type Share, type ShareChange } from "./distribution.ts";

/** Options of {@linkcode barChart}. */
export interface BarChartOptions {
  readonly shares: readonly Share[];
  /** Code of the occupation that is held; its bar is colored apart. */
  readonly last?: string | undefined;
  readonly label: string;
  /** What stands behind a bar. @default {percent} */
  readonly format?: (share: Share) => string;
}

const BAR_HEIGHT = 14;

/**
 * Probabilities as bars, one line each, the longest as wide as there is room. Titles are text, so
 * that they wrap on a phone and can be read out.
 */
export function barChart({ shares, last, label, format }: BarChartOptions): HTMLElement {
  const full = Math.max(...shares.map(({ probability }) => probability), Number.MIN_VALUE);
  const rows = shares.map((share) => {
    const { code, title, probability } = share;
    const isStay = code === last;
    return el(
      "li",
      { class: isStay ? "bar-row stay" : "bar-row", "data-code": code },
      el("span", { class: "bar-label" }, title, isStay && el("span", { class: "tag" }, "stay")),
      bar([{ from: 0, to: probability / full, kind: isStay ? "stay" : "move" }]),
      el(
        "span",
        { class: "bar-value", "data-probability": probability },
        format?.(share) ?? percent(probability),
      ),
    );
  });
  return el("ol", { class: "bars", "aria-label": label }, ...rows);
}

/** Changes of probabilities in percentage points: losses to the left, gains to the right. */
export function changeChart(changes: readonly ShareChange[], label: string): HTMLElement {
  const gains = changes.map(({ before, after }) => after - before);
  const full = 2 * Math.max(...gains.map(Math.abs), Number.MIN_VALUE);
  const rows = changes.map(({ code, title, before, after }) => {
    const gain = after - before;
    const tip = 0.5 + gain / full;
    return el(
      "li",
      { class: "bar-row", "data-code": code },
      el("span", { class: "bar-label" }, title),
      bar([
        {
          from: Math.min(0.5, tip),
          to: Math.max(0.5, tip),
          kind: gain < 0 ? "loss" : "gain",
        },
      ]),
      el(
        "span",
        { class: "bar-value", "data-change": gain },
        points(gain),
        el("span", { class: "from-to" }, `${percent(before)} → ${percent(after)}`),
      ),
    );
  });
  return el("ol", { class: "bars changes", "aria-label": label }, ...rows);
}

/** A part of a bar, in shares of the width. */
interface BarPart {
  readonly from: number;
  readonly to: number;
  readonly kind: "stay" | "move" | "gain" | "loss";
}

function bar(parts: readonly BarPart[]): SVGElement {
  return svg(
    "svg",
    { class: "bar", width: "100%", height: BAR_HEIGHT, "aria-hidden": "true", focusable: "false" },
    ...parts.map(({ from, to, kind }) =>
      svg("rect", {
        class: kind,
        x: `${100 * from}%`,
        width: `${100 * (to - from)}%`,
        height: BAR_HEIGHT,
        rx: 2,
      }),
    ),
  );
}

/** Stay against move, as one bar with both numbers. */
export function stayMoveBar(stay: number, title: string): HTMLElement {
  return el(
    "div",
    { class: "stay-move" },
    el(
      "p",
      {},
      el("span", { class: "stay-number" }, `${percent(stay)} stay`),
      el("span", { class: "move-number" }, `${percent(1 - stay)} move`),
    ),
    bar([
      { from: 0, to: stay, kind: "stay" },
      { from: stay, to: 1, kind: "move" },
    ]),
    el(
      "p",
      { class: "hint" },
      `To stay is to be told as “${title}” again, whoever the employer is.`,
    ),
  );
}
