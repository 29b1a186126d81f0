import { logAxis } from "../../../bench/report/axis.ts";
import { formatNumber, formatShare, formatTick } from "../../../bench/report/format.ts";
import type { Roofline } from "../../../engine/profile/limit.ts";
import { plotArea, plotSvg, round } from "../charts/plot.ts";
import { svg } from "../dom.ts";
import type { Findings, MeasuredRow } from "./findings.ts";
import { type Label, placeLabels } from "./labels.ts";

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
  const ceilings = ceilingsOf(roofline);
  const bandwidth = roofline.bytesPerSecond / 1e9;
  const ridges = ceilings.map(({ gflops }) => gflops / bandwidth);
  const xs = [
    ...points.map(({ intensity }) => intensity),
    ...ridges.map((ridge) => 3 * ridge),
    0.1,
  ];
  const ys = [...points.map(({ gflops }) => gflops), ...ceilings.map(({ gflops }) => 1.5 * gflops)];
  const x = logAxis({ ...extent(xs), begin: area.left, end: area.right });
  const y = logAxis({
    ...extent([...ys, bandwidth * 0.1]),
    begin: area.bottom,
    end: area.top,
  });
  const ends = { from: x.ticks[0]!, to: x.ticks.at(-1)!, least: y.ticks[0]! };
  const roofs = ceilings.flatMap((ceiling) => {
    const { gflops, name } = ceiling;
    const begin = Math.max(ends.from, ends.least / bandwidth);
    const corners = [
      [begin, Math.min(gflops, bandwidth * begin)],
      [Math.min(Math.max(begin, gflops / bandwidth), ends.to), gflops],
      [ends.to, gflops],
    ] as const;
    const path = corners.map(([px, py]) => `${round(x.at(px))},${round(y.at(py))}`).join(" ");
    const at = { x: area.right, y: round(y.at(gflops)) - 6, "text-anchor": "end" };
    return [
      svg("polyline", { class: "plot-line bench-roof", points: path }),
      svg("text", { class: "plot-label", ...at }, `${name} ${formatNumber(gflops)} GFLOP/s`),
    ];
  });
  const places = points.map((point) => ({ x: x.at(point.intensity), y: y.at(point.gflops) }));
  const labels = placeLabels(
    places.map((place, i) => ({ ...place, text: String(points[i]!.measured.number) })),
    area,
  );
  return plotSvg(
    {
      title: "Roofline of this device",
      description: describe({ roofline, rows, leftOut: [] }),
      area,
      x: { axis: x, name: "operations for each byte", format: formatTick },
      y: { axis: y, name: "GFLOP/s", format: formatTick },
    },
    [
      ...roofs,
      memoryName(bandwidth, area),
      ...points.flatMap((point, i) => markOf(point, places[i]!, labels[i])),
    ],
  );
}

function memoryName(bandwidth: number, { left, top }: { left: number; top: number }) {
  const at = { x: left + 8, y: top + 14 };
  return svg(
    "text",
    { class: "plot-label", ...at },
    `slope: memory, ${formatNumber(bandwidth)} GB/s`,
  );
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
  const said = `${number}. ${row.id}: ${formatNumber(row.ms)} ms, ${formatNumber(row.gflops)} GFLOP/s, ${formatShare(row.limitShare)} of the limit`;
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
  const say = ({ row }: MeasuredRow) => `${row.id} with ${formatShare(row.limitShare)}`;
  const cases =
    worst === undefined || best === undefined
      ? ""
      : ` ${known.length} ${known.length === 1 ? "case" : "cases"}: nearest to its limit is ${say(best)}, farthest ${say(worst)}.`;
  return `Limits: ${[memory, ...limits].join(", ")}.${cases}`;
}

function extent(values: readonly number[]): { readonly from: number; readonly to: number } {
  return { from: Math.min(...values), to: Math.max(...values) };
}
