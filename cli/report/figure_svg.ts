import { checkFigure } from "./check_document.ts";
import type { Figure } from "./document.ts";
import { drawable } from "./drawable.ts";
import { drawCalibration } from "./plots/calibration.ts";
import { svgElement, drawPlot, svgText } from "./plots/canvas.ts";
import { drawCurves } from "./plots/curves.ts";
import { drawHeatMap } from "./plots/heat_map.ts";
import { drawBars, drawDifferences } from "./plots/rows.ts";

/**
 * A figure as SVG: a file that stands alone, or a part of a page. Letters and axes have the color
 * of the text around. The same figure gives the same bytes.
 *
 * What cannot be drawn (NaN, infinities, zeros on a logarithmic axis) is left out;
 * {@linkcode drawable} says what.
 *
 * @throws {RangeError} If its id is no name of a file, or a heat map is no rectangle.
 */
export function figureToSvg(figure: Figure): string {
  checkFigure(figure);
  const { figure: drawn } = drawable(figure);
  const svg = numMarks(drawn) === 0 ? drawNothing() : draw(drawn);
  return svgText(svg, { id: figure.id, title: figure.title, description: describe(drawn) });
}

function draw(figure: Figure): SVGSVGElement {
  switch (figure.kind) {
    case "calibration":
      return drawCalibration(figure);
    case "curves":
      return drawCurves(figure);
    case "heat map":
      return drawHeatMap(figure);
    case "differences":
      return drawDifferences(figure);
    case "bars":
      return drawBars(figure);
  }
}

function drawNothing(): SVGSVGElement {
  const svg = drawPlot({ width: 480, height: 100, axis: null, marks: [] });
  svg.append(
    svgElement("text", { x: 240, y: 54, "fill-opacity": 0.7 }, "There is nothing to draw"),
  );
  return svg;
}

/** How many points, cells or rows a figure has. */
function numMarks(figure: Figure): number {
  switch (figure.kind) {
    case "calibration":
    case "curves":
      return figure.series.length;
    case "heat map":
      return figure.values.flat().filter((value) => value !== null).length;
    case "differences":
    case "bars":
      return figure.rows.length;
  }
}

/** What a figure shows, in a sentence or two. */
function describe(figure: Figure): string {
  switch (figure.kind) {
    case "calibration":
      return `Share observed against probability predicted, for ${listOf(figure.series)}.`;
    case "curves":
      return `${figure.yLabel} by ${figure.xLabel}, for ${listOf(figure.series)}.`;
    case "heat map":
      return (
        `${figure.valueLabel} by ${figure.rowLabel} (${figure.rows.length}) and ` +
        `${figure.columnLabel} (${figure.columns.length}), as colors.`
      );
    case "differences":
      return `${figure.label}, with intervals around a line at zero, for ${listOf(figure.rows)}.`;
    case "bars":
      return `${figure.label} as bars, for ${listOf(figure.rows)}.`;
  }
}

function listOf(things: readonly { readonly name: string }[]): string {
  const names = [...new Set(things.map(({ name }) => name))];
  if (names.length === 0) return "nothing";
  return names.length <= 12 ? names.join("; ") : `${names.length} names`;
}
