import { linearAxis } from "./axis.ts";
import { drawSvg, element, type SvgElement, text, titled } from "./svg.ts";

/** Sums of parts, a bar each. */
export interface StackedChart {
  readonly title: string;
  readonly subtitle: string;
  /** Names of the parts, in the order of the bars. */
  readonly parts: readonly string[];
  /** Name of what follows behind a bar, as an outline. */
  readonly beyond: string;
  readonly bars: readonly StackedBar[];
  readonly format: (value: number) => string;
}

/** One bar. */
export interface StackedBar {
  readonly name: string;
  /** One value for each part. */
  readonly parts: readonly number[];
  /** Drawn behind the sum, as an outline. */
  readonly beyond: number;
}

const WIDTH = 900;
const LABEL_WIDTH = 150;
const BAR_HEIGHT = 34;
const HEAD_HEIGHT = 84;

/** Lightness of the parts: all parts are of two colors, told apart by it. */
const OPACITIES = [1, 0.75, 0.5, 0.3, 1];

/** Sums of parts as horizontal bars from zero. */
export function stackedSvg(chart: StackedChart): string {
  const { title, subtitle, parts, bars, format } = chart;
  const totals = bars.map((bar) => sum(bar.parts) + bar.beyond);
  const to = Math.max(1, ...totals);
  const axis = linearAxis({ from: 0, to, begin: LABEL_WIDTH, end: WIDTH - 20 });
  const bottom = HEAD_HEIGHT + bars.length * BAR_HEIGHT;
  const grid = axis.ticks.flatMap((tick) => {
    const x = axis.at(tick);
    return [
      element("line", { class: "grid", x1: x, x2: x, y1: HEAD_HEIGHT - 4, y2: bottom }),
      text(format(tick), { class: "faint middle", x, y: bottom + 16 }),
    ];
  });
  const said = bars.map(
    (bar) =>
      `${bar.name}: ${parts.map((part, i) => `${part} ${format(bar.parts[i]!)}`).join(", ")}, ${chart.beyond} ${format(bar.beyond)}`,
  );
  return drawSvg({
    title,
    description: `${subtitle}. ${said.join("; ")}.`,
    width: WIDTH,
    height: bottom + 28,
    elements: [
      text(title, { class: "title", x: 12, y: 22 }),
      text(subtitle, { class: "faint", x: 12, y: 42 }),
      ...legend(chart),
      ...grid,
      ...bars.flatMap((bar, index) =>
        barOf(bar, { chart, at: axis.at, y: HEAD_HEIGHT + index * BAR_HEIGHT }),
      ),
    ],
  });
}

function barOf(
  bar: StackedBar,
  {
    chart,
    at,
    y,
  }: { readonly chart: StackedChart; readonly at: (value: number) => number; readonly y: number },
): SvgElement[] {
  const { parts, beyond, format } = chart;
  let begin = 0;
  const boxes = bar.parts.map((value, i) => {
    const x = at(begin);
    begin += value;
    const box = element("rect", {
      ...styleOf(i, parts.length),
      x,
      y: y + 5,
      width: at(begin) - x,
      height: 22,
    });
    return titled(`${bar.name}, ${parts[i]}: ${format(value)}`, box);
  });
  const outline = element("rect", {
    class: "s1",
    "fill-opacity": 0,
    "stroke-dasharray": "4 3",
    x: at(begin),
    y: y + 5,
    width: Math.max(0, at(begin + bar.beyond) - at(begin)),
    height: 22,
  });
  return [
    text(bar.name, { class: "end", x: LABEL_WIDTH - 8, y: y + 20 }),
    ...boxes,
    titled(`${bar.name}, ${beyond}: ${format(bar.beyond)}`, outline),
  ];
}

function legend({ parts, beyond }: StackedChart): SvgElement[] {
  const width = (WIDTH - LABEL_WIDTH - 20) / (parts.length + 1);
  return [...parts, beyond].flatMap((name, i) => {
    const x = LABEL_WIDTH + i * width;
    const style =
      i < parts.length
        ? styleOf(i, parts.length)
        : { class: "s1", "fill-opacity": 0, "stroke-dasharray": "4 3" };
    return [
      element("rect", { ...style, x, y: 55, width: 10, height: 10 }),
      text(name, { x: x + 15, y: 64 }),
    ];
  });
}

/** The last part, which can be shared, has a color of its own. */
function styleOf(index: number, numParts: number): Readonly<Record<string, string | number>> {
  const color = index === numParts - 1 ? "s1" : "s0";
  return { class: `bar ${color}`, "fill-opacity": OPACITIES[index % OPACITIES.length]! };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
