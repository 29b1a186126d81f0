import { type Axis, logAxis } from "../../../bench/report/axis.ts";
import { formatNumber, formatTick } from "../../../bench/report/format.ts";
import type { Roofline } from "../../../engine/profile/limit.ts";
import { type PlotArea, plotArea, plotSvg, round } from "../charts/plot.ts";
import { svg } from "../dom.ts";
import type { Findings, MeasuredRow } from "./findings.ts";
import { type Box, type Label, placeLabels } from "./labels.ts";
import { percent } from "../shell/words.ts";

/** A limit of arithmetic, in GFLOP/s. */
export interface Ceiling {
  readonly name: string;
  readonly gflops: number;
}

/** A row as the plot shows it. */
export interface PlotPoint {
  readonly measured: MeasuredRow;
  /** Operations for each byte that must move. */
  readonly intensity: number;
  readonly gflops: number;
}

const HEIGHT = 380;

/** The plot begins here at the latest, so that the slope shows. */
const LEAST_INTENSITY = 0.1;

/** Of a letter of the plot, roughly. */
const LETTER = { width: 6.5, height: 14 } as const;

/** Shapes by type, so that colors are not needed to tell them apart. */
const MARKS: Readonly<Record<string, string>> = {
  f32: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  f16: "M-4 -4h8v8h-8z",
  int8: "M0 -5l5 9h-10z",
  int4: "M0 -6l5 6l-5 6l-5 -6z",
};

/** The ceilings of arithmetic that were measured, the lowest first. */
export function ceilingsOf(roofline: Roofline): Ceiling[] {
  const { flopsPerSecond, halfFlopsPerSecond, matrixFlopsPerSecond } = roofline;
  return [
    { name: "f32", gflops: flopsPerSecond / 1e9 },
    { name: "f16", gflops: (halfFlopsPerSecond ?? NaN) / 1e9 },
    { name: "f16 matrices", gflops: (matrixFlopsPerSecond ?? NaN) / 1e9 },
  ]
    .filter(({ gflops }) => gflops > 0)
    .toSorted((one, other) => one.gflops - other.gflops);
}

/** Rows whose operations and bytes are known, as points. */
export function pointsOf(rows: readonly MeasuredRow[]): PlotPoint[] {
  return rows.flatMap((measured) => {
    const { gflops = 0, gbps = 0 } = measured.row;
    return gflops > 0 && gbps > 0 ? [{ measured, intensity: gflops / gbps, gflops }] : [];
  });
}

/**
 * The roofline plot: operations a second against operations a byte, both logarithmic. Memory's
 * limit is the slope on the left, arithmetic's the roof.
 *
 * @see Williams, Waterman & Patterson, "Roofline", 2009.
 * @param findings With ceilings.
 * @param width In CSS pixels.
 */
export function rooflinePlot(
  { roofline, rows }: Findings & { readonly roofline: Roofline },
  width: number,
): SVGSVGElement {
  const area = plotArea(width, HEIGHT);
  const points = pointsOf(rows);
  const axes = axesOf(roofline, points, area);
  const { x, y } = axes;
  const roofs = roofsOf(roofline, axes, area);
  const places = points.map(({ intensity, gflops, measured: { number } }) => ({
    x: x.at(intensity),
    y: y.at(gflops),
    text: String(number),
  }));
  const labels = placeLabels(places, area, roofs.boxes);
  return plotSvg(
    {
      title: "Roofline of this device",
      description: describe({ roofline, rows, leftOut: [] }),
      area,
      x: { axis: x, name: "operations for each byte", format: formatTick },
      y: { axis: y, name: "GFLOP/s", format: formatTick },
    },
    [...roofs.shapes, ...points.flatMap((point, i) => markOf(point, places[i]!, labels[i]))],
  );
}

interface Axes {
  readonly x: Axis;
  readonly y: Axis;
}

/** Axes that hold all points, the ridges of the roof, and some air. */
function axesOf(roofline: Roofline, points: readonly PlotPoint[], area: PlotArea): Axes {
  const ceilings = ceilingsOf(roofline).map(({ gflops }) => gflops);
  const bandwidth = roofline.bytesPerSecond / 1e9;
  const xs = [
    ...points.map(({ intensity }) => intensity),
    ...ceilings.map((gflops) => (3 * gflops) / bandwidth),
    LEAST_INTENSITY,
  ];
  const ys = [
    ...points.map(({ gflops }) => gflops),
    ...ceilings.map((gflops) => 1.5 * gflops),
    bandwidth * LEAST_INTENSITY,
  ];
  return {
    x: logAxis({ ...extent(xs), begin: area.left, end: area.right }),
    y: logAxis({ ...extent(ys), begin: area.bottom, end: area.top }),
  };
}

/** The roofs with their names, and where the names stand. */
function roofsOf(
  roofline: Roofline,
  { x, y }: Axes,
  area: PlotArea,
): { readonly shapes: SVGElement[]; readonly boxes: Box[] } {
  const bandwidth = roofline.bytesPerSecond / 1e9;
  const begin = Math.max(x.ticks[0]!, y.ticks[0]! / bandwidth);
  const end = x.ticks.at(-1)!;
  const lines = ceilingsOf(roofline).map(({ gflops, name }) => {
    const ridge = Math.min(Math.max(begin, gflops / bandwidth), end);
    const corners = [begin, ridge, end].map((intensity) => {
      const reached = Math.min(gflops, bandwidth * intensity);
      return `${round(x.at(intensity))},${round(y.at(reached))}`;
    });
    const text = `${name} ${formatNumber(gflops)}`;
    return { corners: corners.join(" "), text, baseline: round(y.at(gflops)) - 6 };
  });
  const names = [
    ...lines,
    { text: `╱ memory ${formatNumber(bandwidth)} GB/s`, baseline: area.bottom - 8 },
  ];
  const place = { class: "plot-label", x: area.right - 4, "text-anchor": "end" };
  return {
    shapes: [
      ...lines.map(({ corners }) =>
        svg("polyline", { class: "plot-line bench-roof", points: corners }),
      ),
      ...names.map(({ text, baseline }) => svg("text", { ...place, y: baseline }, text)),
    ],
    boxes: names.map(({ text, baseline }) => ({
      left: area.right - 4 - LETTER.width * text.length,
      right: area.right,
      top: baseline - LETTER.height,
      bottom: baseline + 4,
    })),
  };
}

function markOf(
  { measured: { row, number } }: PlotPoint,
  { x, y }: { readonly x: number; readonly y: number },
  label: Label | undefined,
): SVGElement[] {
  const path = svg("path", {
    class: `bench-mark bench-${row.dtype}`,
    d: MARKS[row.dtype] ?? MARKS["f32"],
    transform: `translate(${round(x)} ${round(y)})`,
  });
  const said = `${number}. ${row.id}: ${formatNumber(row.ms)} ms, ${formatNumber(row.gflops)} GFLOP/s, ${percent(row.limitShare)} of the limit`;
  path.append(svg("title", {}, said));
  if (label === undefined) return [path];
  const at = { x: round(label.x), y: round(label.y), "text-anchor": label.anchor };
  return [path, svg("text", { class: "plot-label bench-number", ...at }, String(number))];
}

/** The plot in words. */
export function describe({ roofline, rows }: Findings): string {
  if (roofline === undefined) return "The limits of the device are not measured yet.";
  const limits = ceilingsOf(roofline).map(
    ({ name, gflops }) => `${name} arithmetic ${formatNumber(gflops)} GFLOP/s`,
  );
  const memory = `memory ${formatNumber(roofline.bytesPerSecond / 1e9)} GB/s`;
  const known = rows
    .filter(({ row }) => row.limitShare !== undefined)
    .toSorted((one, other) => one.row.limitShare! - other.row.limitShare!);
  const [worst, best] = [known[0], known.at(-1)];
  const say = ({ row }: MeasuredRow) => `${row.id} with ${percent(row.limitShare)}`;
  const cases =
    worst === undefined || best === undefined
      ? ""
      : ` ${known.length} ${known.length === 1 ? "case" : "cases"}: nearest to its limit is ${say(best)}, farthest ${say(worst)}.`;
  return `Limits: ${[memory, ...limits].join(", ")}.${cases}`;
}

function extent(values: readonly number[]): { readonly from: number; readonly to: number } {
  return { from: Math.min(...values), to: Math.max(...values) };
}
