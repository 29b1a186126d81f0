import type { DeviceInfo, ModelInfo } from "../../engine/api.ts";
import type { App } from "../app.ts";
import { el, replace } from "../dom.ts";
import type { Signal } from "../signal.ts";
import { countInWords } from "./words.ts";

/** What is known of the device: nothing yet, what it is, or that there is none. */
export type DeviceState = DeviceInfo | "opening" | "none";

/** The masthead: what this is, which model answers, and on which device. */
export function header({ model }: App, device: Signal<DeviceState>): HTMLElement {
  const modelLine = el("dd");
  const deviceLine = el("dd");
  model.follow((now) => replace(modelLine, ...modelInWords(now)));
  device.follow((now) => {
    deviceLine.textContent = deviceInWords(now);
  });
  return el(
    "header",
    { class: "masthead" },
    el(
      "div",
      {},
      el("h1", {}, "tenure"),
      el("p", { class: "motto" }, "What people with a career like this did next"),
    ),
    el(
      "dl",
      { class: "colophon" },
      el("dt", {}, "Model"),
      modelLine,
      el("dt", {}, "Computed on"),
      deviceLine,
      el("dt", { class: "screen-only" }, "Sent anywhere"),
      el("dd", { class: "screen-only" }, el("a", { href: "#about" }, "nothing")),
    ),
  );
}

/** A device in a line. */
export function deviceInWords(device: DeviceState): string {
  if (device === "opening") return "looking for a graphics processor…";
  if (device === "none") return "no WebGPU in this browser";
  return device.isSoftware ? `${device.name}, on the CPU: slow` : device.name;
}

function modelInWords(model: ModelInfo | undefined): (Node | string)[] {
  if (model === undefined) return ["none yet: ", el("a", { href: "#model" }, "load one")];
  const { name, numParameters, dtype } = model;
  return [`${name}, ${countInWords(numParameters)} weights, ${dtype}`];
}
