import type { Career } from "../../../data/career.ts";
import type { Engine, Prediction, Question } from "../../engine/api.ts";
import { Signal } from "../signal.ts";

/** What is asked of a model. */
export interface Asked {
  readonly career: Career;
  readonly question: Question;
}

/** What a {@linkcode Predictor} shows. */
export interface PredictorState {
  /** The latest answer; it stays while the next is computed. */
  readonly prediction?: Prediction;
  readonly isBusy: boolean;
  /** Why there is no newer answer. */
  readonly error?: unknown;
}

/** Waits before asking, in ms: keys and clicks that follow each other are one question. */
const DELAY_MS = 150;

/**
 * Asks an engine, one question at a time: a question that is overtaken by another is ended, and its
 * answer dropped.
 */
export class Predictor {
  readonly state: Signal<PredictorState> = new Signal<PredictorState>({ isBusy: false });
  readonly #engine: Pick<Engine, "predict">;
  readonly #delayMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #controller: AbortController | undefined;

  constructor(engine: Pick<Engine, "predict">, delayMs: number = DELAY_MS) {
    this.#engine = engine;
    this.#delayMs = delayMs;
  }

  /** Asks a while from now, unless something else is asked before. */
  ask(asked: Asked): void {
    this.#end();
    this.#set({ isBusy: true });
    this.#timer = setTimeout(() => void this.#answer(asked), this.#delayMs);
  }

  /** Ends what is asked; the answer stays, an error goes with its question. */
  stop(): void {
    this.#end();
    this.#set({ isBusy: false });
  }

  /** Ends what is asked, and forgets the answer. */
  clear(): void {
    this.#end();
    this.state.value = { isBusy: false };
  }

  async #answer({ career, question }: Asked): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    const { signal } = controller;
    try {
      const prediction = await this.#engine.predict(career, { ...question, signal });
      if (!signal.aborted) this.state.value = { prediction, isBusy: false };
    } catch (error) {
      if (!signal.aborted) this.#set({ isBusy: false, error });
    }
  }

  #set(change: Omit<PredictorState, "prediction">): void {
    const { prediction } = this.state.value;
    this.state.value = prediction === undefined ? change : { prediction, ...change };
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#controller?.abort();
    this.#controller = undefined;
  }
}
