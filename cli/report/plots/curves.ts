import * as Plot from "@observablehq/plot";
import type { CurvesFigure } from "../document.ts";
import { plainText } from "../escape.ts";
import { drawPlot, WIDTH } from "./canvas.ts";
import { domainOf, type Interval } from "./domain.ts";
import { addLegend } from "./legend.ts";
import { lookOf } from "./palette.ts";
import { simplify, type Point } from "./simplify.ts";

/** Up to as many points each is a dot: they are measurements, not a curve. */
const MAX_DOTS = 24;

/** Lines over a numeric axis, told apart by color and dashes. */
export function drawCurves(figure: CurvesFigure): SVGSVGElement {
  const { series, diagonal = false, xScale = "linear", yScale = "linear" } = figure;
  const points = series.flatMap((each) => each.points);
  let x = domainOf(points.map((point) => point[0]));
  let y = domainOf(points.map((point) => point[1]));
  if (diagonal) x = y = isShares(points) ? [0, 1] : [Math.min(x[0], y[0]), Math.max(x[1], y[1])];
  const width = diagonal ? 480 : WIDTH;
  const domains = { x, y, xScale, yScale };
  const svg = drawPlot({
    width,
    height: diagonal ? width : 380,
    marginTop: 30,
    marginLeft: 56,
    marginBottom: 44,
    x: { type: xScale, domain: x, nice: true, label: plainText(figure.xLabel), ticks: 7 },
    y: { type: yScale, domain: y, nice: true, label: plainText(figure.yLabel), ticks: 7 },
    marks: [
      Plot.gridX({ ticks: 7 }),
      Plot.gridY({ ticks: 7 }),
      diagonal ? Plot.link([0], diagonalOf(x)) : null,
      ...series.flatMap((each, index) => marksOf(each, { index, domains })),
    ],
  });
  addLegend(
    svg,
    series.map(({ name }) => name),
    "line",
  );
  return svg;
}

interface Domains {
  readonly x: Interval;
  readonly y: Interval;
  readonly xScale: "linear" | "log";
  readonly yScale: "linear" | "log";
}

function marksOf(
  { points }: CurvesFigure["series"][number],
  { index, domains }: { readonly index: number; readonly domains: Domains },
): Plot.Markish[] {
  const { color, dashes } = lookOf(index);
  const isDotted = points.length <= MAX_DOTS;
  const path = isDotted ? points : simplify(points, (point) => shareOf(point, domains));
  const options = {
    x: (point: Point) => point[0],
    y: (point: Point) => point[1],
  };
  return [
    Plot.line(path, {
      ...options,
      stroke: color,
      strokeWidth: 2,
      ...(dashes === undefined ? {} : { strokeDasharray: dashes }),
    }),
    isDotted ? Plot.dot(path, { ...options, fill: color, r: 3 }) : null,
  ];
}

/** A point in units of the axes' lengths. */
function shareOf([x, y]: Point, domains: Domains): Point {
  return [
    shareAlong(x, domains.x, domains.xScale === "log"),
    shareAlong(y, domains.y, domains.yScale === "log"),
  ];
}

function shareAlong(value: number, [low, high]: Interval, isLog: boolean): number {
  if (!isLog) return (value - low) / (high - low);
  return (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
}

function diagonalOf([low, high]: Interval): Plot.LinkOptions {
  const ends = { x1: [low], x2: [high], y1: [low], y2: [high] };
  return { ...ends, stroke: "currentColor", strokeOpacity: 0.5, strokeDasharray: "2 3" };
}

function isShares(points: readonly Point[]): boolean {
  return points.every((point) => point.every((value) => value >= 0 && value <= 1));
}
