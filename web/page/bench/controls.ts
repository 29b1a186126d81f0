import { GROUPS, type Group, type Scale } from "../../../bench/cases/kernel_case.ts";
import type { BenchOptions, DeviceInfo } from "../../engine/api.ts";
import { el } from "../dom.ts";

/** What a person asked for. */
export type BenchRequest = Pick<BenchOptions, "group"> & {
  /** `"auto"` leaves it to the device. */
  readonly scale: Scale | "auto";
  readonly quick: boolean;
};

/** The form above the table. */
export interface BenchControls {
  readonly element: HTMLFormElement;
  readonly setRunning: (isRunning: boolean) => void;
}

/** Sizes for a device: full ones take gigabytes of memory and a GPU's speed. */
export function scaleFor({ isSoftware, maxBufferBytes }: DeviceInfo): Scale {
  return isSoftware || maxBufferBytes < 2 ** 30 ? "small" : "full";
}

/** Choices, and buttons to start and stop. */
export function benchControls(
  start: (request: BenchRequest) => void,
  stop: () => void,
): BenchControls {
  const amount = select("bench-amount", [
    ["quick", "A few of each group"],
    ["all", "All"],
  ]);
  const group = select("bench-group", [
    ["", "All groups"],
    ...GROUPS.map((name) => [name, name] as const),
  ]);
  const scale = select("bench-scale", [
    ["auto", "As suits the device"],
    ["small", "Small: phones, software"],
    ["full", "Full: graphics cards"],
  ]);
  const startButton = el("button", { type: "submit", class: "primary" }, "Measure");
  const stopButton = el("button", { type: "button", onclick: stop, disabled: true }, "Stop");
  const element = el(
    "form",
    { class: "bench-controls" },
    field("Cases", amount),
    field("Group", group),
    field("Sizes", scale),
    el("div", { class: "row" }, startButton, stopButton),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    start({
      quick: amount.value === "quick",
      scale: scale.value as Scale | "auto",
      ...(group.value !== "" && { group: group.value as Group }),
    });
  });
  const setRunning = (isRunning: boolean) => {
    for (const control of [amount, group, scale, startButton]) control.disabled = isRunning;
    stopButton.disabled = !isRunning;
  };
  return { element, setRunning };
}

function select(
  id: string,
  choices: readonly (readonly [value: string, name: string])[],
): HTMLSelectElement {
  return el("select", { id }, ...choices.map(([value, name]) => el("option", { value }, name)));
}

function field(name: string, control: HTMLSelectElement): HTMLElement {
  return el("div", { class: "field" }, el("label", { for: control.id }, name), control);
}
