import type { Axis } from "../../../bench/report/axis.ts";
import { svg } from "../dom.ts";

/** Where the axes of a plot run, in CSS pixels. */
export interface PlotArea {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** An axis with its name, and how its marks are written. */
export interface PlotAxis {
  readonly axis: Axis;
  readonly name: string;
  readonly format: (tick: number) => string;
}

/** What a plot is, for those who see it and those who do not. */
export interface Plot {
  readonly title: string;
  readonly description: string;
  readonly area: PlotArea;
  readonly x: PlotAxis;
  readonly y: PlotAxis;
}

/** Least distance of two marks, in CSS pixels. */
const MARK_ROOM = { x: 44, y: 20 } as const;

/** The area between axes in a drawing of some width. */
export function plotArea(width: number, height: number): PlotArea {
  return { width, height, left: 52, right: width - 12, top: 24, bottom: height - 40 };
}

let count = 0;

/** A plot's axes, grid and names; what it shows is drawn on top. */
export function plotSvg(
  { title, description, area, x, y }: Plot,
  shapes: readonly Element[],
): SVGSVGElement {
  const { width, height } = area;
  const id = `plot-${count++}`;
  const names = { role: "img", "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-text` };
  return svg(
    "svg",
    { class: "plot", width, height, viewBox: `0 0 ${width} ${height}`, ...names },
    svg("title", { id: `${id}-title` }, title),
    svg("desc", { id: `${id}-text` }, description),
    ...gridOf(area, x, y),
    ...shapes,
  );
}

function gridOf({ left, right, top, bottom, height }: PlotArea, x: PlotAxis, y: PlotAxis) {
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    svg("line", { class: "plot-grid", x1, y1, x2, y2 });
  return [
    ...spaced(x.axis, MARK_ROOM.x).flatMap((tick) => {
      const at = round(x.axis.at(tick));
      const mark = { class: "plot-mark", x: at, y: bottom + 15, "text-anchor": "middle" };
      return [line(at, top, at, bottom), svg("text", mark, x.format(tick))];
    }),
    ...spaced(y.axis, MARK_ROOM.y).flatMap((tick) => {
      const at = round(y.axis.at(tick));
      const mark = { class: "plot-mark", x: left - 6, y: at + 4, "text-anchor": "end" };
      return [line(left, at, right, at), svg("text", mark, y.format(tick))];
    }),
    svg(
      "text",
      { class: "plot-name", x: (left + right) / 2, y: height - 6, "text-anchor": "middle" },
      x.name,
    ),
    svg("text", { class: "plot-name", x: 0, y: 12 }, y.name),
  ];
}

/**
 * The marks of an axis that there is room for: every one, or every second, third and so on.
 *
 * @param axis Where marks are.
 * @param room Least distance between two, in CSS pixels.
 */
export function spaced({ at, ticks }: Axis, room: number): readonly number[] {
  const gaps = ticks.slice(1).map((tick, i) => Math.abs(at(tick) - at(ticks[i]!)));
  const least = Math.min(...gaps);
  const stride = Number.isFinite(least) && least > 0 ? Math.ceil(room / least - 1e-9) : 1;
  return ticks.filter((_, i) => i % stride === 0);
}

/** A coordinate with as many digits as a screen shows. */
export function round(coordinate: number): number {
  return Math.round(coordinate * 10) / 10;
}
