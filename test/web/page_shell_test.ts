import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { parseHTML } from "linkedom";
import type { Engine } from "../../web/engine/api.ts";
import { EngineError } from "../../web/engine/errors.ts";
import { createApp, doWork, noticeOf } from "../../web/page/app.ts";
import { el } from "../../web/page/dom.ts";
import { header, type DeviceState } from "../../web/page/shell/header.ts";
import { noticeBar } from "../../web/page/shell/notice_bar.ts";
import { noWebgpu } from "../../web/page/shell/no_webgpu.ts";
import { ownScript } from "../../web/page/shell/own_scripts.ts";
import { PageMeter } from "../../web/page/shell/page_measures.ts";
import { tabs } from "../../web/page/shell/tabs.ts";
import { webgpuAdvice } from "../../web/page/shell/webgpu_advice.ts";
import { workBar } from "../../web/page/shell/work_bar.ts";
import { Signal } from "../../web/page/signal.ts";
import {
  bySaying,
  deviceInfo,
  goTo,
  modelInfo,
  openDocument,
  press,
  settled,
} from "./page_support.ts";

beforeEach(() => openDocument());

const app = () => createApp({} as Engine);
const text = (content: string) => () => el("p", {}, content);
const visible = (panels: readonly HTMLElement[]) =>
  panels.filter((panel) => !panel.hidden).map((panel) => panel.textContent);

/** Three tabs in the document. */
function threeTabs(onError: (error: unknown) => void = assert.ifError) {
  const all = ["one", "two", "three"].map((id) => ({ id, title: id, content: text(`of ${id}`) }));
  const made = tabs(all, onError);
  document.body.append(made.list, ...made.panels);
  const selected = () => made.list.querySelector('[aria-selected="true"]')!.textContent;
  return { ...made, selected };
}

test("tabs show the one that the address names, else the first", () => {
  openDocument("#two");
  const { panels, selected } = threeTabs();
  assert.deepEqual([selected(), visible(panels)], ["two", ["of two"]]);
  goTo("#three");
  assert.deepEqual([selected(), visible(panels)], ["three", ["of three"]]);
  goTo("#nowhere");
  assert.deepEqual([selected(), visible(panels)], ["one", ["of one"]]);
});

test("a click on a tab shows it and changes the address", () => {
  const { list, panels } = threeTabs();
  bySaying(list, "button", /three/).click();
  assert.equal(location.hash, "three");
  assert.deepEqual(visible(panels), ["of three"]);
});

test("arrow keys walk around the tabs; Home and End lead to both ends", () => {
  const { list, selected } = threeTabs();
  const buttons = [...list.querySelectorAll("button")];
  const walk = (from: number, key: string) => {
    Object.defineProperty(document, "activeElement", { value: buttons[from], configurable: true });
    press(buttons[from]!, key);
    return selected();
  };
  assert.equal(walk(0, "ArrowRight"), "two");
  assert.equal(walk(2, "ArrowRight"), "one");
  assert.equal(walk(0, "ArrowLeft"), "three");
  assert.equal(walk(1, "End"), "three");
  assert.equal(walk(1, "Home"), "one");
  assert.equal(walk(0, "a"), "one");
});

test("only the tab that is shown is in the order of Tab, and panels name their tabs", () => {
  const { list, panels } = threeTabs();
  const buttons = [...list.querySelectorAll("button")];
  assert.deepEqual(
    buttons.map((button) => button.getAttribute("tabindex")),
    ["0", "-1", "-1"],
  );
  for (const [i, panel] of panels.entries()) {
    assert.equal(panel.getAttribute("aria-labelledby"), buttons[i]!.id);
    assert.equal(buttons[i]!.getAttribute("aria-controls"), panel.id);
  }
});

test("the content of a tab is made when it is first opened, once, and again only if it failed", async () => {
  let tries = 0;
  const errors: unknown[] = [];
  const late = async () => {
    tries++;
    if (tries === 1) throw new Error("no network");
    return el("p", {}, "came late");
  };
  const all = [
    { id: "now", title: "now", content: text("at once") },
    { id: "late", title: "late", content: late },
  ];
  const { panels, open } = tabs(all, (error) => errors.push(error));
  assert.equal(tries, 0);
  open("late");
  await settled();
  assert.equal((errors[0] as Error).message, "no network");
  assert.match(panels[1]!.textContent, /could not be loaded/);
  open("now");
  open("late");
  await settled();
  assert.equal(panels[1]!.textContent, "came late");
  open("now");
  open("late");
  assert.equal(tries, 2);
});

test("an error interrupts with its remedy, news wait, and there is one at a time", () => {
  const shared = app();
  const bar = noticeBar(shared);
  const alert = bar.querySelector('[role="alert"]')!;
  const status = bar.querySelector('[role="status"]')!;
  const error = new EngineError({
    kind: "quota",
    message: "Cannot save “a”: there must be room",
    remedy: "Remove a model.",
  });
  shared.notice.value = noticeOf(error);
  assert.match(alert.textContent, /Cannot save “a”: there must be room\.Remove a model\./);
  assert.equal(status.textContent, "");
  shared.notice.value = { tone: "info", message: "Back again" };
  assert.equal(alert.textContent, "");
  assert.match(status.textContent, /Back again\./);
  bySaying(bar, "button", /Dismiss/).click();
  assert.equal(shared.notice.value, undefined);
  assert.equal(bar.textContent, "");
});

test("long work shows what, how far, and a way to end it; then nothing", async () => {
  const shared = app();
  const bar = workBar(shared);
  const box = bar.querySelector<HTMLElement>(".work")!;
  assert.equal(box.hidden, true);
  const done = doWork(shared, "Loading a model", async ({ signal, onProgress }) => {
    onProgress({ phase: "download", what: "a.bin", done: 1, total: 4, unit: "bytes" });
    await new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(new Error("ended"))),
    );
  });
  assert.equal(box.hidden, false);
  assert.match(box.textContent, /Loading a model: copying a\.bin · 1 B of 4 B/);
  assert.match(String(box.querySelector("progress")?.value), /^0\.25$/);
  bySaying(box, "button", /Cancel/).click();
  assert.equal(await done, undefined);
  assert.equal(box.hidden, true);
  assert.equal(shared.notice.value, undefined, "who ends work need not be told of it");
});

test("work that ends leaves other work on view that began since", async () => {
  const shared = app();
  let end = () => {};
  const first = doWork(shared, "Reading a.csv", () => new Promise<void>((done) => (end = done)));
  void doWork(shared, "Loading a model", () => new Promise(() => {}));
  end();
  await first;
  assert.equal(shared.work.value?.title, "Loading a model");
});

test("a screen reader hears of phases, not of every byte", () => {
  const shared = app();
  const said = workBar(shared).querySelector('[role="status"]')!;
  const heard: string[] = [];
  const step = (phase: "download" | "load", done: number) => {
    const progress = { phase, what: "a.bin", done, total: 9, unit: "bytes" } as const;
    shared.work.value = { title: "Loading", progress };
    if (heard.at(-1) !== said.textContent) heard.push(said.textContent);
  };
  for (let done = 0; done < 9; done++) step("download", done);
  step("load", 0);
  assert.deepEqual(heard, [
    "Loading: copying",
    "Loading: moving weights to the graphics processor",
  ]);
});

test("the masthead tells the model and the device, and that a software one is slow", () => {
  const shared = app();
  const device = new Signal<DeviceState>("opening");
  const head = header(shared, device);
  assert.match(head.textContent, /none yet: load one/);
  device.value = deviceInfo({ name: "llvmpipe", isSoftware: true });
  shared.model.value = modelInfo({ name: "mine", dtype: "int8" });
  assert.match(head.textContent, /mine, 912 thousand weights, int8/);
  assert.match(head.textContent, /llvmpipe, on the CPU: slow/);
});

test("without WebGPU the page says why, what to switch on, and what works all the same", () => {
  const browser = { userAgent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0", isSecure: true };
  const words = noWebgpu(browser).textContent;
  assert.match(words, /does not offer that here/);
  assert.match(words, /chrome:\/\/flags/);
  assert.match(words, /a career stays here in any case/);
  const why = noWebgpu(browser, "there must be an adapter, got none").textContent;
  assert.match(why, /that failed: there must be an adapter, got none\./);
});

test("advice is the browser's own", () => {
  const advice = (userAgent: string, isSecure = true) =>
    webgpuAdvice({ userAgent, isSecure }).join(" ");
  assert.match(advice("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/140.0"), /about:config/);
  assert.match(advice("Mozilla/5.0 (Macintosh) Version/18.0 Safari/605"), /Feature Flags/);
  assert.doesNotMatch(advice("Mozilla/5.0 (Linux; Android 14) Chrome/140.0"), /chrome:\/\/flags/);
  assert.match(
    advice("anything", false),
    /^Browsers offer WebGPU only to pages that come by https/,
  );
});

test("scripts come from this origin alone", () => {
  const base = "http://127.0.0.1:8080/page/";
  assert.equal(ownScript("../assets/worker.js", base), "../assets/worker.js");
  assert.equal(ownScript("http://127.0.0.1:8080/a.js", base), "http://127.0.0.1:8080/a.js");
  for (const url of [
    "http://127.0.0.1:8081/a.js",
    "//example.org/a.js",
    "data:,1",
    "blob:null/1",
  ]) {
    assert.throws(() => ownScript(url, base), TypeError, url);
  }
});

test("the first prediction is timed, later ones and failures are not, and calls keep their engine", async () => {
  Object.assign(globalThis, { window: globalThis });
  class OneEngine {
    readonly #answers = [new Error("busy"), 1, 2];
    async predict() {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const answer = this.#answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    }
    async model() {
      return this.#answers.length;
    }
  }
  const meter = new PageMeter();
  const engine = meter.timed(new OneEngine() as unknown as Engine);
  await assert.rejects(engine.predict({} as never), /busy/);
  assert.equal(meter.measures.value.firstPredictionMs, undefined);
  assert.equal(await engine.predict({} as never), 1);
  const first = meter.measures.value.firstPredictionMs!;
  assert.ok(first >= 15 && first < 5000, `${first} ms`);
  assert.equal(await engine.predict({} as never), 2);
  assert.equal(window.tenurePage!.firstPredictionMs, first);
  assert.equal(await engine.model(), 0);
});

test("index.html holds no script or style of its own, and every file it names is there", () => {
  const html = readFileSync("web/index.html", "utf8");
  const { document: page } = parseHTML(html);
  assert.deepEqual([...page.querySelectorAll("style, [style], script:not([src])")], []);
  assert.doesNotMatch(html, /\son\w+=/);
  const named = [...page.querySelectorAll("[src], link[href]")].map(
    (element) => element.getAttribute("src") ?? element.getAttribute("href")!,
  );
  assert.ok(named.length > 5);
  for (const path of named) {
    assert.match(path, /^\.\//);
    assert.ok(existsSync(join("web", path)), path);
  }
});
