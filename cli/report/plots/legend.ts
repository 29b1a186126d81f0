import { fitText, FONT_SIZE, svgElement, textWidth } from "./canvas.ts";
import { lookOf } from "./palette.ts";

/** Pixels of a sample, the gap behind it, the gap between entries, and from line to line. */
const SAMPLE = 26;
const GAP = 6;
const SPACE = 18;
const LINE = 18;

/** Pixels between the last line and the plot. */
const MARGIN = 6;

/**
 * Puts names with samples of their lines or bars on top of a plot, in as many lines as they need;
 * a single series needs none.
 */
export function addLegend(
  svg: SVGSVGElement,
  names: readonly string[],
  kind: "line" | "bar",
): void {
  if (names.length < 2) return;
  const width = Number(svg.getAttribute("width"));
  let [x, y] = [0, 0];
  const entries = names.map((name, index) => {
    const text = fitText(name, width - SAMPLE - GAP);
    const length = SAMPLE + GAP + textWidth(text);
    if (x > 0 && x + length > width) [x, y] = [0, y + LINE];
    const entry = { text, index, x, y };
    x += length + SPACE;
    return entry;
  });
  const added = y + LINE + MARGIN;
  const group = svgElement("g", {
    "text-anchor": "start",
    "aria-label": "legend",
    transform: `translate(0,${-added})`,
  });
  for (const entry of entries) {
    group.append(
      sample(kind, entry),
      svgElement("text", { x: entry.x + SAMPLE + GAP, y: entry.y + FONT_SIZE }, entry.text),
    );
  }
  svg.append(group);
  const height = Number(svg.getAttribute("height")) + added;
  svg.setAttribute("height", String(height));
  svg.setAttribute("viewBox", `0 ${-added} ${width} ${height}`);
}

function sample(
  kind: "line" | "bar",
  { index, x, y }: { readonly index: number; readonly x: number; readonly y: number },
): SVGElement {
  const { color, dashes } = lookOf(index);
  const middle = y + FONT_SIZE - 4;
  if (kind === "bar") {
    return svgElement("rect", { x: x + 12, y: middle - 5, width: 14, height: 10, fill: color });
  }
  return svgElement("line", {
    x1: x,
    x2: x + SAMPLE,
    y1: middle,
    y2: middle,
    stroke: color,
    "stroke-width": 2,
    ...(dashes === undefined ? {} : { "stroke-dasharray": dashes }),
  });
}
