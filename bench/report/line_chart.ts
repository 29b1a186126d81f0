import { type Axis, linearAxis, logAxis } from "./axis.ts";
import { formatTick } from "./format.ts";
import { drawSvg, element, NUM_SERIES_COLORS, type SvgElement, text, titled } from "./svg.ts";

const WIDTH = 900;
const HEIGHT = 460;
const AREA = { left: 80, right: WIDTH - 30, top: 84, bottom: HEIGHT - 56 } as const;
const LEGEND_LINE = 17;

type Point = readonly [x: number, y: number];

/** Points of one kind, joined by a line. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** A fitted curve, dashed, at the ends of the points and between. */
  readonly fit?: (x: number) => number;
}

/** What an axis is, and how its values and its marks are written. */
export interface AxisText {
  readonly name: string;
  readonly format: (value: number) => string;
  /** What one unit of the marks is, in values. @default {1} */
  readonly unit?: number;
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  readonly scale: "linear" | "log";
  readonly x: AxisText;
  readonly y: AxisText;
  readonly series: readonly Series[];
}

/** Curves as SVG, both axes linear from zero or both logarithmic. */
export function linesSvg(chart: LineChart): string {
  const { title, subtitle, scale, series } = chart;
  const points = series.flatMap((one) => one.points);
  const axisOf = (index: 0 | 1, begin: number, end: number): Axis => {
    const values = points.map((point) => point[index]);
    const { unit = 1 } = index === 0 ? chart.x : chart.y;
    const [from, to] = [scale === "log" ? Math.min(...values) : 0, Math.max(...values)];
    const range = { from: from / unit, to: to / unit, begin, end };
    const { at, ticks } = (scale === "log" ? logAxis : linearAxis)(range);
    return { at: (value) => at(value / unit), ticks: ticks.map((tick) => tick * unit) };
  };
  const x = axisOf(0, AREA.left, AREA.right);
  const y = axisOf(1, AREA.bottom, AREA.top);
  const said = series.map(
    (one) =>
      `${one.name}: ${one.points.map(([px, py]) => `${chart.x.format(px)} → ${chart.y.format(py)}`).join(", ")}`,
  );
  return drawSvg({
    title,
    description: `${subtitle}. ${chart.y.name} against ${chart.x.name}. ${said.join("; ")}.`,
    width: WIDTH,
    height: HEIGHT,
    elements: [
      text(title, { class: "title", x: 12, y: 22 }),
      text(subtitle, { class: "faint", x: 12, y: 42 }),
      ...gridOf(chart, x, y),
      ...series.flatMap((one, index) => curveOf(one, { chart, index, x, y })),
    ],
  });
}

function gridOf(chart: LineChart, x: Axis, y: Axis): SvgElement[] {
  const mark = (tick: number, { unit = 1 }: AxisText) => formatTick(tick / unit);
  const vertical = x.ticks.flatMap((tick) => [
    element("line", {
      class: "grid",
      x1: x.at(tick),
      x2: x.at(tick),
      y1: AREA.top,
      y2: AREA.bottom,
    }),
    text(mark(tick, chart.x), { class: "faint middle", x: x.at(tick), y: AREA.bottom + 16 }),
  ]);
  const horizontal = y.ticks.flatMap((tick) => [
    element("line", {
      class: "grid",
      x1: AREA.left,
      x2: AREA.right,
      y1: y.at(tick),
      y2: y.at(tick),
    }),
    text(mark(tick, chart.y), { class: "faint end", x: AREA.left - 6, y: y.at(tick) + 4 }),
  ]);
  const names = [
    text(chart.x.name, { class: "middle", x: (AREA.left + AREA.right) / 2, y: HEIGHT - 14 }),
    text(chart.y.name, { x: 12, y: AREA.top - 8 }),
  ];
  return [...vertical, ...horizontal, ...names];
}

function curveOf(
  { name, points, fit }: Series,
  at: {
    readonly chart: LineChart;
    readonly index: number;
    readonly x: Axis;
    readonly y: Axis;
  },
): SvgElement[] {
  const { chart, index, x, y } = at;
  const color = `s${index % NUM_SERIES_COLORS}`;
  const path = (curve: readonly Point[]) =>
    curve.map(([px, py]) => `${x.at(px).toFixed(1)},${y.at(py).toFixed(1)}`).join(" ");
  const dots = points.map(([px, py]) =>
    titled(
      `${name}, ${chart.x.format(px)}: ${chart.y.format(py)}`,
      element("circle", { class: color, cx: x.at(px), cy: y.at(py), r: 4 }),
    ),
  );
  const legendY = AREA.top + 16 + index * LEGEND_LINE;
  const fitted =
    fit === undefined
      ? []
      : [
          element("polyline", {
            class: `${color} fit`,
            points: path(points.map(([px]) => [px, fit(px)])),
          }),
        ];
  return [
    element("polyline", { class: `${color} line`, points: path(points) }),
    ...fitted,
    ...dots,
    element("rect", {
      class: `${color} bar`,
      x: AREA.left + 12,
      y: legendY - 9,
      width: 10,
      height: 10,
    }),
    text(name, { x: AREA.left + 28, y: legendY }),
  ];
}
