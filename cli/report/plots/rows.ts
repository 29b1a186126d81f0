import * as Plot from "@observablehq/plot";
import { isDrawableError } from "../drawable.ts";
import type { BarsFigure, DifferencesFigure } from "../document.ts";
import { plainText } from "../escape.ts";
import { drawPlot, fitText, textWidth, WIDTH } from "./canvas.ts";
import { domainOf, type Interval } from "./domain.ts";
import { addLegend } from "./legend.ts";
import { lookOf } from "./palette.ts";

/** Standard errors to either side of an interval of 95%. */
const HALF_INTERVAL = 1.96;

/** The most room that names may take beside a plot. */
const MAX_NAME = 270;

type Line = { readonly key: string; readonly text: string; readonly isHeading: boolean };

interface Mark {
  readonly key: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly color: string;
  readonly hasInterval: boolean;
  readonly title: string;
}

/** A dot with its interval for each row, groups under headings, and a line at zero. */
export function drawDifferences({ rows, label }: DifferencesFigure): SVGSVGElement {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const lines: Line[] = [];
  const marks: Mark[] = [];
  groups.forEach((group, g) => {
    if (groups.length > 1) lines.push({ key: `group ${g}`, text: group, isHeading: true });
    rows.forEach((row, r) => {
      if (row.group !== group) return;
      lines.push({ key: `row ${r}`, text: row.name, isHeading: false });
      marks.push(markOf(row, { key: `row ${r}`, color: lookOf(g).color }));
    });
  });
  const { texts, marginLeft } = namesOf(lines);
  const keys = lines.map(({ key }) => key);
  const axis = { tickSize: 0, tickFormat: (key: string) => texts.get(key)!, label: null };
  const headings = lines.filter(({ isHeading }) => isHeading).map(({ key }) => key);
  const others = lines.filter(({ isHeading }) => !isHeading).map(({ key }) => key);
  return drawPlot({
    width: WIDTH,
    height: 64 + 22 * lines.length,
    marginTop: 16,
    marginBottom: 48,
    marginLeft,
    marginRight: 24,
    x: { label: plainText(label), domain: rangeOf(marks), nice: true, ticks: 7 },
    y: { type: "band", domain: keys },
    marks: [
      Plot.gridX({ ticks: 7 }),
      Plot.axisX({ ticks: 7 }),
      Plot.axisY(others, axis),
      headings.length > 0 ? Plot.axisY(headings, { ...axis, fontWeight: 600 }) : null,
      Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.7 }),
      ...whiskers(marks, "y"),
      Plot.dot(marks, { x: "value", y: "key", r: 4, fill: "color", title: "title" }),
    ],
    color: { type: "identity" },
  });
}

/** Bars that lie, so that long names can be read; one a group beside each other. */
export function drawBars({ rows, label }: BarsFigure): SVGSVGElement {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const names = [...new Set(rows.map(({ name }) => name))];
  const marks = rows.map((row) => ({
    ...markOf(row, {
      key: String(groups.indexOf(row.group)),
      color: lookOf(groups.indexOf(row.group)).color,
    }),
    fy: String(names.indexOf(row.name)),
  }));
  const lines = names.map((text, index) => ({ key: String(index), text, isHeading: false }));
  const { texts, marginLeft } = namesOf(lines);
  const numBars = names.length * groups.length;
  const svg = drawPlot({
    width: WIDTH,
    height: 64 + names.length * 11 + numBars * (groups.length > 1 ? 12 : 16),
    marginTop: 12,
    marginBottom: 48,
    marginLeft,
    marginRight: 24,
    x: { label: plainText(label), domain: rangeOf(marks), nice: true, ticks: 7 },
    y: {
      type: "band",
      axis: null,
      domain: groups.map((_, g) => String(g)),
      paddingInner: 0.08,
      paddingOuter: 0.45,
    },
    fy: {
      label: null,
      domain: lines.map(({ key }) => key),
      padding: 0,
      tickFormat: (key: string) => texts.get(key)!,
    },
    color: { type: "identity" },
    marks: [
      Plot.axisFy({ anchor: "left", label: null, tickFormat: (key: string) => texts.get(key)! }),
      Plot.gridX({ ticks: 7 }),
      Plot.barX(marks, {
        fy: "fy",
        x1: 0,
        x2: "value",
        y: "key",
        fill: "color",
        fillOpacity: 0.85,
        title: "title",
      }),
      ...whiskers(marks, "y", { fy: "fy", stroke: "currentColor" }),
      Plot.ruleX([0], { stroke: "currentColor", strokeOpacity: 0.7 }),
    ],
  });
  addLegend(svg, groups, "bar");
  return svg;
}

function whiskers(marks: readonly Mark[], y: "y", more: Plot.RuleYOptions = {}): Plot.Markish[] {
  const drawn = marks.filter(({ hasInterval }) => hasInterval);
  if (drawn.length === 0) return [];
  return [
    Plot.ruleY(drawn, {
      [y]: "key",
      x1: "low",
      x2: "high",
      stroke: "color",
      strokeWidth: 1.75,
      ...more,
    }),
  ];
}

function markOf(
  row: BarsFigure["rows"][number],
  { key, color }: { readonly key: string; readonly color: string },
): Mark {
  const { value, error, name, group } = row;
  const hasInterval = isDrawableError(error);
  const half = hasInterval ? HALF_INTERVAL * error : 0;
  const digits = (number: number) => String(Number(number.toPrecision(4)));
  return {
    key,
    value,
    color,
    hasInterval,
    low: value - half,
    high: value + half,
    title: plainText(
      `${name}, ${group}: ${digits(value)}${hasInterval ? ` (${digits(error)})` : ""}`,
    ),
  };
}

/** Names as they fit beside a plot, and the room that they take. */
function namesOf(lines: readonly Line[]): { texts: Map<string, string>; marginLeft: number } {
  const texts = new Map(lines.map(({ key, text }) => [key, fitText(text, MAX_NAME)]));
  const widest = Math.max(0, ...[...texts.values()].map((text) => textWidth(text)));
  return { texts, marginLeft: Math.max(48, widest + 16) };
}

/** All values, their intervals and zero. */
function rangeOf(marks: readonly Mark[]): Interval {
  return domainOf([0, ...marks.flatMap(({ low, high }) => [low, high])]);
}
