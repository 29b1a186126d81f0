import type { TrainerEvent, TrainerState } from "../../model/train/trainer.ts";
import { forwardFlopsPerToken } from "../../model/transformer/flops.ts";
import { formatFigure } from "../../model/occupation/text_table.ts";
import { formatDuration, type Progress } from "./progress.ts";
import type { RunSettings } from "./settings.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";

/** Weight of the latest step in the running means of time and loss. */
const SMOOTHING = 0.1;

/** Tells how a run is doing: loss, speed, validations, time left. */
export class TrainingProgress {
  readonly #progress: Progress;
  readonly #settings: RunSettings;
  readonly #maxSteps: number;
  readonly #evalEvery: number;
  readonly #begin: TrainerState;
  #stepMs: number | undefined;
  #loss: number | undefined;
  #validation: { readonly loss: number; readonly step: number; readonly ms: number } | undefined;

  constructor(
    progress: Progress,
    run: {
      readonly settings: RunSettings;
      readonly maxSteps: number;
      /** Steps between validations. */
      readonly evalEvery: number;
      readonly start: TrainerState;
    },
  ) {
    this.#progress = progress;
    this.#settings = run.settings;
    this.#maxSteps = run.maxSteps;
    this.#evalEvery = run.evalEvery;
    this.#begin = run.start;
  }

  /** Says what begins. */
  begin({ numParameters, numTrained }: Transformer): void {
    const { batch } = this.#settings;
    const { step } = this.#begin;
    const frozen =
      numTrained < numParameters ? ` on top of ${numParameters.toLocaleString("en")}` : "";
    const size = `${numTrained.toLocaleString("en")} weights${frozen}`;
    const perStep = batch.numRows * batch.seqLen * batch.accumulation;
    const verb = step === 0 ? "Training" : `Going on at step ${step} with`;
    this.#progress.line(
      `${verb} ${size}: ${this.#maxSteps} steps of ${perStep.toLocaleString("en")} tokens`,
    );
  }

  /** Tells of an event. */
  tell(event: TrainerEvent): void {
    if (event.type === "step") this.#step(event);
    else if (event.type === "validation") this.#validated(event);
    else if (event.type === "skip") this.#progress.line(skipNote(event));
    else this.#progress.line(`Step ${event.step}: ${event.reason}`);
  }

  #step({ step, loss, numTokens, ms }: TrainerEvent & { type: "step" }): void {
    this.#stepMs = mix(this.#stepMs, ms);
    this.#loss = mix(this.#loss, loss);
    this.#progress.update(() => {
      const rate = numTokens / (this.#stepMs! / 1000);
      const { model, batch } = this.#settings;
      // Backward takes twice as many operations as forward.
      const gigaflops = (3 * forwardFlopsPerToken(model, batch.seqLen) * rate) / 1e9;
      const parts = [
        `step ${step}/${this.#maxSteps}`,
        `loss ${formatFigure(this.#loss!)}`,
        `${Math.round(rate).toLocaleString("en")} tokens/s`,
        `${gigaflops.toFixed(1)} GFLOP/s`,
        ...(this.#validation
          ? [`perplexity ${formatFigure(Math.exp(this.#validation.loss))}`]
          : []),
        `${formatDuration(this.#left(step))} left`,
      ];
      return parts.join(" · ");
    });
  }

  #validated(event: TrainerEvent & { type: "validation" }): void {
    const { step, loss, isBest } = event;
    this.#validation = event;
    const note = isBest ? "the best so far" : "no better";
    this.#progress.line(
      `Step ${step}: perplexity of held-out titles ${formatFigure(Math.exp(loss))}, ${note}`,
    );
  }

  #left(step: number): number {
    const steps = (this.#maxSteps - step) * this.#stepMs!;
    if (this.#validation === undefined) return steps;
    // One is due at the end as well; that of this very step is still to come.
    const due = (upTo: number) => Math.ceil(upTo / this.#evalEvery);
    const numLeft = due(this.#maxSteps) - Math.floor((step - 1) / this.#evalEvery);
    return steps + numLeft * this.#validation.ms;
  }
}

function skipNote({ step, lossScale, batch }: TrainerEvent & { type: "skip" }): string {
  return `Step ${step + 1} skipped: gradients overflow in half precision (${batch}); the loss scale falls to ${lossScale}`;
}

function mix(before: number | undefined, value: number): number {
  return before === undefined ? value : before + SMOOTHING * (value - before);
}
