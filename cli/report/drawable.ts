import type {
  BarsFigure,
  CalibrationFigure,
  CurvesFigure,
  DifferencesFigure,
  Figure,
  HeatMapFigure,
} from "./document.ts";

/** Sizes between which scales neither overflow nor vanish. */
const LARGEST = 1e100;
const SMALLEST = 1e-100;

/** A figure without what cannot be drawn. */
export interface Drawable<T extends Figure = Figure> {
  readonly figure: T;
  /** Sentences about what was left out, and on how to read what is there. */
  readonly notes: readonly string[];
}

/** Leaves out what no axis can show (NaN, infinities, zeros on a logarithmic axis), and says so. */
export function drawable(figure: Figure): Drawable {
  switch (figure.kind) {
    case "calibration":
      return drawableCalibration(figure);
    case "curves":
      return drawableCurves(figure);
    case "heat map":
      return drawableHeatMap(figure);
    case "differences":
    case "bars":
      return drawableRows(figure);
  }
}

/** Whether a standard error can be drawn. */
export function isDrawableError(error: number | undefined): error is number {
  return error !== undefined && isDrawable(error) && error >= 0;
}

function isDrawable(value: number, scale: "linear" | "log" = "linear"): boolean {
  if (scale === "log") return value >= SMALLEST && value <= LARGEST;
  return Math.abs(value) <= LARGEST; // false for NaN
}

function drawableCalibration(figure: CalibrationFigure): Drawable<CalibrationFigure> {
  const { series, notes } = keepPoints(
    figure.series,
    ({ predicted, observed, count }) =>
      isDrawable(predicted) && isDrawable(observed) && isDrawable(count) && count >= 0,
  );
  const drawn = series.flatMap(({ points }) => points);
  if (drawn.length > 0) notes.push("The areas of the dots are in proportion to the observations.");
  if (drawn.some(({ error }) => isDrawableError(error))) notes.push(WHISKERS);
  return { figure: { ...figure, series }, notes };
}

function drawableCurves(figure: CurvesFigure): Drawable<CurvesFigure> {
  const { series, notes } = keepPoints(
    figure.series,
    ([x, y]) => isDrawable(x, figure.xScale) && isDrawable(y, figure.yScale),
  );
  return { figure: { ...figure, series }, notes };
}

function drawableHeatMap(figure: HeatMapFigure): Drawable<HeatMapFigure> {
  let numBad = 0;
  const values = figure.values.map((row) =>
    row.map((value) => {
      if (value === null || isDrawable(value, figure.scale)) return value;
      numBad++;
      return null;
    }),
  );
  const numCells = figure.rows.length * figure.columns.length;
  const notes = numBad > 0 ? [leftOut(numBad, numCells, "values")] : [];
  if (values.some((row) => row.includes(null))) notes.push("Empty cells have no number.");
  return { figure: { ...figure, values }, notes };
}

function drawableRows<T extends BarsFigure | DifferencesFigure>(figure: T): Drawable<T> {
  const rows = figure.rows.filter(({ value }) => isDrawable(value));
  const notes: string[] = [];
  const numBad = figure.rows.length - rows.length;
  if (numBad > 0) notes.push(leftOut(numBad, figure.rows.length, "values"));
  const numWithout = rows.filter(
    ({ error }) => error !== undefined && !isDrawableError(error),
  ).length;
  if (numWithout > 0) notes.push(leftOut(numWithout, rows.length, "intervals"));
  if (rows.some(({ error }) => isDrawableError(error))) notes.push(WHISKERS);
  return { figure: { ...figure, rows }, notes };
}

const WHISKERS = "Whiskers span 1.96 standard errors to either side.";

function leftOut(numBad: number, numAll: number, what: string): string {
  return `Not drawn, as no number that the axis can show: ${numBad} of ${numAll} ${what}.`;
}

/** Series with the points that can be drawn; those left with none go. */
function keepPoints<P>(
  all: readonly { readonly name: string; readonly points: readonly P[] }[],
  isGood: (point: P) => boolean,
): { series: { name: string; points: P[] }[]; notes: string[] } {
  const kept = all.map(({ name, points }) => ({ name, points: points.filter(isGood) }));
  const numAll = all.reduce((sum, { points }) => sum + points.length, 0);
  const numKept = kept.reduce((sum, { points }) => sum + points.length, 0);
  const notes: string[] = [];
  if (numKept < numAll) notes.push(leftOut(numAll - numKept, numAll, "points"));
  const empty = kept.filter(({ points }) => points.length === 0).map(({ name }) => name);
  if (empty.length > 0) notes.push(`Without points to draw: ${empty.join("; ")}.`);
  return { series: kept.filter(({ points }) => points.length > 0), notes };
}
