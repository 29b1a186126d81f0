import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readResult } from "../../bench/read_result.ts";
import { comparisonMarkdown } from "../../bench/report/compare.ts";
import { type BenchRow, rowOf } from "../../bench/report/row.ts";
import type { BenchEvent, DeviceInfo } from "../../web/engine/api.ts";
import { COLUMNS, sorted } from "../../web/page/bench/columns.ts";
import { scaleFor } from "../../web/page/bench/controls.ts";
import {
  byReason,
  type Findings,
  NOTHING,
  uncertainty,
  withEvent,
} from "../../web/page/bench/findings.ts";
import {
  fileNameOf,
  resultOf,
  type RunConditions,
  summaryOf,
} from "../../web/page/bench/result.ts";
import { VERSION } from "../../web/page/version.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-bench-"));
after(() => rmSync(folder, { recursive: true }));

const ROOF: BenchEvent = { kind: "roofline", bytesPerSecond: 1e9, flopsPerSecond: 4e9 };

/** A row of 4e6 operations and 2e6 bytes. */
function row(id: string, ms: number): BenchRow {
  const about = { id, group: "kernels", shape: "[2]", dtype: "f32", error: 0.5 } as const;
  const timed = { rounds: [0.9 * ms, ms, 1.1 * ms], clock: "wall" } as const;
  const limitMs = () => 2; // as bytes have it under ROOF
  return rowOf(about, timed, { work: { flops: 4e6, bytes: 2e6 }, limitMs });
}

const event = (id: string, ms: number): BenchEvent => ({
  kind: "row",
  row: row(id, ms),
  group: "norm",
});
const foundOf = (events: readonly BenchEvent[]): Findings => events.reduce(withEvent, NOTHING);
const leftOut = (id: string, why: string): BenchEvent => ({ kind: "left out", id, why });

const FOUND = foundOf([ROOF, event("b 2x2", 4), leftOut("c", "no room"), event("a 10x2", 8)]);

const DEVICE: DeviceInfo = {
  name: "Vendor GPU (X1)",
  isSoftware: false,
  hasFloat16: true,
  subgroupSize: 32,
  maxBindingBytes: 2 ** 30,
  maxBufferBytes: 2 ** 31,
  limitations: [],
};
const CONDITIONS: RunConditions = {
  device: DEVICE,
  scale: "full",
  quick: true,
  browser: "Browser/1.0",
  cores: 8,
  version: VERSION,
  date: "2026-05-04T10:00:00.000Z",
};

test("findings grow event by event, and rows are numbered as they were measured", () => {
  assert.deepEqual(
    FOUND.rows.map(({ number, group, row: { id } }) => [number, group, id]),
    [
      [1, "norm", "b 2x2"],
      [2, "norm", "a 10x2"],
    ],
  );
  assert.deepEqual(FOUND.leftOut, [{ id: "c", why: "no room" }]);
  assert.deepEqual(NOTHING, { rows: [], leftOut: [] }, "what came before stays as it was");
});

test("ceilings that are measured again move the shares of all rows", () => {
  assert.deepEqual(
    FOUND.rows.map((one) => one.row.limitShare),
    [0.5, 0.25],
  );
  const later = withEvent(FOUND, { ...ROOF, bytesPerSecond: 2e9 });
  assert.deepEqual(
    later.rows.map((one) => one.row.limitShare),
    [0.25, 0.125],
  );
  assert.deepEqual(later.roofline, { bytesPerSecond: 2e9, flopsPerSecond: 4e9 });
});

test("a run that begins again takes the place of what it measures again", () => {
  const again = [event("b 2x2", 2), leftOut("c", "still no room"), event("new", 1)];
  const found = again.reduce(withEvent, FOUND);
  assert.deepEqual(
    found.rows.map(({ number, row: { id, ms } }) => [number, id, ms]),
    [
      [1, "b 2x2", 2],
      [2, "a 10x2", 8],
      [3, "new", 1],
    ],
  );
  assert.deepEqual(found.leftOut, [{ id: "c", why: "still no room" }]);
});

test("what is left out stands together by reason", () => {
  const found = foundOf([leftOut("a", "x"), leftOut("b", "y"), leftOut("c", "x")]);
  assert.deepEqual(
    [...byReason(found)],
    [
      ["x", ["a", "c"]],
      ["y", ["b"]],
    ],
  );
});

test("rows are sorted by any column, up and down, those without a value last", () => {
  const bare = { ...FOUND.rows[0]!, number: 3, row: { ...row("z", 1), limitShare: undefined } };
  const rows = [...FOUND.rows, bare] as Findings["rows"];
  const order = (key: string, isDescending: boolean) =>
    sorted(rows, { key, isDescending }).map(({ number }) => number);
  assert.deepEqual(order("number", true), [3, 2, 1]);
  assert.deepEqual(order("ms", false), [3, 1, 2]);
  assert.deepEqual(order("case", false), [2, 1, 3]);
  assert.deepEqual(order("limit", false), [2, 1, 3]);
  assert.deepEqual(order("limit", true), [1, 2, 3]);
  assert.deepEqual(order("shape", true), [1, 2, 3], "equal ones as they were measured");
  for (const { key } of COLUMNS) assert.equal(order(key, false).length, 3, key);
});

test("numbers in a name are compared as numbers", () => {
  const rows = foundOf([event("matmul 32x2", 1), event("matmul 8x2", 1)]).rows;
  const names = sorted(rows, { key: "case", isDescending: false }).map((one) => one.row.id);
  assert.deepEqual(names, ["matmul 8x2", "matmul 32x2"]);
});

test("cells say three digits and how far off a time may be", () => {
  const cells = COLUMNS.map(({ text }) => text(FOUND.rows[0]!));
  assert.deepEqual(cells, ["1", "b 2x2", "[2]", "f32", "4.00 ± 10.0%", "1.00", "0.500", "50.0%"]);
  assert.ok(Math.abs(uncertainty(FOUND.rows[0]!.row) - 0.1) < 1e-12);
});

test("the JSON is a file of results that npm run bench compares with", () => {
  const file = join(folder, "page.json");
  writeFileSync(file, JSON.stringify(resultOf(FOUND, CONDITIONS)));
  const result = readResult(file);
  assert.deepEqual(
    result.rows,
    FOUND.rows.map((one) => one.row),
  );
  assert.deepEqual(
    [result.date, result.adapter],
    ["2026-05-04", { kind: "gpu", driver: "Vendor GPU (X1)" }],
  );
  assert.deepEqual(result.options, { scale: "full", quick: true, tuning: "off" });
  const faster = foundOf([ROOF, event("b 2x2", 2), event("a 10x2", 8)]);
  const text = comparisonMarkdown(result, resultOf(faster, CONDITIONS));
  assert.match(text, /1 faster, 0 slower, 1 the same within noise, 0 new, 0 gone/);
  assert.ok(!text.includes("Warning"), "one device, one scale");
});

test("the JSON says on which device, in which browser, and what is missing", () => {
  const said = JSON.parse(JSON.stringify(resultOf(FOUND, CONDITIONS))) as Record<string, unknown>;
  assert.deepEqual(said["versions"], { tenure: VERSION, browser: "Browser/1.0" });
  assert.deepEqual(said["machine"], { cores: 8 });
  assert.deepEqual(said["features"], ["shader-f16"]);
  assert.deepEqual(said["failures"], [{ id: "c", message: "no room" }]);
  assert.deepEqual(said["roofline"], { bytesPerSecond: 1e9, flopsPerSecond: 4e9 });
});

test("a file's name holds letters, digits and dashes, whatever the device is called", () => {
  const named = (name: string) => fileNameOf({ ...CONDITIONS, device: { ...DEVICE, name } });
  assert.equal(named("Vendor GPU (X1)"), "bench-vendor-gpu-x1-2026-05-04.json");
  assert.equal(named("../../é"), "bench-device-2026-05-04.json");
  assert.match(named("x ".repeat(500)), /^bench-[a-z0-9-]{1,40}-2026-05-04\.json$/);
});

test("a summary tells device, cases and ceilings", () => {
  assert.equal(
    summaryOf(FOUND, CONDITIONS),
    `tenure ${VERSION} on Vendor GPU (X1): 2 kernels measured in a browser. Memory 1.00 GB/s, f32 4.00 GFLOP/s.`,
  );
});

test("software and devices of small buffers are measured at small sizes", () => {
  assert.equal(scaleFor(DEVICE), "full");
  assert.equal(scaleFor({ ...DEVICE, isSoftware: true }), "small");
  assert.equal(scaleFor({ ...DEVICE, maxBufferBytes: 2 ** 28 }), "small");
});

test("the page knows its version", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.equal(VERSION, version);
});
