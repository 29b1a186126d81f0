import type { WeightDType } from "../../../engine/pack.ts";
import { el } from "../dom.ts";
import type { DeviceState } from "../shell/header.ts";
import type { Signal } from "../signal.ts";
import type { ModelDesk } from "./model_desk.ts";

/** A way to hold weights. */
interface Precision {
  readonly dtype: WeightDType;
  readonly bits: number;
  readonly cost: string;
}

/** Bits and errors of docs/pretrained.md: RMS, of weights that are about normal. */
const PRECISIONS: readonly Precision[] = [
  { dtype: "f32", bits: 32, cost: "exact" },
  { dtype: "f16", bits: 16, cost: "weights off by 0.02%" },
  { dtype: "int8", bits: 9, cost: "weights off by 0.5%; answers hardly change" },
  { dtype: "int4", bits: 5, cost: "weights off by 7%; answers change visibly" },
];

/** How weights are held: what each way takes, and what it costs. */
export function precisionChoice(
  { dtype: chosen }: ModelDesk,
  device: Signal<DeviceState>,
): HTMLElement {
  const rows = PRECISIONS.map(({ dtype, bits, cost }) => {
    const input = el("input", {
      type: "radio",
      name: "dtype",
      id: `dtype-${dtype}`,
      value: dtype,
      onchange: () => (chosen.value = dtype),
    });
    const hint = el("span", { class: "hint number" }, `${bits} bits a weight, ${cost}`);
    const label = el("label", { for: input.id }, dtype);
    return { dtype, input, hint, box: el("div", { class: "check" }, input, label, hint) };
  });
  chosen.follow((now) => {
    for (const { dtype, input } of rows) input.checked = dtype === now;
  });
  device.follow((now) => {
    const hasHalves = typeof now !== "object" || now.hasFloat16;
    const half = rows.find(({ dtype }) => dtype === "f16")!;
    half.input.disabled = !hasHalves;
    if (hasHalves) return;
    half.hint.textContent = "not on this graphics processor, which has no shader-f16";
    if (chosen.value === "f16") chosen.value = "f32";
  });
  return el(
    "fieldset",
    { class: "precision" },
    el("legend", {}, "Precision of the weights"),
    ...rows.map(({ box }) => box),
  );
}
