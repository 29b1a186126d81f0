import { linearAxis, logAxis } from "./axis.ts";
import { formatNumber, formatShare, formatTick } from "./format.ts";
import type { BenchRow } from "./row.ts";
import { drawSvg, element, type SvgElement, text, titled } from "./svg.ts";

/** Sizes in pixels. */
const WIDTH = 1000;
const LABEL_WIDTH = 460;
const BAR_HEIGHT = 16;
const HEAD_HEIGHT = 60;
const FOOT_HEIGHT = 24;
const BARS_END = WIDTH - 90;

/** Below this share of the limit, a bar says that something is left to do. */
const LOW_SHARE = 0.25;

/** How a chart is headed. */
export interface ChartHead {
  readonly title: string;
  /** Adapter, date and the like. */
  readonly subtitle: string;
}

/**
 * Rows as horizontal bars: shares of the adapter's limit where these are known of any row, else
 * times on a logarithmic scale, with the noise band as a whisker.
 */
export function rowsSvg(rows: readonly BenchRow[], head: ChartHead): string {
  const shares = rows.filter(({ limitShare }) => limitShare !== undefined);
  return shares.length > 0 ? sharesSvg(shares, head) : timesSvg(rows, head);
}

/** Shares of the adapter's limit, from 0 to 100 % or the largest. */
function sharesSvg(rows: readonly BenchRow[], head: ChartHead): string {
  const to = Math.max(1, ...rows.map(({ limitShare }) => limitShare!));
  const axis = linearAxis({ from: 0, to, begin: LABEL_WIDTH, end: BARS_END });
  const share = ({ limitShare }: BenchRow) => limitShare!;
  return barsSvg(rows, head, {
    axis,
    what: "share of the adapter's limit",
    tickText: formatShare,
    valueOf: share,
    valueText: (row) => formatShare(share(row)),
    classOf: (row) => (share(row) < LOW_SHARE ? "s1" : "s0"),
  });
}

/** Median times, with their noise bands. */
function timesSvg(rows: readonly BenchRow[], head: ChartHead): string {
  const drawn = rows.filter(({ lowMs }) => lowMs > 0);
  const from = Math.min(...drawn.map(({ lowMs }) => lowMs), 1);
  const to = Math.max(...drawn.map(({ highMs }) => highMs), from * 10);
  const axis = logAxis({ from, to, begin: LABEL_WIDTH, end: BARS_END });
  return barsSvg(drawn, head, {
    axis,
    what: "median time in ms, logarithmic",
    tickText: formatTick,
    valueOf: ({ ms }) => ms,
    valueText: ({ ms }) => `${formatNumber(ms)} ms`,
    classOf: () => "s0",
    bandOf: ({ lowMs, highMs }) => [lowMs, highMs],
  });
}

/** What the bars of a chart say. */
interface Bars {
  readonly axis: ReturnType<typeof linearAxis>;
  readonly what: string;
  readonly tickText: (value: number) => string;
  readonly valueOf: (row: BenchRow) => number;
  readonly valueText: (row: BenchRow) => string;
  readonly classOf: (row: BenchRow) => string;
  readonly bandOf?: (row: BenchRow) => readonly [low: number, high: number];
}

function barsSvg(rows: readonly BenchRow[], { title, subtitle }: ChartHead, bars: Bars): string {
  const bottom = HEAD_HEIGHT + rows.length * BAR_HEIGHT;
  const { axis, what, tickText } = bars;
  const grid = axis.ticks.flatMap((tick) => {
    const x = axis.at(tick);
    return [
      element("line", { class: "grid", x1: x, x2: x, y1: HEAD_HEIGHT - 4, y2: bottom }),
      text(tickText(tick), { class: "faint middle", x, y: bottom + 15 }),
    ];
  });
  return drawSvg({
    title,
    description: `${subtitle}. Bars: ${what}. ${rows.map((row) => `${row.id}: ${bars.valueText(row)}`).join("; ")}.`,
    width: WIDTH,
    height: bottom + FOOT_HEIGHT,
    elements: [
      text(title, { class: "title", x: 12, y: 22 }),
      text(`${what}; ${subtitle}`, { class: "faint", x: 12, y: 42 }),
      ...grid,
      ...rows.flatMap((row, index) => barOf(row, HEAD_HEIGHT + index * BAR_HEIGHT, bars)),
    ],
  });
}

function barOf(row: BenchRow, y: number, bars: Bars): SvgElement[] {
  const { axis, valueOf, valueText, classOf, bandOf } = bars;
  const baseline = y + BAR_HEIGHT - 4;
  const end = axis.at(valueOf(row));
  const bar = element("rect", {
    class: `bar ${classOf(row)}`,
    x: LABEL_WIDTH,
    y: y + 2,
    width: Math.max(1, end - LABEL_WIDTH),
    height: BAR_HEIGHT - 4,
  });
  const [low, high] = bandOf?.(row).map(axis.at) ?? [end, end];
  const middle = y + BAR_HEIGHT / 2;
  const whisker = element("line", { class: "band", x1: low!, x2: high!, y1: middle, y2: middle });
  return [
    text(row.id, { class: "end", x: LABEL_WIDTH - 8, y: baseline }),
    titled(`${row.id}: ${valueText(row)}`, bar),
    ...(bandOf === undefined ? [] : [whisker]),
    text(valueText(row), { class: "faint", x: Math.max(end, high!) + 5, y: baseline }),
  ];
}
