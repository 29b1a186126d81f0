import type { App } from "../app.ts";
import { el } from "../dom.ts";
import type { DeviceState } from "../shell/header.ts";
import type { Signal } from "../signal.ts";
import { chooser } from "./chooser.ts";
import { deviceFacts } from "./device_facts.ts";
import { loadedModel } from "./loaded_model.ts";
import type { ModelDesk } from "./model_desk.ts";
import { precisionChoice } from "./precision.ts";
import type { SiteModel } from "./site_model.ts";
import { storageRoom } from "./storage_room.ts";
import { storedModels } from "./stored_models.ts";

export { ModelDesk } from "./model_desk.ts";
export { findSiteModel, type SiteModel } from "./site_model.ts";
export { rememberedStart } from "./start_model.ts";

/** What the model panel works with beside the app. */
export interface ModelParts {
  readonly desk: ModelDesk;
  readonly device: Signal<DeviceState>;
  /** What this site offers, once it is known. */
  readonly site: Promise<SiteModel | undefined>;
}

/** The panel where a model is chosen, kept, and looked at. */
export function modelPart(app: App, { desk, device, site }: ModelParts): HTMLElement {
  const load = el(
    "fieldset",
    { class: "stack" },
    chooser(app, desk, site),
    precisionChoice(desk, device),
    keepChoice(desk),
  );
  const kept = el("fieldset", { class: "stack" }, storedModels(desk), storageRoom(desk));
  const loaded = el("fieldset", {}, loadedModel(app, desk));
  const part = layOut(load, kept, loaded, deviceFacts(device));
  // One model at a time: while one is on its way, nothing else can be asked for.
  let left: Element | null = null;
  app.work.follow((work) => {
    const focused = document.activeElement;
    if (work !== undefined && part.contains(focused)) left = focused;
    for (const group of [load, kept, loaded]) group.disabled = work !== undefined;
    if (work !== undefined) return;
    // What is disabled loses the keyboard; afterwards it is where it was, if that is still there.
    if (left !== null && document.activeElement === document.body) (left as HTMLElement).focus();
    left = null;
  });
  return part;
}

function layOut(load: HTMLElement, kept: HTMLElement, loaded: HTMLElement, device: HTMLElement) {
  return el(
    "div",
    { class: "spread model-part" },
    el(
      "div",
      {},
      section("Load a model", "model-load", load),
      section("Kept in this browser", "model-kept", kept),
    ),
    el(
      "div",
      {},
      section("The model that answers", "model-loaded", loaded),
      section("Your graphics processor", "model-device", device),
    ),
  );
}

function section(title: string, id: string, content: HTMLElement): HTMLElement {
  return el(
    "section",
    { class: "section", "aria-labelledby": id },
    el("h2", { id }, title),
    content,
  );
}

function keepChoice({ keep }: ModelDesk): HTMLElement {
  const input = el("input", {
    type: "checkbox",
    id: "model-keep",
    onchange: () => (keep.value = input.checked),
  });
  keep.follow((now) => (input.checked = now));
  return el(
    "div",
    { class: "check" },
    input,
    el("label", { for: "model-keep" }, "Keep it in this browser"),
    el(
      "span",
      { class: "hint" },
      "Copied and checked once, then there without a network. Otherwise it is used once.",
    ),
  );
}
