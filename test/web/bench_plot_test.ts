import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { linearAxis, logAxis } from "../../bench/report/axis.ts";
import { rowOf } from "../../bench/report/row.ts";
import { placeLabels } from "../../web/page/bench/labels.ts";
import { NOTHING, type Findings, withEvent } from "../../web/page/bench/findings.ts";
import { plotArea, spaced } from "../../web/page/charts/plot.ts";
import {
  ceilingsOf,
  describe,
  pointsOf,
  rooflinePlot,
} from "../../web/page/bench/roofline_plot.ts";
import { openDocument } from "./page_support.ts";

openDocument();

const ROOFLINE = { bytesPerSecond: 10e9, flopsPerSecond: 100e9, halfFlopsPerSecond: 150e9 };

/** One row of each work, run in a ms. */
function found(...works: readonly { readonly flops: number; readonly bytes: number }[]): Findings {
  return works.reduce<Findings>(
    (findings, work, i) => {
      const about = { id: `case ${i}`, group: "kernels", shape: "", dtype: "f32" } as const;
      const limitMs = () => 0.5 / (i + 1);
      const row = rowOf(about, { rounds: [1], clock: "wall" }, { work, limitMs });
      return withEvent(findings, { kind: "row", row, group: "norm" });
    },
    { ...NOTHING, roofline: ROOFLINE },
  );
}

const FOUND = found({ flops: 1e6, bytes: 1e6 }, { flops: 64e6, bytes: 1e6 });

test("ceilings are in GFLOP/s, the lowest first, and only those that were measured", () => {
  assert.deepEqual(ceilingsOf({ bytesPerSecond: 1, flopsPerSecond: 2e9 }), [
    { name: "f32", gflops: 2 },
  ]);
  const names = ceilingsOf({ ...ROOFLINE, halfFlopsPerSecond: 50e9, matrixFlopsPerSecond: 1e12 });
  assert.deepEqual(
    names.map(({ name }) => name),
    ["f16", "f32", "f16 matrices"],
  );
});

test("a point is at operations a byte and operations a second", () => {
  const points = pointsOf(FOUND.rows);
  assert.deepEqual(
    points.map(({ intensity, gflops }) => [intensity, gflops]),
    [
      [1, 1],
      [64, 64],
    ],
  );
  const { row } = FOUND.rows[0]!;
  const { gflops: _gflops, ...bare } = row;
  assert.deepEqual(pointsOf([{ ...FOUND.rows[0]!, row: bare }]), [], "work is not known");
});

/** Numbers in the `points` of the first roof. */
function roofOf(plot: Element): number[][] {
  const points = plot.querySelector(".bench-roof")!.getAttribute("points")!;
  return points.split(" ").map((corner) => corner.split(",").map(Number));
}

test("the roof rises with memory to the ridge, is level from there, and points lie below it", () => {
  const width = 600;
  const plot = rooflinePlot({ ...FOUND, roofline: { ...ROOFLINE } }, width);
  const [begin, ridge, end] = roofOf(plot) as [number[], number[], number[]];
  assert.ok(begin[0]! < ridge[0]! && ridge[0]! < end[0]!);
  assert.ok(begin[1]! > ridge[1]!, "y grows downwards");
  assert.equal(ridge[1], end[1]);
  const area = plotArea(width, 0);
  assert.ok(begin[0]! >= area.left && end[0]! <= area.right);
  // The ridge is where memory feeds what arithmetic takes: 10 operations a byte.
  const x = logAxis({ from: 0.1, to: 64, begin: area.left, end: area.right });
  assert.ok(Math.abs(ridge[0]! - x.at(10)) < 1, `${ridge[0]} and ${x.at(10)}`);
  const marks = [...plot.querySelectorAll(".bench-mark")];
  assert.equal(marks.length, 2);
  const [mx, my] = /translate\((\S+) (\S+)\)/
    .exec(marks[0]!.getAttribute("transform")!)!
    .slice(1)
    .map(Number);
  assert.ok(Math.abs(mx! - x.at(1)) < 0.1);
  const roofAtOne =
    begin[1]! + ((mx! - begin[0]!) * (ridge[1]! - begin[1]!)) / (ridge[0]! - begin[0]!);
  assert.ok(my! > roofAtOne, "1 GFLOP/s lies below the 10 that memory allows");
  assert.match(
    marks[0]!.textContent ?? "",
    /^1\. case 0: 1\.00 ms, 1\.00 GFLOP\/s, 50.0% of the limit$/,
  );
});

test("the plot is said in words, for those who do not see it", () => {
  assert.equal(
    describe(FOUND),
    "Limits: memory 10.0 GB/s, f32 arithmetic 100 GFLOP/s, f16 arithmetic 150 GFLOP/s. " +
      "2 cases: nearest to its limit is case 0 with 50.0%, farthest case 1 with 25.0%.",
  );
  assert.equal(describe(NOTHING), "The limits of the device are not measured yet.");
  const plot = rooflinePlot({ ...FOUND, roofline: ROOFLINE }, 300);
  assert.equal(plot.getAttribute("role"), "img");
  const id = plot.getAttribute("aria-describedby")!;
  assert.equal(plot.querySelector(`#${id}`)!.textContent, describe(FOUND));
});

test("a plot of ceilings alone, or of a single point far off, stays in its frame", () => {
  for (const findings of [
    found(),
    found({ flops: 1, bytes: 1e9 }),
    found({ flops: 1e12, bytes: 1 }),
  ]) {
    const plot = rooflinePlot({ ...findings, roofline: ROOFLINE }, 360);
    const numbers = [...plot.querySelectorAll("line, text")].flatMap((shape) =>
      ["x", "x1", "x2"].map((name) => Number(shape.getAttribute(name) ?? 0)),
    );
    for (const x of [...numbers, ...roofOf(plot).map(([at]) => at!)]) {
      assert.ok(x >= 0 && x <= 360, `${x}`);
    }
  }
});

test("labels never hide each other, a point or a name, and stay inside", () => {
  const area = { left: 0, right: 300, top: 0, bottom: 200 };
  const name = { left: 200, right: 300, top: 0, bottom: 40 };
  const at = fc.record({
    x: fc.integer({ min: 0, max: 300 }),
    y: fc.integer({ min: 0, max: 200 }),
  });
  fc.assert(
    fc.property(fc.array(at, { maxLength: 40 }), (points) => {
      const wishes = points.map((point, i) => ({ ...point, text: String(i + 1) }));
      const labels = placeLabels(wishes, area, [name]);
      assert.equal(labels.length, wishes.length);
      const boxes = labels.flatMap((label, i) => {
        if (label === undefined) return [];
        const width = 6 * wishes[i]!.text.length; // as narrow as digits are
        const left = label.x - { start: 0, middle: width / 2, end: width }[label.anchor];
        return [{ left, right: left + width, top: label.y - 10, bottom: label.y }];
      });
      const meet = (one: typeof name, other: typeof name) =>
        one.left < other.right &&
        other.left < one.right &&
        one.top < other.bottom &&
        other.top < one.bottom;
      boxes.forEach((box, i) => {
        assert.ok(box.left >= 0 && box.right <= 300 && box.top >= 0 && box.bottom <= 200);
        assert.ok(!meet(box, name));
        for (const other of boxes.slice(i + 1)) assert.ok(!meet(box, other));
        for (const { x, y } of points) {
          assert.ok(!meet(box, { left: x - 3, right: x + 3, top: y - 3, bottom: y + 3 }));
        }
      });
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("a point alone gets its label on the right, and at the edge on the left", () => {
  const area = { left: 0, right: 100, top: 0, bottom: 100 };
  assert.equal(placeLabels([{ x: 50, y: 50, text: "1" }], area)[0]?.anchor, "start");
  assert.equal(placeLabels([{ x: 98, y: 50, text: "1" }], area)[0]?.anchor, "end");
  assert.deepEqual(placeLabels([{ x: 5, y: 5, text: "123456789012345" }], { ...area, right: 10 }), [
    undefined,
  ]);
});

test("marks keep their distance on narrow axes", () => {
  const wide = linearAxis({ from: 0, to: 100, begin: 0, end: 500 });
  assert.deepEqual(spaced(wide, 44), [0, 20, 40, 60, 80, 100]);
  const narrow = linearAxis({ from: 0, to: 100, begin: 0, end: 120 });
  assert.deepEqual(spaced(narrow, 44), [0, 40, 80]);
  assert.deepEqual(spaced({ at: (x) => x, ticks: [3] }, 44), [3]);
});
