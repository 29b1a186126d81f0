import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { SamplerSettings } from "../../engine/ops/sampling.ts";
import type { Generation } from "../checkpoint/generation_config.ts";
import { Embedder, type EmbedOptions } from "../generate/embed.ts";
import { chooseSampling } from "../generate/choose_sampling.ts";
import { Generator } from "../generate/generator.ts";
import { type KvCacheSizes, rowsThatFit } from "../generate/kv_cache.ts";
import {
  checkRequest,
  type ContinuationScores,
  placesOf,
  Scorer,
  type ScoreRequest,
} from "../generate/score.ts";
import { StopStrings } from "../generate/stop_strings.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { GeneratedText, type GenerateEvent } from "./generated_text.ts";
import { Pool } from "./pool.ts";

export type { FinishReason, GenerateEvent } from "./generated_text.ts";

/** Text, or its tokens as they are. */
export type Prompt = string | Uint32Array;

/**
 * Options of {@linkcode TextModel.generate}. Settings of the sampler that are absent are those of the
 * model's `generation_config.json`; where that does not sample, the most probable token is taken.
 */
export interface GenerateOptions extends SamplerSettings {
  /** Tokens per prompt at most. @default {as the model's files say, or 128} */
  readonly maxNewTokens?: number;
  /** Strings that end a text and are left out of it. */
  readonly stop?: readonly string[];
  /** Tokens that end a text. @default {those of the model} */
  readonly endTokens?: readonly number[];
  readonly signal?: AbortSignal;
  /** Called once the kernels of some prompts are compiled, before these are read; for timing. */
  readonly onCompiled?: () => void;
}

/** What {@linkcode TextModel} is made of. */
export interface TextModelParts {
  readonly gpu: Gpu;
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly generation?: Generation;
  /** Jinja source that lays out a conversation. */
  readonly chatTemplate?: string;
}

/** Prompts and prefixes that share a pass at most. */
const MOST_ROWS = 8;
/** Fewest places that a cache is made for. */
const LEAST_PLACES = 64;
/** Tokens of a text at most, where neither options nor the model's files say. */
const MAX_NEW_TOKENS = 128;

/** What the prompts of one pass share. */
interface GroupOptions {
  readonly maxNewTokens: number;
  readonly sizes: KvCacheSizes;
  readonly firstRow: number;
}

/**
 * A transformer with its tokenizer: text in, text or probabilities out.
 *
 * @example
 * ```ts ignore
 * const model = await loadPretrained("https://example.org/models/SmolLM2-135M/", { gpu });
 * for await (const text of model.generate("The next job was")) show(text);
 * const [scores] = await model.score("The next job was:", [" cook", " waiter"]);
 * ```
 */
export class TextModel {
  readonly gpu: Gpu;
  readonly transformer: Transformer;
  readonly tokenizer: Tokenizer;
  readonly generation: Generation | undefined;
  readonly chatTemplate: string | undefined;
  /** Idle generators and scorers by size; each serves one call at a time. */
  readonly #generators = new Pool<Generator>();
  readonly #scorers = new Pool<Scorer>();

  constructor({ gpu, transformer, tokenizer, generation, chatTemplate }: TextModelParts) {
    this.gpu = gpu;
    this.transformer = transformer;
    this.tokenizer = tokenizer;
    this.generation = generation;
    this.chatTemplate = chatTemplate;
  }

  /** Tokens of a text as a prompt, begun as the tokenizer does it. */
  encode(prompt: Prompt): Uint32Array {
    return typeof prompt === "string"
      ? this.tokenizer.encode(prompt, { addSpecialTokens: true })
      : prompt;
  }

  /**
   * Goes on with a text.
   *
   * @returns Pieces of text as they become final.
   * @throws {RangeError} If the prompt is empty or does not fit, or an option is out of range.
   */
  async *generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<string> {
    for await (const { text } of this.generateBatch([prompt], options)) if (text !== "") yield text;
  }

  /**
   * Goes on with several texts at once, some at a time; prompts may be of any lengths.
   *
   * @param prompts One for each text.
   * @param options The same for all; row `r` draws with seed + r.
   * @returns Tokens in the order of steps.
   * @throws {RangeError} If a prompt is empty or does not fit, or an option is out of range.
   */
  async *generateBatch(
    prompts: readonly Prompt[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GenerateEvent> {
    const maxNewTokens = options.maxNewTokens ?? this.generation?.maxNewTokens ?? MAX_NEW_TOKENS;
    const { maxSeqLen } = this.transformer.config;
    const lengthOf = ({ length }: Uint32Array) => Math.min(maxSeqLen, length + maxNewTokens);
    const encoded = prompts.map((prompt) => this.encode(prompt));
    encoded.forEach((prompt, row) => this.#checkPrompt(prompt, { row, maxNewTokens }));
    for (let begin = 0; begin < encoded.length;) {
      const sizes = this.#sizesFor(encoded.slice(begin, begin + MOST_ROWS).map(lengthOf));
      const group = encoded.slice(begin, begin + sizes.numRows);
      yield* this.#generateGroup(group, { ...options, maxNewTokens, sizes, firstRow: begin });
      begin += group.length;
    }
  }

  /**
   * Scores continuations of a text, the text read once.
   *
   * @param prefix Text or tokens that all continuations follow.
   * @param continuations Text or tokens. Text is cut into tokens together with the prefix, as the
   *   model has read it in training; where the prefix's last token would not stay as it is, or the
   *   prefix comes as tokens, it is cut on its own, as text that goes on.
   * @returns Log-probability of each token of each continuation.
   * @throws {RangeError} If the prefix has no tokens, or prefix and continuations do not fit.
   */
  async score(prefix: Prompt, continuations: readonly Prompt[]): Promise<ContinuationScores> {
    const [scores] = await this.scoreBatch([{ prefix, continuations }]);
    return scores!;
  }

  /** {@linkcode score} of several prefixes, some at a time; a score does not depend on the others. */
  async scoreBatch(
    requests: readonly { readonly prefix: Prompt; readonly continuations: readonly Prompt[] }[],
  ): Promise<ContinuationScores[]> {
    const encoded = requests.map((one) => this.encodeContinuations(one));
    for (const request of encoded) checkRequest(request, this.transformer.config);
    const scores: ContinuationScores[] = [];
    for (let begin = 0; begin < encoded.length;) {
      const sizes = this.#sizesFor(encoded.slice(begin, begin + MOST_ROWS).map(placesOf));
      const group = encoded.slice(begin, begin + sizes.numRows);
      const make = () => new Scorer(this.gpu, this.transformer, sizes);
      const scorer = this.#scorers.take(sizes, make);
      try {
        scores.push(...(await scorer.score(group)));
      } finally {
        this.#scorers.give(sizes, scorer);
      }
      begin += group.length;
    }
    return scores;
  }

  /** Vectors of texts: hidden states of a layer, of the last token or their mean. */
  async *embed(texts: Iterable<Prompt>, options: EmbedOptions = {}): AsyncGenerator<Float32Array> {
    const embedder = new Embedder(this.gpu, this.transformer, options);
    try {
      yield* embedder.embed(Array.from(texts, (text) => this.encode(text)));
    } finally {
      embedder.destroy();
    }
  }

  async *#generateGroup(
    prompts: readonly Uint32Array[],
    options: GenerateOptions & GroupOptions,
  ): AsyncGenerator<GenerateEvent> {
    const { maxNewTokens, sizes, firstRow, stop = [], signal, onCompiled } = options;
    const endTokens = options.endTokens ?? this.endTokens;
    const { maxSeqLen } = this.transformer.config;
    const { settings } = chooseSampling(options, this.generation);
    const texts = prompts.map((prompt, index) => {
      const limit = Math.min(maxNewTokens, maxSeqLen - prompt.length);
      const stops = new StopStrings(stop);
      const { tokenizer } = this;
      return new GeneratedText(firstRow + index, { tokenizer, prompt, stops, limit, endTokens });
    });
    const make = () => new Generator(this.gpu, this.transformer, sizes);
    const generator = this.#generators.take(sizes, make);
    const requests = prompts.map((prompt, index) => ({
      prompt,
      settings: { ...settings, seed: (settings.seed ?? 0) + firstRow + index },
    }));
    const maxSteps = Math.max(...texts.map(({ limit }) => limit));
    const limits = { maxSteps, endTokens, ...(onCompiled !== undefined && { onCompiled }) };
    try {
      for await (const step of generator.run(requests, limits)) {
        signal?.throwIfAborted();
        for (const [index, text] of texts.entries()) {
          if (!text.isFinished) yield text.push(step, index);
        }
        if (texts.every(({ isFinished }) => isFinished)) break;
      }
    } finally {
      this.#generators.give(sizes, generator);
    }
  }

  /** Rows of a cache that fits the device, and the places of each. */
  #sizesFor(lengths: readonly number[]): { numRows: number; capacity: number } {
    const { gpu, transformer } = this;
    for (let numRows = powerOfTwo(lengths.length); ; numRows /= 2) {
      const capacity = powerOfTwo(Math.max(LEAST_PLACES, ...lengths.slice(0, numRows)));
      const sizes = { numRows, capacity };
      if (numRows === 1 || rowsThatFit(gpu, transformer.config, capacity) >= numRows) return sizes;
    }
  }

  #checkPrompt(
    { length }: Uint32Array,
    { row, maxNewTokens }: { readonly row: number; readonly maxNewTokens: number },
  ): void {
    if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
      throw new RangeError(
        `Cannot generate: maxNewTokens must be a positive integer, got ${maxNewTokens}`,
      );
    }
    const { maxSeqLen } = this.transformer.config;
    if (length > 0 && length < maxSeqLen) return;
    throw new RangeError(
      `Cannot go on with prompt ${row}: it must have 1 to ${maxSeqLen - 1} tokens, so that the model's context of ${maxSeqLen} has room for one more, got ${length}`,
    );
  }

  /** Tokens that end a text, by the model's own files. */
  get endTokens(): readonly number[] {
    const own = this.generation?.endTokens ?? [];
    const { hasEnd } = this.tokenizer;
    return hasEnd ? [...new Set([...own, this.tokenizer.endId])] : own;
  }

  /** Tokens of a text and of what may follow it, as {@linkcode score} takes them. */
  encodeContinuations({
    prefix,
    continuations,
  }: {
    readonly prefix: Prompt;
    readonly continuations: readonly Prompt[];
  }): ScoreRequest {
    const begin = this.encode(prefix);
    const isText = begin.some((token) => token !== this.tokenizer.beginId);
    const alone = (text: string) => this.tokenizer.encode(text, { continues: isText });
    return {
      prefix: begin,
      continuations: continuations.map((continuation) => {
        if (typeof continuation !== "string") return continuation;
        if (typeof prefix !== "string") return alone(continuation);
        const whole = this.encode(prefix + continuation);
        const goesOn = begin.every((token, index) => whole[index] === token);
        return goesOn ? whole.subarray(begin.length) : alone(continuation);
      }),
    };
  }

  /** Frees the memory of plans, caches and weights, once calls under way have ended. */
  destroy(): void {
    this.transformer.destroy();
    this.destroyCaches();
  }

  /** Frees the memory of plans and caches alone; the weights stay. */
  destroyCaches(): void {
    this.#generators.destroy();
    this.#scorers.destroy();
  }
}

function powerOfTwo(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}
