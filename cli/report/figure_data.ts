import { checkFigure } from "./check_document.ts";
import type { Figure } from "./document.ts";
import { csvLines } from "./escape.ts";

type Row = readonly (string | number | null)[];

/**
 * The data of a figure as CSV, one row a point, a bar or a cell, at full precision; also those
 * that cannot be drawn.
 *
 * @throws {RangeError} If its id is no name of a file, or a heat map is no rectangle.
 */
export function figureToCsv(figure: Figure): string {
  checkFigure(figure);
  return csvLines([header(figure), ...rows(figure)]);
}

function header(figure: Figure): Row {
  switch (figure.kind) {
    case "calibration":
      return ["series", "predicted", "observed", "count", "standard error"];
    case "curves":
      return ["series", figure.xLabel, figure.yLabel];
    case "heat map":
      return [figure.rowLabel, figure.columnLabel, figure.valueLabel];
    case "differences":
    case "bars":
      return ["group", "name", figure.label, "standard error"];
  }
}

function rows(figure: Figure): Row[] {
  switch (figure.kind) {
    case "calibration":
      return figure.series.flatMap(({ name, points }) =>
        points.map(({ predicted, observed, count, error = null }) => [
          name,
          predicted,
          observed,
          count,
          error,
        ]),
      );
    case "curves":
      return figure.series.flatMap(({ name, points }) => points.map(([x, y]) => [name, x, y]));
    case "heat map":
      return figure.rows.flatMap((row, r) =>
        figure.columns.map((column, c) => [row, column, figure.values[r]![c]!]),
      );
    case "differences":
    case "bars":
      return figure.rows.map(({ group, name, value, error = null }) => [group, name, value, error]);
  }
}
