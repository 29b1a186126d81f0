import type { Engine } from "../../engine/api.ts";
import { Signal } from "../signal.ts";

/** What the page measured of itself since it was opened. */
export interface PageMeasures {
  /**
   * Longest time that the main thread was busy at a stretch, ms. Browsers tell of 50 ms and more:
   * 0 if there was no such time; undefined where a browser does not tell.
   */
  readonly longestTaskMs: number | undefined;
  /** From the first question to its answer, ms; undefined before. */
  readonly firstPredictionMs: number | undefined;
}

declare global {
  interface Window {
    /** For tests and for the curious. */
    tenurePage?: PageMeasures;
  }
}

/** Measures the page, from now on and as far back as the browser remembers. */
export class PageMeter {
  readonly measures = new Signal<PageMeasures>({
    longestTaskMs: undefined,
    firstPredictionMs: undefined,
  });

  constructor() {
    this.measures.follow((now) => (window.tenurePage = now));
    this.#followTasks();
  }

  /** An engine whose first prediction is timed. */
  timed(engine: Engine): Engine {
    const predict: Engine["predict"] = async (career, question) => {
      const begin = performance.now();
      const prediction = await engine.predict(career, question);
      if (this.measures.value.firstPredictionMs === undefined) {
        this.#set({ firstPredictionMs: performance.now() - begin });
      }
      return prediction;
    };
    return new Proxy(engine, {
      get(target, key) {
        if (key === "predict") return predict;
        const value: unknown = Reflect.get(target, key);
        // Bound, since private fields belong to the engine and not to what stands before it.
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #followTasks(): void {
    if (typeof PerformanceObserver === "undefined") return;
    if (!PerformanceObserver.supportedEntryTypes.includes("longtask")) return;
    this.#set({ longestTaskMs: 0 });
    const observer = new PerformanceObserver((list) => {
      const longest = Math.max(...list.getEntries().map(({ duration }) => duration));
      if (longest > (this.measures.value.longestTaskMs ?? 0)) this.#set({ longestTaskMs: longest });
    });
    observer.observe({ type: "longtask", buffered: true });
  }

  #set(some: Partial<PageMeasures>): void {
    this.measures.value = { ...this.measures.value, ...some };
  }
}
