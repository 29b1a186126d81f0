import type { DeviceInfo } from "../../engine/api.ts";
import { el, replace } from "../dom.ts";
import { type DeviceState, deviceInWords } from "../shell/header.ts";
import { bytesInWords } from "../shell/words.ts";
import type { Signal } from "../signal.ts";

/** The device, and what it cannot do. */
export function deviceFacts(device: Signal<DeviceState>): HTMLElement {
  const box = el("div", { class: "stack" });
  device.follow((now) => {
    if (typeof now === "string") replace(box, el("p", { class: "soft" }, deviceInWords(now)));
    else replace(box, facts(now), limitations(now));
  });
  return box;
}

function facts(device: DeviceInfo): HTMLElement {
  const rows: readonly (readonly [string, string])[] = [
    ["Name", deviceInWords(device)],
    ["16-bit arithmetic", device.hasFloat16 ? "yes" : "no"],
    ["Subgroups", device.subgroupSize === 0 ? "none" : `of ${device.subgroupSize}`],
    ["Largest buffer", bytesInWords(device.maxBufferBytes)],
    ["Seen at once", bytesInWords(device.maxBindingBytes)],
  ];
  return el(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]),
  );
}

function limitations({ limitations: all }: DeviceInfo): HTMLElement | null {
  if (all.length === 0) return null;
  return el(
    "div",
    { class: "sheet-note" },
    el("h4", {}, "What it lacks"),
    el("ul", {}, ...all.map((sentence) => el("li", {}, sentence))),
  );
}
