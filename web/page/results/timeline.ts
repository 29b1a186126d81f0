import type { Observation } from "../../../data/career.ts";
import { el, svg } from "../dom.ts";
import { stretchesOf, yearsOf, type Stretch } from "./futures.ts";

/** Colors before they repeat; see the style sheet. */
const NUM_TONES = 8;
const STRIP_HEIGHT = 36;

/** Years that are told, paler, and years drawn, as one strip with a color an occupation; then in words. */
export function timeline(
  past: readonly Observation[],
  future: readonly Observation[],
): HTMLElement {
  const told = stretchesOf(past);
  const drawn = stretchesOf(future);
  const codes = [...new Set([...drawn, ...told].map(({ code }) => code))];
  const tone = ({ code }: Stretch) => `tone-${codes.indexOf(code) % NUM_TONES}`;
  const first = (told[0] ?? drawn[0])!.from;
  const span = (drawn.at(-1) ?? told.at(-1))!.to + 1 - first;
  const segment = (kind: string) => (stretch: Stretch) =>
    svg(
      "rect",
      {
        class: `${kind} ${tone(stretch)}`,
        x: `${(100 * (stretch.from - first)) / span}%`,
        width: `${(100 * (stretch.to + 1 - stretch.from)) / span}%`,
        height: STRIP_HEIGHT,
      },
      svg("title", {}, `${yearsOf(stretch)}: ${stretch.title}`),
    );
  return el(
    "div",
    { class: "timeline" },
    svg(
      "svg",
      { class: "strip", width: "100%", height: STRIP_HEIGHT, "aria-hidden": "true" },
      ...told.map(segment("told")),
      ...drawn.map(segment("drawn")),
    ),
    el(
      "p",
      { class: "axis", "aria-hidden": "true" },
      el("span", {}, String(first)),
      el("span", {}, String(first + span - 1)),
    ),
    el(
      "ol",
      { class: "stretches", "aria-label": "The years to come" },
      ...drawn.map((stretch) =>
        el(
          "li",
          {},
          svg(
            "svg",
            { class: "swatch", width: 12, height: 12, "aria-hidden": "true" },
            svg("rect", { class: tone(stretch), width: 12, height: 12, rx: 2 }),
          ),
          el("span", { class: "stretch-years" }, yearsOf(stretch)),
          el("span", {}, stretch.title),
        ),
      ),
    ),
  );
}
