import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { rowOf } from "../../bench/report/row.ts";
import type { BenchEvent, BenchOptions, Engine } from "../../web/engine/api.ts";
import { EngineError } from "../../web/engine/errors.ts";
import { type App, createApp } from "../../web/page/app.ts";
import { benchPart } from "../../web/page/bench/bench_part.ts";
import { bySaying, deviceInfo, openDocument, send, settled } from "./page_support.ts";

/** What the part asks of a browser beside its document. */
const browser = {
  userAgent: "Browser/1.0",
  hardwareConcurrency: 4,
  copied: [] as string[],
  clipboard: { writeText: (text: string) => Promise.resolve(void browser.copied.push(text)) },
};

beforeEach(() => {
  openDocument();
  browser.copied = [];
  Object.defineProperty(globalThis, "navigator", { value: browser, configurable: true });
});

const ROOF: BenchEvent = { kind: "roofline", bytesPerSecond: 1e9, flopsPerSecond: 4e9 };

function event(id: string, ms: number): BenchEvent {
  const row = rowOf(
    { id, group: "kernels", shape: "[2]", dtype: "f32" },
    { rounds: [ms], clock: "wall" },
    { work: { flops: 4e6, bytes: 2e6 }, limitMs: () => 1 },
  );
  return { kind: "row", row, group: "norm" };
}

/** A part whose engine tells what `events` makes, and what it was asked. */
function openPart(events: (options: BenchOptions) => AsyncIterable<BenchEvent>) {
  const asked: BenchOptions[] = [];
  const engine = {
    device: () => Promise.resolve(deviceInfo({ isSoftware: true })),
    bench: (options: BenchOptions) => {
      asked.push(options);
      return events(options);
    },
  } as unknown as Engine;
  const app: App = createApp(engine);
  const part = benchPart(app);
  document.body.append(part);
  return { app, part, asked };
}

const start = (part: Element) => send(part.querySelector("form")!, "submit");
const cellsOf = (part: Element) =>
  [...part.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map(({ textContent }) => textContent),
  );

async function* threeRows(): AsyncGenerator<BenchEvent> {
  yield ROOF;
  yield event("b", 4);
  yield event("a", 2);
  yield { kind: "left out", id: "c", why: "Cannot trust c" };
  yield event("d", 8);
}

test("a run fills plot and table, and names what it left out", async () => {
  const { app, part, asked } = openPart(threeRows);
  const results = part.querySelector<HTMLElement>("form + .stack")!;
  assert.equal(results.hidden, true, "there is nothing to see yet");
  start(part);
  assert.equal(bySaying(part, "button", /^Measure$/).disabled, true);
  assert.equal(app.work.value?.title, "Measuring kernels");
  await settled();
  assert.equal(results.hidden, false);
  assert.deepEqual(cellsOf(part)[0], [
    "1",
    "b",
    "[2]",
    "f32",
    "4.00 ± 0.0%",
    "1.00",
    "0.500",
    "25.0%",
  ]);
  assert.equal(cellsOf(part).length, 3);
  assert.equal(part.querySelectorAll("svg .bench-mark").length, 3);
  assert.match(part.querySelector("details")!.textContent ?? "", /1 left out.*Cannot trust c: c/);
  assert.equal(app.work.value, undefined);
  assert.equal(bySaying(part, "button", /^Measure$/).disabled, false);
  assert.deepEqual([asked[0]!.quick, asked[0]!.scale, asked[0]!.group], [true, "small", undefined]);
});

test("choices are those of the run, and a second run begins empty", async () => {
  const { part, asked } = openPart(async function* ({ quick }) {
    yield ROOF;
    yield event(quick === true ? "first" : "second", 1);
  });
  start(part);
  await settled();
  const [amount, group, scale] = [...part.querySelectorAll("select")];
  for (const [control, value] of [
    [amount, "all"],
    [group, "matmul"],
    [scale, "full"],
  ] as const) {
    for (const option of control!.querySelectorAll("option")) {
      option.toggleAttribute("selected", option.getAttribute("value") === value);
    }
  }
  start(part);
  await settled();
  assert.deepEqual([asked[1]!.quick, asked[1]!.group, asked[1]!.scale], [false, "matmul", "full"]);
  assert.deepEqual(
    cellsOf(part).map(([, id]) => id),
    ["second"],
  );
});

test("a column's name sorts by it, and says so; pressed again, the other way", async () => {
  const { part } = openPart(threeRows);
  start(part);
  await settled();
  const ids = () => cellsOf(part).map(([, id]) => id);
  const head = bySaying(part, "th", /^ms$/);
  send(head.querySelector("button")!, "click");
  assert.deepEqual([ids(), head.getAttribute("aria-sort")], [["d", "b", "a"], "descending"]);
  send(head.querySelector("button")!, "click");
  assert.deepEqual([ids(), head.getAttribute("aria-sort")], [["a", "b", "d"], "ascending"]);
  send(bySaying(part, "th", /^Case$/).querySelector("button")!, "click");
  assert.deepEqual([ids(), head.getAttribute("aria-sort")], [["a", "b", "d"], "none"]);
});

test("stopping keeps what was measured, and is no error", async () => {
  const { app, part } = openPart(async function* ({ signal }) {
    yield ROOF;
    yield event("b", 4);
    await new Promise((_resolve, reject) => {
      signal!.addEventListener("abort", () => reject(signal!.reason as Error));
    });
  });
  start(part);
  await settled();
  const stop = bySaying(part, "button", /^Stop$/);
  assert.equal(stop.disabled, false);
  send(stop, "click");
  await settled();
  assert.equal(cellsOf(part).length, 1);
  assert.equal(app.notice.value, undefined);
  assert.equal(stop.disabled, true);
});

test("what goes wrong is said with its remedy", async () => {
  const { app, part } = openPart(async function* () {
    yield ROOF;
    throw new EngineError({ kind: "device-lost", message: "Cannot go on", remedy: "Reload." });
  });
  start(part);
  await settled();
  assert.deepEqual(app.notice.value, { tone: "error", message: "Cannot go on", remedy: "Reload." });
});

test("nothing can be measured while the page is at other work", () => {
  const { app, part } = openPart(threeRows);
  app.work.value = { title: "Loading the model" };
  assert.equal(bySaying(part, "button", /^Measure$/).disabled, true);
  assert.equal(bySaying(part, "button", /^Stop$/).disabled, true, "it is not ours to stop");
  app.work.value = undefined;
  assert.equal(bySaying(part, "button", /^Measure$/).disabled, false);
});

test("the figures are copied as JSON, and a browser that refuses is told of", async () => {
  const { app, part } = openPart(threeRows);
  start(part);
  await settled();
  send(bySaying(part, "button", /^Copy JSON$/), "click");
  await settled();
  const copied = JSON.parse(browser.copied[0]!) as { rows: { id: string }[]; options: object };
  assert.deepEqual(
    copied.rows.map(({ id }) => id),
    ["b", "a", "d"],
  );
  assert.deepEqual(copied.options, { scale: "small", quick: true, tuning: "off" });
  assert.equal(app.notice.value?.tone, "info");
  const { writeText } = browser.clipboard;
  browser.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
  try {
    send(bySaying(part, "button", /^Copy JSON$/), "click");
    await settled();
  } finally {
    browser.clipboard.writeText = writeText;
  }
  assert.match(app.notice.value?.message ?? "", /got Error: not allowed/);
});

test("figures can be shared where the browser can, as a file where it takes files", async () => {
  const { part } = openPart(threeRows);
  assert.throws(() => bySaying(part, "button", /^Share/), "a browser that cannot share");
  const shared: ShareData[] = [];
  const able = {
    ...browser,
    canShare: ({ files }: ShareData) => files !== undefined,
    share: (data: ShareData) => Promise.resolve(void shared.push(data)),
  };
  Object.defineProperty(globalThis, "navigator", { value: able, configurable: true });
  const { part: other } = openPart(threeRows);
  start(other);
  await settled();
  send(bySaying(other, "button", /^Share/), "click");
  await settled();
  const [file] = shared[0]!.files!;
  assert.match(file!.name, /^bench-test-device-\d{4}-\d\d-\d\d\.json$/);
  assert.equal((JSON.parse(await file!.text()) as { rows: [] }).rows.length, 3);
  assert.match(shared[0]!.text!, /3 kernels measured in a browser/);
});
