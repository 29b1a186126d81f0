import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsSvg } from "../../bench/report/bar_chart.ts";
import { formatBytes, formatNumber, formatShare } from "../../bench/report/format.ts";
import { linesSvg } from "../../bench/report/line_chart.ts";
import { rowsMarkdown, table } from "../../bench/report/markdown.ts";
import { type BenchRow, rowOf } from "../../bench/report/row.ts";
import { stackedSvg } from "../../bench/report/stacked_chart.ts";
import { barsOf, checkWellFormed, linesOf, rectsOf } from "./svg_check.ts";

const HEAD = { title: "Rows & <columns>", subtitle: 'an "adapter"' };

/** A row of three rounds. */
function row(id: string, rounds: readonly number[], more: Partial<BenchRow> = {}): BenchRow {
  const about = { id, group: "kernels", shape: "[2, 2]", dtype: "f32", ...more } as const;
  return rowOf(about, { rounds, clock: "wall" });
}

test("rowOf() gives rates by the median, and the share of the limit", () => {
  const about = { id: "a", group: "kernels", shape: "", dtype: "f16" } as const;
  const made = rowOf(
    about,
    { rounds: [4, 1, 2], clock: "timestamps" },
    {
      work: { flops: 6e6, bytes: 3e6 },
      limitMs: ({ flops, bytes, dtype }) => (dtype === "f16" ? (flops + bytes) / 1.8e7 : NaN),
    },
  );
  assert.deepEqual(made, {
    ...about,
    ms: 2,
    lowMs: 1,
    highMs: 4,
    numRounds: 3,
    clock: "timestamps",
    gflops: 3,
    gbps: 1.5,
    limitShare: 0.25,
  });
});

test("numbers are written with three digits that count", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0"],
    [0.012345, "0.0123"],
    [4.5678, "4.57"],
    [99.95, "100"],
    [1234.5, "1,230"],
    [1e-9, "1.00e-9"],
    [NaN, "-"],
  ];
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
  assert.deepEqual(
    [formatShare(0.5), formatShare(0.0123), formatShare(undefined)],
    ["50 %", "1.2 %", "-"],
  );
  assert.deepEqual(
    [formatBytes(0), formatBytes(1536), formatBytes(2 ** 31)],
    ["0 B", "1.50 KiB", "2.00 GiB"],
  );
});

test("a Markdown table has as many cells in every line, and escapes bars", () => {
  const lines = table(
    ["case", "ms"],
    [
      ["a|b", "1"],
      ["c", "22"],
    ],
  )
    .trimEnd()
    .split("\n");
  assert.equal(lines.length, 4);
  const cells = lines.map((line) => line.split(/(?<!\\)\|/).length);
  assert.deepEqual(new Set(cells), new Set([4]));
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1, "lines are aligned");
  assert.match(lines[2]!, /a\\\|b/);
});

test("rows in Markdown stand in their group, with just the columns that say something", () => {
  const text = rowsMarkdown([
    row("decode x", [1, 2, 3], { group: "decode", tokensPerSecond: 500 }),
    row("matmul x", [1, 2, 3], { peakBytes: 2 ** 20 }),
  ]);
  const [, kernels, decode] = text.split(/^## /m);
  assert.match(kernels!, /^kernels\n/);
  assert.match(kernels!, /peak[\s\S]*1\.00 MiB/);
  assert.doesNotMatch(kernels!, /tokens|limit/);
  assert.match(decode!, /^decode\n[\s\S]*tokens\/s[\s\S]*500/);
  assert.doesNotMatch(text, /## titles/);
});

test("bars of shares are as long as the shares, from one place, and low ones stand out", () => {
  const svg = rowsSvg(
    [
      row("a", [1], { limitShare: 0.8 }),
      row("b", [1], { limitShare: 0.4 }),
      row("c", [1], { limitShare: 0.1 }),
    ],
    HEAD,
  );
  checkWellFormed(svg);
  const bars = barsOf(svg);
  assert.equal(new Set(bars.map(({ x }) => x)).size, 1);
  const [a, b, c] = bars.map(({ width }) => width);
  assert.ok(Math.abs(a! / b! - 2) < 0.01 && Math.abs(b! / c! - 4) < 0.1, `${a} ${b} ${c}`);
  assert.deepEqual(
    bars.map((bar) => bar.class),
    ["bar s0", "bar s0", "bar s1"],
  );
});

test("bars of times are logarithmic, and whiskers span the noise band", () => {
  const svg = rowsSvg(
    [row("a", [0.9, 1, 1.2]), row("b", [9, 10, 12]), row("c", [90, 100, 120])],
    HEAD,
  );
  checkWellFormed(svg);
  const [a, b, c] = barsOf(svg).map(({ width }) => width);
  assert.ok(Math.abs(b! - a! - (c! - b!)) < 0.1, "equal factors are equal steps");
  for (const { x1, x2 } of linesOf(svg, "band")) assert.ok(x2 > x1);
  assert.equal(linesOf(svg, "band").length, 3);
});

test("charts say in words what they show, name themselves, and adapt to dark backgrounds", () => {
  const svg = rowsSvg([row("matmul <&>", [1, 2, 3])], HEAD);
  assert.match(svg, /role="img" aria-labelledby="title description"/);
  assert.match(svg, /<title id="title">Rows &amp; &lt;columns&gt;<\/title>/);
  assert.match(svg, /<desc id="description">[^<]*matmul &lt;&amp;&gt;: 2\.00 ms/);
  assert.match(svg, /prefers-color-scheme: dark/);
});

test("no rows give a chart without bars", () => {
  const svg = rowsSvg([], HEAD);
  checkWellFormed(svg);
  assert.equal(barsOf(svg).length, 0);
});

test("a power is a straight line in log-log, and the fit lies on it", () => {
  const svg = linesSvg({
    ...HEAD,
    scale: "log",
    x: { name: "x", format: formatNumber },
    y: { name: "y", format: formatNumber },
    series: [
      {
        name: "cubes",
        points: [
          [1, 1],
          [10, 1e3],
          [100, 1e6],
        ],
        fit: (x) => x ** 3,
      },
      {
        name: "ones",
        points: [
          [1, 1],
          [100, 1],
        ],
      },
    ],
  });
  checkWellFormed(svg);
  const [cubes, fit] = Array.from(svg.matchAll(/<polyline[^>]* points="([^"]*)"/g), ([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number)),
  );
  const [begin, middle, end] = cubes!;
  assert.deepEqual(
    middle,
    [0, 1].map((axis) => (begin![axis]! + end![axis]!) / 2),
  );
  assert.ok(end![1]! < begin![1]!, "larger values are higher up");
  assert.deepEqual(fit, cubes);
});

test("parts of a stacked bar follow one another, and end where the sum is", () => {
  const svg = stackedSvg({
    ...HEAD,
    parts: ["a", "b", "c"],
    beyond: "rest",
    format: formatBytes,
    bars: [{ name: "one", parts: [100, 200, 300], beyond: 400 }],
  });
  checkWellFormed(svg);
  const boxes = rectsOf(svg).filter(({ height }) => height === 22);
  assert.equal(boxes.length, 4);
  boxes.slice(1).forEach((box, i) => {
    assert.ok(Math.abs(box.x - (boxes[i]!.x + boxes[i]!.width)) < 0.02);
  });
  const unit = boxes[0]!.width / 100;
  boxes.forEach(({ width }, i) => assert.ok(Math.abs(width / unit - 100 * (i + 1)) < 0.1));
});
