import type { TrainedStep } from "../../engine/api.ts";
import { type App, doWork, noticeOf } from "../app.ts";
import type { Signal } from "../signal.ts";
import type { People } from "./read_people.ts";
import type { TuneSettings } from "./settings.ts";
import { askToldYear, type ToldYear } from "./told_year.ts";

/** A run of training, as it goes on. */
export interface Run {
  /** Steps to do. */
  readonly total: number;
  readonly steps: readonly TrainedStep[];
  /** When the first step was done, as `performance.now()` tells. */
  readonly firstStepAt?: number;
  /** The last told year of the career that was entered, before and after. */
  readonly before?: ToldYear;
  readonly after?: ToldYear;
  /** Ends it; undefined once it has ended. */
  readonly cancel?: () => void;
}

/**
 * Fine-tunes, and asks for the career that is entered before and after, also where training was
 * stopped: the model has changed by then. What goes wrong is said at the top of the page.
 */
export async function runTuning(
  app: App,
  run: Signal<Run>,
  { people, settings }: { readonly people: People; readonly settings: TuneSettings },
): Promise<void> {
  const career = app.career.value;
  const change = (parts: Partial<Run>) => (run.value = { ...run.value, ...parts });
  await doWork(app, "Fine-tuning", async ({ signal, onProgress }) => {
    const cancel = app.work.value?.cancel;
    run.value = { total: settings.steps, steps: [], ...(cancel && { cancel }) };
    const before = career && (await askToldYear(app.engine, career, signal));
    if (before !== undefined) change({ before });
    for await (const step of app.engine.fineTune(people.careers, {
      ...settings,
      signal,
      onProgress,
    })) {
      const { steps, firstStepAt = performance.now() } = run.value;
      change({ steps: [...steps, step], firstStepAt });
    }
  });
  const { cancel: _cancel, ...ended } = run.value;
  run.value = ended;
  if (career === undefined || ended.before === undefined || ended.steps.length === 0) return;
  try {
    const after = await askToldYear(app.engine, career);
    if (after !== undefined) change({ after });
  } catch (error) {
    app.notice.value ??= noticeOf(error);
  }
}
