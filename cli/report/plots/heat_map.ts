import * as Plot from "@observablehq/plot";
import type { HeatMapFigure } from "../document.ts";
import { plainText } from "../escape.ts";
import { drawPlot, fitText, svgElement, textWidth, WIDTH } from "./canvas.ts";
import { addScale, colorScale, inkOn } from "./color_scale.ts";
import { pixels } from "./pixels.ts";

/** Cells as rectangles up to here; beyond, an image of one pixel a cell. */
const MAX_RECTANGLES = 2500;

/** Values are printed into cells at least so large, in pixels. */
const MIN_PRINTED = { width: 38, height: 18 };

/** The most room that names may take, in pixels: of rows, and of columns, which stand upright. */
const MAX_ROW_NAME = 200;
const MAX_COLUMN_NAME = 150;

/** Room of the scale of colors on top, and of an axis' label. */
const SCALE_HEIGHT = 46;
const AXIS_LABEL = 22;

interface Square {
  readonly row: string;
  readonly column: string;
  readonly fill: string;
  readonly ink: string;
  readonly text: string;
  readonly title: string;
}

/** Numbers by row and column as colors; printed too where there is room. */
export function drawHeatMap(figure: HeatMapFigure): SVGSVGElement {
  const { rows, columns } = figure;
  const layout = layOut(figure);
  const scale = colorScale(figure);
  const isImage = rows.length * columns.length > MAX_RECTANGLES;
  const squares = isImage ? [] : squaresOf(figure, scale.colorOf);
  const isPrinted =
    layout.cellWidth >= MIN_PRINTED.width && layout.cellHeight >= MIN_PRINTED.height;
  const [x, y] = [{ x: "column" }, { y: "row" }];
  const svg = drawPlot({
    width: layout.width,
    height: layout.height,
    marginTop: layout.top,
    marginLeft: layout.left,
    marginRight: layout.right,
    marginBottom: layout.bottom,
    x: { type: "band", domain: keysOf(columns), padding: 0, axis: null, round: false },
    y: { type: "band", domain: keysOf(rows), padding: 0, axis: null, round: false },
    color: { type: "identity" },
    marks: [
      Plot.frame({ stroke: "currentColor", strokeOpacity: 0.25 }),
      Plot.cell(squares, { ...x, ...y, fill: "fill", title: "title", inset: 0.5 }),
      isPrinted ? Plot.text(squares, { ...x, ...y, text: "text", fill: "ink" }) : null,
    ],
  });
  if (isImage) svg.append(pixels(figure.values, scale, layout));
  addNames(svg, figure, layout);
  addScale(svg, scale, { x: layout.left, label: figure.valueLabel, width: layout.width });
  return svg;
}

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly top: number;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Whether names of columns stand upright. */
  readonly isUpright: boolean;
}

function layOut({ rows, columns }: HeatMapFigure): Layout {
  const nameWidth = (names: readonly string[], most: number) =>
    Math.min(most, Math.max(0, ...names.map((name) => textWidth(plainText(name)))));
  const left = AXIS_LABEL + nameWidth(rows, MAX_ROW_NAME) + 8;
  const right = 12;
  const room = WIDTH - left - right;
  const cellWidth = Math.min(72, room / Math.max(1, columns.length));
  const cellHeight = Math.min(
    cellWidth,
    Math.max(26, cellWidth / 2),
    560 / Math.max(1, rows.length),
  );
  const longest = nameWidth(columns, MAX_COLUMN_NAME);
  const isUpright = longest > cellWidth - 4;
  const bottom = (isUpright ? longest : 16) + AXIS_LABEL + 10;
  const top = SCALE_HEIGHT;
  return {
    width: Math.max(left + columns.length * cellWidth + right, 320),
    height: top + rows.length * cellHeight + bottom,
    top,
    left,
    right: Math.max(right, 320 - left - columns.length * cellWidth),
    bottom,
    cellWidth,
    cellHeight,
    isUpright,
  };
}

function squaresOf(
  { rows, columns, values }: HeatMapFigure,
  colorOf: (value: number) => string,
): Square[] {
  return values.flatMap((cells, r) =>
    cells.flatMap((value, c) => {
      if (value === null) return [];
      const fill = colorOf(value);
      const text = shortNumber(value);
      const title = plainText(`${rows[r]!} × ${columns[c]!}: ${text}`);
      return [{ row: String(r), column: String(c), fill, ink: inkOn(fill), text, title }];
    }),
  );
}

/** Names beside rows and under columns: as many as there is room for, evenly. */
function addNames(svg: SVGSVGElement, figure: HeatMapFigure, layout: Layout): void {
  const { top, left, bottom, height, cellWidth, cellHeight, isUpright } = layout;
  const group = svgElement("g", { "aria-label": "names of rows and columns" });
  const rowStep = Math.ceil(14 / cellHeight);
  figure.rows.forEach((name, r) => {
    if (r % rowStep !== 0) return;
    const y = top + (r + 0.5) * cellHeight + 4;
    group.append(
      svgElement("text", { x: left - 6, y, "text-anchor": "end" }, fitText(name, MAX_ROW_NAME)),
    );
  });
  const columnStep = isUpright ? Math.ceil(14 / cellWidth) : 1;
  const under = height - bottom;
  figure.columns.forEach((name, c) => {
    if (c % columnStep !== 0) return;
    const x = left + (c + 0.5) * cellWidth;
    const place = isUpright
      ? { transform: `translate(${x + 4},${under + 8}) rotate(-90)`, "text-anchor": "end" }
      : { x, y: under + 16, "text-anchor": "middle" };
    group.append(svgElement("text", place, fitText(name, MAX_COLUMN_NAME)));
  });
  const middle = { x: left + (figure.columns.length * cellWidth) / 2, y: (top + under) / 2 };
  group.append(
    svgElement("text", { x: middle.x, y: height - 6, "font-weight": 600 }, figure.columnLabel),
    svgElement(
      "text",
      { transform: `translate(12,${middle.y}) rotate(-90)`, "font-weight": 600 },
      figure.rowLabel,
    ),
  );
  svg.append(group);
}

function keysOf(names: readonly string[]): string[] {
  return names.map((_, index) => String(index));
}

/** Three digits that count, in as few letters as a cell has room for. */
function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e5)) return value.toExponential(0);
  if (Number.isInteger(value)) return String(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}
