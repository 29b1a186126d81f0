import * as Plot from "@observablehq/plot";
import { isDrawableError } from "../drawable.ts";
import type { CalibrationFigure } from "../document.ts";
import { drawPlot, fitText, WIDTH } from "./canvas.ts";
import { COLORS } from "./palette.ts";

/** Margins around all panels, and the widest panel. */
const LEFT = 52;
const RIGHT = 16;
const MAX_PANEL = 270;

/** Share of a panel's column or row that is the gap beside it. */
const GAP = 0.14;

/** Standard errors to either side of an interval of 95%. */
const HALF_INTERVAL = 1.96;

interface Dot {
  readonly predicted: number;
  readonly observed: number;
  readonly count: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly fx: number;
  readonly fy: number;
}

/** One panel a series, so that none hides another: the diagonal, dots and their intervals. */
export function drawCalibration({ series }: CalibrationFigure): SVGSVGElement {
  const numColumns = columnsFor(series.length);
  const numRows = Math.ceil(series.length / numColumns);
  const panel = Math.min(MAX_PANEL, (WIDTH - LEFT - RIGHT) / numColumns);
  const place = (index: number) => ({
    fx: index % numColumns,
    fy: Math.floor(index / numColumns),
  });
  const domain = domainOf(series);
  const dots = series.flatMap(({ points }, index) =>
    points.map((point): Dot => ({ ...point, ...place(index), ...intervalOf(point, domain) })),
  );
  const names = series.map(({ name }, index) => ({
    ...place(index),
    name: fitText(name, (panel * (1 - GAP)) / 1.12),
  }));
  const color = COLORS[0]!.light;
  const facet = { fx: "fx", fy: "fy" };
  const axis = {
    type: "linear" as const,
    domain,
    ticks: panel < 200 ? 3 : 5,
    labelAnchor: "center" as const,
    labelArrow: "none" as const,
    tickFormat: (value: number) => String(Number(value.toPrecision(3))),
  };
  return drawPlot({
    width: LEFT + RIGHT + numColumns * panel,
    height: 30 + 46 + numRows * panel,
    marginTop: 30,
    marginBottom: 46,
    marginLeft: LEFT,
    marginRight: RIGHT,
    fx: { axis: null, padding: numColumns === 1 ? 0 : GAP },
    fy: { axis: null, padding: numRows === 1 ? 0 : 0.2 },
    x: { ...axis, label: "Predicted" },
    y: { ...axis, label: "Observed" },
    r: { range: [0, 7] },
    marks: [
      Plot.frame({ stroke: "currentColor", strokeOpacity: 0.25 }),
      Plot.link([0], {
        x1: [domain[0]],
        x2: [domain[1]],
        y1: [domain[0]],
        y2: [domain[1]],
        stroke: "currentColor",
        strokeOpacity: 0.5,
        strokeDasharray: "2 3",
      }),
      Plot.text(names, { ...facet, text: "name", frameAnchor: "top", dy: -12, fontWeight: 600 }),
      Plot.ruleX(
        dots.filter(({ low }) => low !== null),
        { ...facet, x: "predicted", y1: "low", y2: "high", stroke: color, strokeWidth: 1.25 },
      ),
      Plot.dot(dots, {
        ...facet,
        x: "predicted",
        y: "observed",
        r: "count",
        fill: color,
        fillOpacity: 0.85,
        title: ({ predicted, observed, count }: Dot) =>
          `${predicted.toFixed(3)} predicted, ${observed.toFixed(3)} observed, of ${count}`,
      }),
    ],
  });
}

/** The probabilities there can be, or more where data say more. */
function domainOf(series: CalibrationFigure["series"]): [low: number, high: number] {
  let [low, high] = [0, 1];
  for (const { points } of series) {
    for (const { predicted, observed } of points) {
      low = Math.min(low, predicted, observed);
      high = Math.max(high, predicted, observed);
    }
  }
  return [low, high];
}

function intervalOf(
  { observed, error }: { readonly observed: number; readonly error?: number },
  [low, high]: readonly [low: number, high: number],
): { low: number | null; high: number | null } {
  if (!isDrawableError(error)) return { low: null, high: null };
  return {
    low: Math.max(low, observed - HALF_INTERVAL * error),
    high: Math.min(high, observed + HALF_INTERVAL * error),
  };
}

/** Columns of a grid of panels without a lone one in its last row where that can be. */
function columnsFor(numPanels: number): number {
  if (numPanels <= 3) return numPanels;
  if (numPanels === 4) return 2;
  return 3;
}
