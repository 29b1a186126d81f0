import { GROUPS, type Group, type Scale } from "../../../bench/cases/kernel_case.ts";
import type { BenchOptions, DeviceInfo } from "../../engine/api.ts";
import { el, moveFocus } from "../dom.ts";

/** What a person asked for. */
export type BenchRequest = Pick<BenchOptions, "group"> & {
  /** `"auto"` leaves it to the device. */
  readonly scale: Scale | "auto";
  readonly quick: boolean;
};

/** Whether a run may start, is under way, or must wait for other work. */
export type ControlState = "ready" | "running" | "waiting";

/** The form above the table. */
export interface BenchControls {
  readonly element: HTMLFormElement;
  readonly setState: (state: ControlState) => void;
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
  const setState = (state: ControlState) => {
    stopButton.disabled = state !== "running";
    for (const control of [amount, group, scale]) control.disabled = state === "running";
    // The keyboard stays where it can end what it began, and begin again.
    if (state === "running") moveFocus(startButton, stopButton);
    startButton.disabled = state !== "ready";
    if (state === "ready") moveFocus(stopButton, startButton);
  };
  return { element, setState };
}

function select(
  id: string,
  choices: readonly (readonly [value: string, name: string])[],
): HTMLSelectElement {
  const options = choices.map(([value, name], i) =>
    el("option", { value, selected: i === 0 }, name),
  );
  return el("select", { id }, ...options);
}

function field(name: string, control: HTMLSelectElement): HTMLElement {
  return el("div", { class: "field" }, el("label", { for: control.id }, name), control);
}
