import { createWorkerEngine } from "../engine/worker_engine.ts";
import { EngineError } from "../engine/errors.ts";
import { aboutPart } from "./about/mod.ts";
import { type App, createApp, noticeOf } from "./app.ts";
import { careerPart } from "./career/mod.ts";
import { el } from "./dom.ts";
import {
  findSiteModel,
  ModelDesk,
  modelPart,
  rememberedStart,
  type SiteModel,
} from "./model/mod.ts";
import { resultsPart } from "./results/mod.ts";
import { guardDrops } from "./shell/guard_drops.ts";
import { type DeviceState, header } from "./shell/header.ts";
import { noticeBar } from "./shell/notice_bar.ts";
import { noWebgpu } from "./shell/no_webgpu.ts";
import { type OfflineState, prepareOffline } from "./shell/offline.ts";
import { allowOwnScripts } from "./shell/own_scripts.ts";
import { PageMeter } from "./shell/page_measures.ts";
import { type Tab, tabs } from "./shell/tabs.ts";
import { workBar } from "./shell/work_bar.ts";
import { Signal } from "./signal.ts";

allowOwnScripts();
guardDrops();

const meter = new PageMeter();
const worker = new Worker(new URL("../worker.ts", import.meta.url), { type: "module" });
const app = createApp(meter.timed(createWorkerEngine(worker)));
const device = new Signal<DeviceState>("opening");
const offline = new Signal<OfflineState>("preparing");
const desk = new ModelDesk(app);
const site = findSiteModel(document.baseURI);
/** Where the page says that there is no WebGPU. */
const advice = el("div");

const SECTIONS: readonly Tab[] = [
  {
    id: "career",
    title: "Career",
    content: () => el("div", { class: "spread" }, careerPart(app), resultsPart(app)),
  },
  { id: "model", title: "Model", content: () => modelPart(app, { desk, device, site }) },
  {
    id: "fine-tune",
    title: "Fine-tune",
    content: async () => (await import("./tune/mod.ts")).tunePart(app),
  },
  {
    id: "kernel-bench",
    title: "Kernel bench",
    content: async () => (await import("./bench/mod.ts")).benchPart(app),
  },
  { id: "about", title: "About", content: () => aboutPart({ measures: meter.measures, offline }) },
];

show(app);
app.engine.onRecovered((reason) => {
  app.notice.value = {
    tone: "info",
    message: `The graphics processor was lost (${reason}) and opened again; the model is back`,
  };
});
void start();

/** Puts the page together. */
function show(shared: App): void {
  const { list, panels } = tabs(SECTIONS, (error) => (shared.notice.value = noticeOf(error)));
  document
    .querySelector("#page")!
    .replaceChildren(
      header(shared, device),
      list,
      workBar(shared),
      noticeBar(shared),
      advice,
      el("main", {}, ...panels),
    );
}

/** Opens the device, asks what is kept, and loads the model to begin with, if there is one. */
async function start(): Promise<void> {
  const stored = desk.refresh();
  const hasDevice = await openDevice();
  await stored;
  void prepareOffline(document.baseURI).then((state) => (offline.value = state));
  if (hasDevice) await loadFirst(await site.catch(() => undefined));
}

async function openDevice(): Promise<boolean> {
  const browser = { userAgent: navigator.userAgent, isSecure: isSecureContext };
  if ((navigator as { readonly gpu?: GPU }).gpu === undefined) {
    device.value = "none";
    advice.replaceChildren(noWebgpu(browser));
    return false;
  }
  try {
    device.value = await app.engine.device();
    return true;
  } catch (error) {
    device.value = "none";
    const isMissing = error instanceof EngineError && error.kind === "no-webgpu";
    if (isMissing) advice.replaceChildren(noWebgpu(browser, error.message));
    else app.notice.value = noticeOf(error);
    return false;
  }
}

/** The model that this page was started for, or the last one that was kept and loaded. */
async function loadFirst(offered: SiteModel | undefined): Promise<void> {
  if (app.model.value !== undefined || app.work.value !== undefined) return;
  if (offered?.autoload === true) {
    // It lies on this machine already: a copy would be a second one.
    desk.keep.value = false;
    await desk.open(offered.choice);
    return;
  }
  const remembered = rememberedStart();
  const kept = desk.stored.value?.models.find(({ id }) => id === remembered?.id);
  if (remembered === undefined || kept === undefined) return;
  desk.dtype.value = remembered.dtype;
  await desk.openStored(kept, remembered.wording);
}
