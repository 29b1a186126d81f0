import type { App } from "../app.ts";
import { el, moveFocus } from "../dom.ts";
import { Signal } from "../signal.ts";
import { peopleInput } from "./people_input.ts";
import type { People } from "./read_people.ts";
import { type Run, runTuning } from "./run_tuning.ts";
import { runView } from "./run_view.ts";
import { costOf, defaultSettings } from "./settings.ts";
import { settingsForm } from "./settings_form.ts";

/** Goes on training the model that is loaded on people from a file, with its loss on view. */
export function tunePart(app: App): HTMLElement {
  const people = new Signal<People | undefined>(undefined);
  const run = new Signal<Run>({ total: 0, steps: [] });
  const form = settingsForm(() => show());
  const cost = el("p", { class: "hint" });
  const startButton = el("button", { type: "submit", class: "primary" }, "Fine-tune");
  const stopButton = el("button", { type: "button", onclick: () => run.value.cancel?.() }, "Stop");
  const show = () => {
    const [hasModel, settings] = [app.model.value !== undefined, form.read()];
    const isRunning = run.value.cancel !== undefined;
    const isReady = hasModel && people.value !== undefined && settings !== undefined;
    form.setDisabled(isRunning);
    // The keyboard stays where it can end what it began, and begin again.
    stopButton.disabled = false;
    if (isRunning) moveFocus(startButton, stopButton);
    startButton.disabled = !isReady || app.work.value !== undefined;
    if (!isRunning) moveFocus(stopButton, startButton);
    stopButton.disabled = !isRunning;
    const tokensPerSecond = run.value.steps.at(-1)?.tokensPerSecond;
    const known = tokensPerSecond === undefined ? {} : { tokensPerSecond };
    cost.textContent = !hasModel
      ? "Load a model first."
      : people.value === undefined
        ? "Choose careers first."
        : settings === undefined
          ? ""
          : costOf(settings, { numYears: people.value.numYears, ...known });
  };
  for (const signal of [people, run, app.work]) signal.follow(show);
  app.model.follow((model) => {
    run.value = { total: 0, steps: [] };
    if (model !== undefined) void suggest(app, model.numParameters, form.suggest);
    show();
  });
  const element = el(
    "form",
    { class: "stack" },
    peopleInput(app, people),
    form.element,
    cost,
    el("div", { class: "row" }, startButton, stopButton),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const [now, settings] = [people.value, form.read()];
    if (now === undefined || settings === undefined || startButton.disabled) return;
    void runTuning(app, run, { people: now, settings });
  });
  return el(
    "section",
    { class: "section tune", "aria-labelledby": "tune-title" },
    el("h2", { id: "tune-title" }, "Fine-tune"),
    el(
      "p",
      { class: "lead" },
      "Train the model that is loaded on careers of your own, on this device.",
    ),
    element,
    runView(run),
    note(),
  );
}

function note(): HTMLElement {
  return el(
    "p",
    { class: "sheet-note" },
    "Only the model in this tab's memory changes. Nothing is saved: load the model again, and it is " +
      "what it was. To train in earnest, with people held out, checkpoints and a whole GPU, install tenure and run ",
    el("code", {}, "tenure train"),
    ".",
  );
}

async function suggest(
  app: App,
  numParameters: number,
  take: (settings: ReturnType<typeof defaultSettings>) => void,
): Promise<void> {
  try {
    take(defaultSettings(await app.engine.device(), numParameters));
  } catch {
    // A device that is gone is told of by whoever asks it to work.
    take(defaultSettings({ isSoftware: false }, numParameters));
  }
}
