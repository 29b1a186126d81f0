import { el } from "../dom.ts";
import { type Setting, settingProblem, SETTINGS, type TuneSettings } from "./settings.ts";

/** Fields for the settings. */
export interface SettingsForm {
  readonly element: HTMLElement;
  /** The settings; undefined while one of them is wrong, which its field says. */
  readonly read: () => TuneSettings | undefined;
  /** Fills in settings that nobody has changed. */
  readonly suggest: (settings: TuneSettings) => void;
  readonly setDisabled: (isDisabled: boolean) => void;
}

/** Number fields, each with what it costs and what is wrong with it. */
export function settingsForm(onChange: () => void): SettingsForm {
  const touched = new Set<string>();
  const fields = SETTINGS.map((setting) =>
    settingField(setting, () => {
      touched.add(setting.key);
      onChange();
    }),
  );
  const read = () => {
    const wrong = fields.map((field) => field.check()).filter((isRight) => !isRight);
    if (wrong.length > 0) return undefined;
    const entries = fields.map(({ key, input }) => [key, Number(input.value)] as const);
    return Object.fromEntries(entries) as unknown as TuneSettings;
  };
  const suggest = (settings: TuneSettings) => {
    for (const { key, input } of fields) {
      if (!touched.has(key)) input.value = String(settings[key]);
    }
    onChange();
  };
  const setDisabled = (isDisabled: boolean) => {
    for (const { input } of fields) input.disabled = isDisabled;
  };
  const element = el("div", { class: "tune-settings" }, ...fields.map((field) => field.element));
  return { element, read, suggest, setDisabled };
}

function settingField(setting: Setting, onChange: () => void) {
  const { key, name, hint } = setting;
  const id = `tune-${key}`;
  const input = el("input", {
    id,
    type: "text",
    inputmode: setting.isWhole ? "numeric" : "decimal",
    autocomplete: "off",
    "aria-describedby": `${id}-hint ${id}-problem`,
    oninput: onChange,
  });
  const problem = el("p", { class: "tune-problem", id: `${id}-problem`, role: "status" });
  const check = () => {
    const found = settingProblem(setting, input.value);
    problem.textContent = found ?? "";
    input.setAttribute("aria-invalid", String(found !== undefined));
    return found === undefined;
  };
  const element = el(
    "div",
    { class: "field" },
    el("label", { for: id }, name),
    input,
    el("p", { class: "hint", id: `${id}-hint` }, hint),
    problem,
  );
  return { key, input, check, element };
}
