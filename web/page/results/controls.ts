import { EDUCATION_LEVELS, type Education } from "../../../data/career.ts";
import { el, replace, type Attributes } from "../dom.ts";

/** A field under its label. */
export function field(label: string, control: HTMLElement): HTMLElement {
  return el("label", { class: "field" }, el("span", { class: "label" }, label), control);
}

/** A whole number with a label; what is no number from `min` to `max` is not told. */
export function numberField(label: string, onChange: (value: number) => void) {
  const input = el("input", {
    type: "number",
    inputmode: "numeric",
    step: 1,
    onchange: () => {
      const value = Number(input.value);
      const isFit =
        input.value !== "" &&
        Number.isInteger(value) &&
        value >= Number(input.min) &&
        value <= Number(input.max);
      input.setAttribute("aria-invalid", String(!isFit));
      if (isFit) onChange(value);
    },
  });
  const show = (value: number, { min, max }: { readonly min: number; readonly max: number }) => {
    input.min = String(min);
    input.max = String(max);
    input.value = String(value);
    input.setAttribute("aria-invalid", "false");
  };
  return { element: field(label, input), show };
}

/** Levels of education with a label; those that cannot be are disabled. */
export function educationField(label: string, onChange: (value: Education) => void) {
  const select = el("select", { onchange: () => onChange(select.value as Education) });
  const show = (value: Education, canBe: (level: Education) => boolean = () => true) => {
    replace(
      select,
      ...EDUCATION_LEVELS.map((level) =>
        el("option", { value: level, disabled: !canBe(level) }, level),
      ),
    );
    select.value = value;
  };
  return { element: field(label, select), show };
}

/** A button that does not submit anything. */
export function button(text: string, onClick: () => void, attributes: Attributes = {}) {
  return el("button", { type: "button", ...attributes, onclick: onClick }, text);
}
