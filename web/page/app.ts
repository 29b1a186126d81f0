import type { Career } from "../../data/career.ts";
import type { Engine, ModelInfo, Progress } from "../engine/api.ts";
import { EngineError } from "../engine/errors.ts";
import { Signal } from "./signal.ts";

/** What the page says at its top: a problem with its remedy, or good news. */
export interface Notice {
  readonly tone: "error" | "warning" | "info";
  readonly message: string;
  readonly remedy?: string;
}

/**
 * What all parts of the page share. A part is a function `(app: App) => HTMLElement` that follows
 * the signals it shows.
 */
export interface App {
  /** In a worker: no part of the page computes anything long by itself. */
  readonly engine: Engine;
  readonly model: Signal<ModelInfo | undefined>;
  /** The career as it is entered; undefined while it is not yet one. */
  readonly career: Signal<Career | undefined>;
  readonly notice: Signal<Notice | undefined>;
  /** Long work that is under way, and how to end it. */
  readonly work: Signal<Work | undefined>;
}

/** Long work. */
export interface Work {
  /** Such as `"Loading the model"`. */
  readonly title: string;
  readonly progress?: Progress;
  readonly cancel?: () => void;
}

/** What parts of the page share, at the beginning. */
export function createApp(engine: Engine): App {
  return {
    engine,
    model: new Signal<ModelInfo | undefined>(undefined),
    career: new Signal<Career | undefined>(undefined),
    notice: new Signal<Notice | undefined>(undefined),
    work: new Signal<Work | undefined>(undefined),
  };
}

/**
 * Does long work with its progress on view, and says what went wrong.
 *
 * @returns Undefined if it failed, or was ended.
 */
export async function doWork<T>(
  app: App,
  title: string,
  task: (options: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: Progress) => void;
  }) => Promise<T>,
): Promise<T | undefined> {
  const controller = new AbortController();
  const cancel = () => controller.abort();
  let shown: Work = { title, cancel };
  app.notice.value = undefined;
  app.work.value = shown;
  const onProgress = (progress: Progress) => (app.work.value = shown = { title, cancel, progress });
  try {
    return await task({ signal: controller.signal, onProgress });
  } catch (error) {
    if (!controller.signal.aborted) app.notice.value = noticeOf(error);
    return undefined;
  } finally {
    // Other work that began since stays on view, and can be ended.
    if (app.work.value === shown) app.work.value = undefined;
  }
}

/** An error as the page says it. */
export function noticeOf(error: unknown): Notice {
  if (error instanceof EngineError) {
    return { tone: "error", message: error.message, remedy: error.remedy };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { tone: "error", message };
}
