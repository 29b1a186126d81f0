import type { ModelFile } from "../../engine/api.ts";
import { type App, noticeOf } from "../app.ts";
import { el } from "../dom.ts";
import { bytesInWords } from "../shell/words.ts";
import { chosenModel } from "./chosen_model.ts";
import { droppedFiles, listedFiles } from "./dropped_files.ts";
import type { ModelDesk } from "./model_desk.ts";
import type { SiteModel } from "./site_model.ts";

/** Where a model comes from: a folder, files, a drop, or this site if it has one. */
export function chooser(
  app: App,
  desk: ModelDesk,
  site: Promise<SiteModel | undefined>,
): HTMLElement {
  const open = async (files: readonly ModelFile[] | Promise<readonly ModelFile[]>) => {
    try {
      const { name, files: all } = chosenModel(await files);
      await desk.open({ name, source: { kind: "files", files: all } });
    } catch (error) {
      app.notice.value = noticeOf(error);
    }
  };
  const folder = pickButton("Choose a folder…", { webkitdirectory: true }, open);
  const files = pickButton("Choose files…", { multiple: true }, open);
  const zone = el(
    "div",
    { class: "drop-zone" },
    el("p", {}, "Drop a model folder or a GGUF file here, or"),
    el("div", { class: "row" }, ...folder, ...files),
    el(
      "p",
      { class: "hint" },
      "Hugging Face layout (config.json, model.safetensors, tokenizer.json), a run of tenure, " +
        "GGUF, or llama2.c.",
    ),
  );
  acceptDrops(zone, (transfer) => void open(droppedFiles(transfer)));
  return el("div", { class: "stack" }, siteOffer(app, desk, site), zone);
}

/** A button before a file input, whose own look no browser lets be changed. */
function pickButton(
  label: string,
  attributes: { readonly webkitdirectory?: boolean; readonly multiple?: boolean },
  open: (files: readonly ModelFile[]) => Promise<void>,
): HTMLElement[] {
  const input = el("input", { type: "file", class: "unseen", tabindex: -1, ...attributes });
  input.setAttribute("aria-label", label);
  input.addEventListener("change", () => {
    const chosen = listedFiles(input.files ?? []);
    // So that choosing the same folder again is a change, too.
    input.value = "";
    if (chosen.length > 0) void open(chosen);
  });
  const button = el("button", { type: "button", onclick: () => input.click() }, label);
  return [button, input];
}

function acceptDrops(zone: HTMLElement, accept: (transfer: DataTransfer) => void): void {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = "copy";
    zone.classList.add("is-over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    if (event.dataTransfer !== null) accept(event.dataTransfer);
  });
}

/** This site's own model, with its size; nothing is downloaded before it is asked for. */
function siteOffer(app: App, desk: ModelDesk, site: Promise<SiteModel | undefined>): HTMLElement {
  const place = el("div", { hidden: true });
  site.then(
    (found) => {
      if (found === undefined) return;
      const button = el(
        "button",
        { type: "button", class: "primary", onclick: () => void desk.open(found.choice) },
        `Load ${found.choice.name}`,
      );
      const size = el(
        "span",
        { class: "soft number" },
        `${bytesInWords(found.bytes)} from this site`,
      );
      place.replaceChildren(el("div", { class: "row" }, button, size));
      place.hidden = false;
    },
    (error) => (app.notice.value = noticeOf(error)),
  );
  return place;
}
