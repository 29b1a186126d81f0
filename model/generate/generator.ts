import type { Gpu } from "../../engine/gpu.ts";
import { linear } from "../../engine/ops/linear.ts";
import {
  advanceRows,
  sampleTokens,
  type SamplerSettings,
  SamplerState,
} from "../../engine/ops/sampling.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { CachedInputs, type Span, textSpan } from "./cached_inputs.ts";
import { KvCache, type KvCacheSizes } from "./kv_cache.ts";
import { Prefill } from "./prefill.ts";

/** A text to go on with, and how. */
export interface GenerateRequest {
  /** At least one token. */
  readonly prompt: Uint32Array;
  readonly settings: SamplerSettings;
}

/** How long texts go on. */
export interface GenerateLimits {
  /** Tokens of a text at most. */
  readonly maxSteps: number;
  /** Tokens that each end a text. */
  readonly endTokens: readonly number[];
  /** Called once all kernels are compiled, before the prompts are read. */
  readonly onCompiled?: () => void;
}

/** What one step gave, by row; a row that has ended gives nothing more. */
export interface GeneratedStep {
  readonly tokens: Uint32Array;
  /** Of each token in the model's own distribution, before temperature and the like. */
  readonly logProbabilities: Float32Array;
}

/** Steps that the device is given before the token of the first is waited for. */
const STEPS_AHEAD = 1;

/**
 * Generates tokens, one for every row and step, each step one submit; tokens are drawn on the
 * device, and only they are read back.
 */
export class Generator {
  readonly numRows: number;
  readonly capacity: number;
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #inputs: CachedInputs;
  readonly #state: SamplerState;
  readonly #tokens: Tensor;
  readonly #logProbabilities: Tensor;
  readonly #plan: Plan;

  /** Records the plan of a step; it compiles at the first use. */
  constructor(gpu: Gpu, model: Transformer, sizes: KvCacheSizes) {
    const { numRows, capacity } = sizes;
    const { vocabSize, slidingWindow } = model.config;
    this.numRows = numRows;
    this.capacity = capacity;
    this.#gpu = gpu;
    this.#model = model;
    this.#cache = new KvCache(gpu, model.config, sizes);
    this.#prefill = new Prefill(gpu, model, this.#cache);
    this.#inputs = new CachedInputs(gpu, this.#cache, 1);
    this.#state = new SamplerState(gpu, { numRows, vocabSize, capacity });
    const tape = new Tape(gpu);
    const x = model.hidden(tape, this.#inputs);
    const logits = linear(tape, x, model.weights.output);
    const sampled = sampleTokens(tape, { logits, state: this.#state });
    const { tokens, places, positions, starts } = this.#inputs;
    const rows = { tokens, places, positions, starts };
    advanceRows(tape, { sampled, state: this.#state, ...rows, slidingWindow });
    this.#tokens = sampled.tokens;
    this.#logProbabilities = sampled.logProbabilities;
    this.#plan = new Plan(gpu, tape, { keep: [this.#tokens, this.#logProbabilities] });
  }

  /** The plan of a step, and those of reading prompts by tokens of a row; for profiling. */
  get plans(): { readonly step: Plan; readonly prefill: ReadonlyMap<number, Plan> } {
    return { step: this.#plan, prefill: this.#prefill.plans };
  }

  /**
   * Goes on with texts.
   *
   * @param requests One for each row, at most `numRows`.
   * @param limits How long they go on.
   * @throws {RangeError} If a prompt is empty or does not fit, or a setting is out of range.
   */
  async *run(
    requests: readonly GenerateRequest[],
    { maxSteps, endTokens, onCompiled }: GenerateLimits,
  ): AsyncGenerator<GeneratedStep> {
    this.#check(requests);
    await this.#plan.compile();
    await this.#prefill.compile(Math.max(...requests.map(({ prompt }) => prompt.length - 1)));
    onCompiled?.();
    this.#state.setEndTokens(endTokens);
    requests.forEach(({ prompt, settings }, row) => {
      this.#state.configure(row, settings);
      this.#state.reset(row, prompt);
    });
    await this.#prefill.run(requests.map(({ prompt }) => prompt.subarray(0, -1)));
    this.#inputs.write(requests.map(({ prompt }) => this.#lastToken(prompt)));
    const flying: Promise<GeneratedStep>[] = [];
    for (let step = 0; step < maxSteps;) {
      while (flying.length < STEPS_AHEAD && step < maxSteps) {
        flying.push(this.#step());
        step += 1;
      }
      yield await flying.shift()!;
    }
    for (const step of flying) yield await step;
  }

  async #step(): Promise<GeneratedStep> {
    const sources = [this.#tokens, this.#logProbabilities].map((x) => this.#plan.source(x));
    const [tokens, logProbabilities] = await submitAndRead(this.#gpu, [this.#plan], sources);
    return { tokens: new Uint32Array(tokens!.buffer), logProbabilities: logProbabilities! };
  }

  #lastToken(prompt: Uint32Array): Span {
    const last = prompt.length - 1;
    return textSpan(prompt.subarray(last), last, this.#model.config.slidingWindow);
  }

  #check(requests: readonly GenerateRequest[]): void {
    const { numRows, capacity } = this;
    if (requests.length > numRows) {
      throw new RangeError(
        `Cannot generate at once: at most ${numRows} prompts fit, got ${requests.length}`,
      );
    }
    requests.forEach(({ prompt }, row) => {
      if (prompt.length > 0 && prompt.length <= capacity) return;
      throw new RangeError(
        `Cannot go on with prompt ${row}: it must have 1 to ${capacity} tokens, got ${prompt.length}`,
      );
    });
  }

  /** Frees the memory; the model's weights stay. */
  destroy(): void {
    this.#plan.destroy();
    this.#prefill.destroy();
    this.#cache.destroy();
    this.#inputs.destroy();
    this.#state.destroy();
  }
}
