import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { EngineError } from "../../web/engine/errors.ts";
import { createApp } from "../../web/page/app.ts";
import { ModelDesk, modelPart, rememberedStart, type SiteModel } from "../../web/page/model/mod.ts";
import type { DeviceState } from "../../web/page/shell/header.ts";
import { Signal } from "../../web/page/signal.ts";
import {
  bySaying,
  deviceInfo,
  modelInfo,
  openDocument,
  openLocalStorage,
  panelEngine,
  send,
  settled,
} from "./page_support.ts";

let kept: Map<string, string>;

beforeEach(() => {
  openDocument();
  kept = openLocalStorage();
});

const FILES = { kind: "files", files: [] } as const;
const SITE: SiteModel = {
  choice: { name: "ours", source: { kind: "url", url: "http://127.0.0.1/model/" }, sha256: {} },
  bytes: 3_600_000,
  autoload: false,
};

/** A desk with its engine, and the panel before it. */
function panel(site: Promise<SiteModel | undefined> = Promise.resolve(undefined)) {
  const fake = panelEngine();
  const app = createApp(fake.engine);
  const desk = new ModelDesk(app);
  const device = new Signal<DeviceState>(deviceInfo());
  const part = modelPart(app, { desk, device, site });
  return { fake, app, desk, device, part };
}

test("a model is kept first and then loaded from there, and begins the next time", async () => {
  const { fake, app, desk } = panel();
  desk.dtype.value = "int8";
  await desk.open({ name: "mine", source: FILES });
  const source = { kind: "stored", id: "id of mine" };
  assert.deepEqual(fake.asked, [
    ["save", FILES, "mine"],
    ["load", source, "int8"],
  ]);
  assert.equal(app.model.value!.dtype, "int8");
  assert.deepEqual(rememberedStart(), { id: "id of mine", dtype: "int8" });
});

test("a model that is used once is neither kept nor remembered", async () => {
  const { fake, desk } = panel();
  desk.keep.value = false;
  await desk.open({ name: "mine", source: FILES });
  assert.deepEqual(fake.asked, [["load", FILES, "f32"]]);
  assert.equal(rememberedStart(), undefined);
});

test("a load that fails says so, leaves no model on view, and is not tried at the next start", async () => {
  const { fake, app, desk } = panel();
  await desk.open({ name: "mine", source: FILES });
  fake.failure = new EngineError({
    kind: "corrupt",
    message: "Cannot read",
    remedy: "Get it again.",
  });
  await desk.openStored({ id: "id of mine", name: "mine" });
  assert.equal(app.model.value, undefined);
  assert.equal(app.notice.value!.remedy, "Get it again.");
  assert.equal(rememberedStart(), undefined);
});

test("a model is loaded again from where it came, in other words or another precision", async () => {
  const { fake, desk } = panel();
  const wording = { dataset: "PSID", birthYear: false };
  await desk.reload({ dtype: "int4" });
  assert.deepEqual(fake.asked, [], "nothing is loaded yet");
  await desk.openStored({ id: "a", name: "a" });
  await desk.reload({ wording });
  await desk.reload({ dtype: "f16" });
  const source = { kind: "stored", id: "a" };
  assert.deepEqual(fake.asked, [
    ["load", source, "int4"],
    ["load", source, "int4", wording],
    ["load", source, "f16", wording],
  ]);
  assert.deepEqual(rememberedStart(), { id: "a", dtype: "f16", wording });
});

test("what is remembered may be nonsense", () => {
  for (const text of ["", "{", "null", "7", '{"id":3,"dtype":"f32"}', '{"id":"a"}']) {
    kept.set("tenure.startModel", text);
    assert.equal(rememberedStart(), undefined, text);
  }
});

test("this site's model is offered with its size and loaded only when asked for", async () => {
  const { fake, part } = panel(Promise.resolve(SITE));
  await settled();
  assert.match(part.textContent, /3\.6 MB from this site/);
  assert.deepEqual(fake.asked, []);
  bySaying(part, "button", /Load ours/).click();
  await settled();
  assert.deepEqual(fake.asked[0], ["save", SITE.choice.source, "ours", {}]);
});

test("a kept model shows its sums, and is deleted after a second click alone", async () => {
  const { fake, desk, part } = panel();
  await desk.open({ name: "mine", source: FILES });
  const sums = part.querySelector("details")!;
  assert.ok(sums.hasAttribute("open"), "sums are shown after saving");
  assert.match(sums.textContent, /(ab){32}/);
  assert.match(part.textContent, /30 B of 100 B used/);
  assert.equal(sums.closest("[aria-live], [role=status]"), null, "nobody hears sums read out");
  bySaying(part, "p", /^One model is kept\.$/);
  bySaying(part, "button", /^Delete$/).click();
  assert.equal(fake.stored.length, 1);
  const sure = bySaying(part, "button", /Really delete 30 B/);
  send(sure, "blur");
  assert.equal(sure.textContent, "Delete");
  sure.click();
  sure.click();
  await settled();
  assert.deepEqual(fake.asked.at(-1), ["remove", "id of mine"]);
  assert.match(part.textContent, /None\./);
  assert.equal(rememberedStart(), undefined);
});

test("halves cannot be chosen where the device has none", () => {
  const { desk, device, part } = panel();
  const half = part.querySelector<HTMLInputElement>("#dtype-f16")!;
  desk.dtype.value = "f16";
  assert.ok(!half.disabled);
  device.value = deviceInfo({ hasFloat16: false });
  assert.ok(half.disabled);
  assert.equal(desk.dtype.value, "f32");
});

test("another precision offers to load the model again", async () => {
  const { fake, desk, part } = panel();
  await desk.open({ name: "mine", source: FILES });
  const again = bySaying(part, "button", /Load it again as/);
  assert.ok(again.hidden);
  const int8 = part.querySelector<HTMLInputElement>("#dtype-int8")!;
  send(int8, "change");
  assert.ok(!again.hidden);
  assert.equal(again.textContent, "Load it again as int8");
  again.click();
  await settled();
  assert.deepEqual(fake.asked.at(-1), ["load", { kind: "stored", id: "id of mine" }, "int8"]);
});

test("a model whose files do not say how careers are worded gets a form that loads it again", async () => {
  const { fake, desk, part } = panel();
  await desk.open({ name: "known", source: FILES });
  assert.equal(part.querySelector("form"), null);
  fake.info = modelInfo({ isWordingKnown: false });
  await desk.open({ name: "mine", source: FILES });
  const form = part.querySelector("form")!;
  const survey = form.querySelector<HTMLInputElement>("#wording-dataset")!;
  survey.value = " PSID ";
  send(survey, "input");
  assert.match(form.textContent, /<A worker from the PSID dataset>/);
  const event = send(form, "submit");
  assert.ok(event.defaultPrevented, "no form leaves the page");
  await settled();
  assert.deepEqual(fake.asked.at(-1)!.at(-1), { dataset: "PSID", birthYear: true });
});

test("while something is on its way nothing else can be asked for", async () => {
  const { app, part } = panel();
  const groups = [...part.querySelectorAll("fieldset")].filter(
    ({ parentElement }) => parentElement?.tagName === "SECTION",
  );
  assert.equal(groups.length, 3);
  app.work.value = { title: "Loading" };
  assert.ok(groups.every(({ disabled }) => disabled));
  app.work.value = undefined;
  assert.ok(groups.every(({ disabled }) => !disabled));
});

test("what the device lacks is listed", () => {
  const { device, part } = panel();
  assert.doesNotMatch(part.textContent, /What it lacks/);
  device.value = deviceInfo({ limitations: ["It has no 16-bit floats."] });
  assert.match(part.textContent, /What it lacksIt has no 16-bit floats\./);
});
