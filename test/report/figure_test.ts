import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import fc from "fast-check";
import { DOMParser } from "linkedom";
import type { CurvesFigure, Figure } from "../../cli/report/document.ts";
import { drawable } from "../../cli/report/drawable.ts";
import { figureToCsv } from "../../cli/report/figure_data.ts";
import { figureToSvg } from "../../cli/report/figure_svg.ts";
import { inkOn, luminance } from "../../cli/report/plots/color_scale.ts";
import { COLORS, lookOf } from "../../cli/report/plots/palette.ts";
import { encodePng } from "../../cli/report/plots/pixels.ts";
import { simplify, type Point } from "../../cli/report/plots/simplify.ts";
import { anyFigure, anyText, checkSvg, parseCsv, sampleFigures } from "./report_support.ts";

/** Contrast that graphics need at least (WCAG 2.2, 1.4.11), and text (1.4.3). */
const GRAPHICS_CONTRAST = 3;
const TEXT_CONTRAST = 4.5;

function curves(points: CurvesFigure["series"][number]["points"], more = {}): CurvesFigure {
  const series = [{ name: "one", points }];
  return { kind: "curves", id: "c", title: "C", xLabel: "x", yLabel: "y", series, ...more };
}

function svgOf(figure: Figure): Document {
  return new DOMParser().parseFromString(figureToSvg(figure), "image/svg+xml") as never;
}

test("figures of a study are valid drawings with as many marks as data", () => {
  for (const figure of sampleFigures()) {
    checkSvg(figureToSvg(figure), figure);
    const count = (selector: string) => svgOf(figure).querySelectorAll(selector).length;
    if (figure.kind === "calibration") assert.equal(count("circle"), 70);
    if (figure.id === "learning") assert.equal(count('[aria-label="line"] path'), 12);
    if (figure.id === "transfer") assert.equal(count('[aria-label="cell"] rect'), 8);
    if (figure.id === "all-transitions") assert.equal(count("image"), 1);
    if (figure.kind === "differences") assert.equal(count("circle"), 12);
    if (figure.kind === "bars") assert.equal(count('[aria-label="bar"] rect'), 20);
  }
});

test("any figure is drawn, whatever its numbers and names", () => {
  fc.assert(
    fc.property(anyFigure, (figure) => {
      checkSvg(figureToSvg(figure), figure);
      assert.equal(new Set(parseCsv(figureToCsv(figure)).map((row) => row.length)).size, 1);
    }),
    { numRuns: 60 },
  );
});

test("the same figure gives the same bytes, whatever was drawn before", () => {
  const figures = sampleFigures();
  const first = figures.map(figureToSvg);
  const again = sampleFigures().toReversed().map(figureToSvg).toReversed();
  assert.deepEqual(again, first);
});

test("what cannot be drawn is left out, and the caption says so", () => {
  const { figure, notes } = drawable(
    curves(
      [
        [1, 2],
        [NaN, 1],
        [0, 1],
        [2, Infinity],
        [3, 3],
      ],
      { xScale: "log" },
    ),
  );
  assert.ok(figure.kind === "curves");
  assert.deepEqual(figure.series[0]!.points, [
    [1, 2],
    [3, 3],
  ]);
  assert.match(notes.join(" "), /3 of 5 points/);
  assert.match(drawable(curves([])).notes.join(" "), /Without points to draw: one\./);
});

test("an interval that is no number goes alone; its value stays", () => {
  const rows = [{ name: "a", group: "g", value: 1, error: NaN }];
  const figure: Figure = { kind: "differences", id: "d", title: "D", label: "x", rows };
  assert.match(drawable(figure).notes.join(" "), /1 of 1 intervals/);
  assert.equal(svgOf(figure).querySelectorAll("circle").length, 1);
});

test("a figure without data says that there is nothing to draw", () => {
  assert.match(figureToSvg(curves([])), /There is nothing to draw/);
  assert.match(figureToSvg(curves([[NaN, NaN]])), /There is nothing to draw/);
});

test("names from data cannot leave their place", () => {
  fc.assert(
    fc.property(anyText, (name) => {
      const rows = [{ name, group: name, value: 1, error: 0.1 }];
      for (const kind of ["bars", "differences"] as const) {
        const figure: Figure = { kind, id: "x", title: name, label: name, rows };
        checkSvg(figureToSvg(figure), figure);
      }
    }),
    { numRuns: 50 },
  );
});

test("dots of groups stand where their values are", () => {
  const rows = [0, 1, 2].map((value) => ({ name: `${value}`, group: "g", value, error: 0.1 }));
  const svg = svgOf({ kind: "differences", id: "d", title: "D", label: "x", rows });
  const x = [...svg.querySelectorAll("circle")].map((dot) => Number(dot.getAttribute("cx")));
  assert.ok(Math.abs(x[2]! - x[1]! - (x[1]! - x[0]!)) < 0.05, x.join(" "));
  assert.ok(x[1]! > x[0]! + 20);
});

test("twelve series differ in color and in dashes; more differ in their pair", () => {
  const looks = Array.from({ length: 60 }, (_, index) => lookOf(index));
  assert.equal(new Set(looks.slice(0, 12).map(({ color }) => color)).size, 12);
  assert.equal(new Set(looks.slice(0, 12).map(({ dashes }) => dashes)).size, 12);
  assert.equal(new Set(looks.map(({ color, dashes }) => `${color} ${dashes}`)).size, 60);
});

test("colors stand out from light and from dark pages", () => {
  const contrast = (a: string, b: string) => {
    const [low = 0, high = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  assert.ok(Math.abs(contrast("#000000", "#ffffff") - 21) < 1e-9);
  for (const { light, dark } of COLORS) {
    assert.ok(contrast(light, "#fdfcfa") >= GRAPHICS_CONTRAST, light);
    assert.ok(contrast(dark, "#17181b") >= GRAPHICS_CONTRAST, dark);
  }
  const heat = svgOf(sampleFigures().find(({ id }) => id === "transfer")!);
  for (const cell of heat.querySelectorAll('[aria-label="cell"] rect')) {
    const fill = cell.getAttribute("fill")!;
    assert.ok(contrast(inkOn(fill), fill) >= TEXT_CONTRAST, fill);
  }
});

test("simplify() keeps the ends, and every point within a third of a pixel of the line", () => {
  const points = Array.from({ length: 3000 }, (_, i): Point => [i / 2999, Math.sqrt(i / 2999)]);
  const kept = simplify(points, (point) => point);
  assert.ok(kept.length < 150, `${kept.length}`);
  assert.deepEqual([kept[0], kept.at(-1)], [points[0], points.at(-1)]);
  for (const [x, y] of points) {
    const right = Math.max(
      1,
      kept.findIndex((point) => point[0] >= x),
    );
    const [[x0, y0], [x1, y1]] = [kept[right - 1]!, kept[right]!];
    const area = Math.abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0));
    assert.ok(area / Math.hypot(x1 - x0, y1 - y0) < 0.0006);
  }
  assert.deepEqual(
    simplify([], (point) => point),
    [],
  );
  assert.deepEqual(
    simplify([[1, 1]], (point) => point),
    [[1, 1]],
  );
});

test("encodePng() writes chunks with their sums, and the pixels come back", () => {
  const png = encodePng(
    [
      [0, 1, 2],
      [2, 1, 0],
    ],
    ["#ff0000", "#0000ff"],
  );
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(body));
    chunks.set(body.subarray(0, 4).toString("latin1"), body.subarray(4));
    at += 12 + length;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);
  assert.deepEqual([...inflateSync(chunks.get("IDAT")!)], [0, 0, 1, 2, 0, 2, 1, 0]);
  assert.deepEqual([...chunks.get("PLTE")!], [0, 0, 0, 255, 0, 0, 0, 0, 255]);
});

test("data of figures are written with their labels, also those that cannot be drawn", () => {
  assert.equal(figureToCsv(curves([[1, NaN]])), "series,x,y\none,1,NaN\n");
  const transfer = sampleFigures().find(({ id }) => id === "transfer")!;
  const rows = parseCsv(figureToCsv(transfer));
  assert.deepEqual(rows[0], ["Trained on", "Tested on", "Perplexity"]);
  assert.deepEqual(rows.at(-1), ["NLSY97", "NLSY97", ""]);
  assert.equal(rows.length, 10);
});

test("a heat map that is no rectangle is refused", () => {
  const transfer = sampleFigures().find(({ id }) => id === "transfer")!;
  const bad = { ...transfer, values: [[1]] } as Figure;
  assert.throws(() => figureToSvg(bad), /"transfer": its values must be \[3, 3\], got 1 rows of 1/);
  assert.throws(() => figureToCsv(bad), RangeError);
});
