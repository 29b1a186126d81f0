import { el, svg } from "../dom.ts";
import { percent, type Share } from "./distribution.ts";

/** Options of {@linkcode barChart}. */
export interface BarChartOptions {
  readonly shares: readonly Share[];
  /** Code of the occupation that is held; its bar is colored apart. */
  readonly last?: string | undefined;
  /** Probability that fills the width. */
  readonly full: number;
  readonly label: string;
}

/** Probabilities as bars, one line each; texts are texts, so that they wrap and can be read out. */
export function barChart({ shares, last, full, label }: BarChartOptions): HTMLElement {
  return el(
    "ol",
    { class: "bars", "aria-label": label },
    ...shares.map((share) => {
      const isStay = share.code === last;
      return el(
        "li",
        { class: isStay ? "bar-row stay" : "bar-row", "data-code": share.code },
        el(
          "span",
          { class: "bar-label" },
          share.title,
          isStay && el("span", { class: "tag" }, "stay"),
        ),
        bar(full === 0 ? 0 : share.probability / full),
        el(
          "span",
          { class: "bar-value", "data-probability": share.probability },
          percent(share.probability),
        ),
      );
    }),
  );
}

/** A bar of a share of the width there is. */
function bar(share: number): SVGElement {
  return svg(
    "svg",
    { class: "bar", width: "100%", height: 16, "aria-hidden": "true" },
    svg("rect", { width: `${100 * share}%`, height: 16, rx: 3 }),
  );
}
