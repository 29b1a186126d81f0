import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Comparable,
  compareConditions,
  compareRows,
  comparisonMarkdown,
} from "../../bench/report/compare.ts";
import type { BenchRow } from "../../bench/report/row.ts";

/** A row of a time and its band. */
function row(id: string, ms: number, [lowMs, highMs]: readonly [number, number]): BenchRow {
  const about = { id, group: "kernels", shape: "", dtype: "f32" } as const;
  return { ...about, ms, lowMs, highMs, numRounds: 5, clock: "wall" };
}

const BEFORE: Comparable = {
  commit: "aaa",
  date: "2026-01-01",
  adapter: { kind: "lavapipe", vendor: "mesa", architecture: "", driver: "25.1" },
  machine: { cpu: "one", cores: 2 },
  toggles: [],
  options: { scale: "small" },
  rows: [
    row("twice as fast", 10, [9, 11]),
    row("slower", 10, [9.9, 10.1]),
    row("within noise", 10, [8, 12]),
    row("calm but tiny", 10, [9.999, 10.001]),
    row("gone", 3, [3, 3]),
  ],
};

const AFTER: Comparable = {
  ...BEFORE,
  commit: "bbb",
  rows: [
    row("new", 1, [1, 1]),
    row("twice as fast", 5, [4.5, 5.5]),
    row("slower", 12, [11.5, 13]),
    row("within noise", 8, [7, 10]),
    row("calm but tiny", 9.9, [9.899, 9.901]),
  ],
};

test("rows are compared by name; new and missing ones are named", () => {
  const found = compareRows(BEFORE.rows, AFTER.rows).map(({ id, verdict }) => [id, verdict]);
  assert.deepEqual(found, [
    ["new", "new"],
    ["twice as fast", "faster"],
    ["slower", "slower"],
    ["within noise", "same"],
    ["calm but tiny", "same"],
    ["gone", "gone"],
  ]);
});

test("a ratio is old over new, with the band of both", () => {
  const [fast] = compareRows(BEFORE.rows.slice(0, 1), AFTER.rows.slice(1, 2));
  assert.equal(fast!.ratio, 2);
  assert.equal(fast!.low, 9 / 5.5);
  assert.equal(fast!.high, 11 / 4.5);
  assert.deepEqual([fast!.oldMs, fast!.newMs], [10, 5]);
});

test("a file compared with itself has not changed", () => {
  const found = compareRows(BEFORE.rows, BEFORE.rows);
  assert.deepEqual(new Set(found.map(({ verdict }) => verdict)), new Set(["same"]));
  assert.deepEqual(compareConditions(BEFORE, BEFORE), []);
});

test("what was faster is slower the other way round", () => {
  const back = new Map(compareRows(AFTER.rows, BEFORE.rows).map((one) => [one.id, one.verdict]));
  assert.equal(back.get("twice as fast"), "slower");
  assert.equal(back.get("slower"), "faster");
  assert.equal(back.get("new"), "gone");
});

test("other devices, machines, toggles and scales are warned of", () => {
  const other: Comparable = {
    ...AFTER,
    adapter: { ...AFTER.adapter, kind: "gpu", driver: "580" },
    machine: { cpu: "two", cores: 16 },
    toggles: ["skip_validation"],
    options: { scale: "full" },
  };
  const warnings = compareConditions(BEFORE, other);
  for (const what of ["kind", "driver", "cpu", "cores", "toggles", "scale"]) {
    assert.ok(
      warnings.some((text) => text.includes(what)),
      what,
    );
  }
  assert.equal(warnings.length, 6);
  assert.match(comparisonMarkdown(BEFORE, other), /^> Warning: the adapter's kind differs/m);
});

test("a comparison in Markdown counts, and marks what moved", () => {
  const text = comparisonMarkdown(BEFORE, AFTER);
  assert.match(text, /^# aaa \(2026-01-01\) → bbb/);
  assert.match(text, /1 faster, 1 slower, 2 the same within noise, 1 new, 1 gone/);
  assert.match(text, /\| twice as fast .* 2\.00× .* ▲ faster \|/);
  assert.match(text, /\| slower .* 0\.83× .* ▼ slower \|/);
  assert.doesNotMatch(text, /Warning/);
});
