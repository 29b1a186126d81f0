import { TextStream } from "../../data/tokenizer/text_stream.ts";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { SamplerSettings } from "../../engine/ops/sampling.ts";
import type { Generation } from "../checkpoint/generation_config.ts";
import { Embedder, type EmbedOptions } from "../generate/embed.ts";
import { type GeneratedStep, Generator } from "../generate/generator.ts";
import { type ContinuationScores, placesOf, Scorer, type ScoreRequest } from "../generate/score.ts";
import { StopStrings } from "../generate/stop_strings.ts";
import type { Transformer } from "../transformer/transformer.ts";

/** Text, or its tokens as they are. */
export type Prompt = string | Uint32Array;

/** Options of {@linkcode TextModel.generate}; settings of the sampler are those of each prompt. */
export interface GenerateOptions extends SamplerSettings {
  /** Tokens per prompt at most. @default {128} */
  readonly maxNewTokens?: number;
  /** Strings that end a text and are left out of it. */
  readonly stop?: readonly string[];
  /** Tokens that end a text. @default {those of the model} */
  readonly endTokens?: readonly number[];
  readonly signal?: AbortSignal;
  /** Called once the kernels of some prompts are compiled, before these are read; for timing. */
  readonly onCompiled?: () => void;
}

/** Why a text ended: at an end token, at a stop string, or at a limit of tokens. */
export type FinishReason = "end" | "stop" | "length";

/** A token of one of several texts. */
export interface GenerateEvent {
  /** Index of the prompt. */
  readonly row: number;
  readonly token: number;
  /** In the model's own distribution, before temperature and the like. */
  readonly logProbability: number;
  /** Text that has become final with this token, perhaps none. */
  readonly text: string;
  /** Set with the last token of a text. */
  readonly finish?: FinishReason;
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
    for (let begin = 0; begin < prompts.length; begin += MOST_ROWS) {
      const group = prompts.slice(begin, begin + MOST_ROWS).map((prompt) => this.encode(prompt));
      yield* this.#generateGroup(group, begin, options);
    }
  }

  /**
   * Scores continuations of a text, the text read once.
   *
   * @param prefix Text or tokens that all continuations follow.
   * @param continuations Text or tokens; text is cut into tokens together with the prefix, as the
   *   model has read it in training.
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
    const scores: ContinuationScores[] = [];
    for (let begin = 0; begin < requests.length; begin += MOST_ROWS) {
      const group = requests
        .slice(begin, begin + MOST_ROWS)
        .map((one) => this.encodeContinuations(one));
      const capacity = places(Math.max(...group.map((request) => placesOf(request))));
      const numRows = powerOfTwo(group.length);
      const sizes = { numRows, capacity };
      const make = () => new Scorer(this.gpu, this.transformer, sizes);
      const scorer = this.#scorers.take(sizes, make);
      try {
        scores.push(...(await scorer.score(group)));
      } finally {
        this.#scorers.give(sizes, scorer);
      }
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
    firstRow: number,
    options: GenerateOptions,
  ): AsyncGenerator<GenerateEvent> {
    const { maxNewTokens = 128, stop = [], signal, seed = 0, onCompiled } = options;
    const endTokens = options.endTokens ?? this.endTokens;
    const { maxSeqLen } = this.transformer.config;
    const longest = Math.max(...prompts.map(({ length }) => length));
    const sizes = {
      numRows: powerOfTwo(prompts.length),
      capacity: Math.min(maxSeqLen, places(longest + maxNewTokens)),
    };
    const texts = prompts.map((prompt, index) => {
      const limit = Math.min(maxNewTokens, maxSeqLen - prompt.length);
      return new GeneratedText(firstRow + index, {
        stream: new TextStream(this.tokenizer, { after: prompt, skipSpecialTokens: true }),
        stops: new StopStrings(stop),
        limit,
        endTokens,
      });
    });
    const make = () => new Generator(this.gpu, this.transformer, sizes);
    const generator = this.#generators.take(sizes, make);
    const requests = prompts.map((prompt, index) => ({
      prompt,
      settings: { ...options, seed: seed + firstRow + index },
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
    return {
      prefix: begin,
      continuations: continuations.map((continuation) => {
        if (typeof continuation !== "string") return continuation;
        if (typeof prefix !== "string") return this.tokenizer.encode(continuation);
        const whole = this.encode(prefix + continuation);
        const goesOn = begin.every((token, index) => whole[index] === token);
        return goesOn ? whole.subarray(begin.length) : this.tokenizer.encode(continuation);
      }),
    };
  }

  /** Frees the memory of plans and caches; the weights go with the device. */
  destroy(): void {
    this.#generators.destroy();
    this.#scorers.destroy();
  }
}

/** One text on its way. */
class GeneratedText {
  readonly limit: number;
  isFinished: boolean;
  readonly #row: number;
  readonly #stream: TextStream;
  readonly #stops: StopStrings;
  readonly #endTokens: ReadonlySet<number>;
  #numTokens = 0;

  constructor(
    row: number,
    options: {
      readonly stream: TextStream;
      readonly stops: StopStrings;
      readonly limit: number;
      readonly endTokens: readonly number[];
    },
  ) {
    this.#row = row;
    this.#stream = options.stream;
    this.#stops = options.stops;
    this.limit = options.limit;
    this.isFinished = options.limit <= 0;
    this.#endTokens = new Set(options.endTokens);
  }

  push({ tokens, logProbabilities }: GeneratedStep, index: number): GenerateEvent {
    const token = tokens[index]!;
    this.#numTokens += 1;
    const isEnd = this.#endTokens.has(token);
    const { text, stopped } = this.#stops.push(
      isEnd ? this.#stream.end() : this.#stream.push(token),
    );
    const isFull = this.#numTokens === this.limit;
    const finish = stopped ? "stop" : isEnd ? "end" : isFull ? "length" : undefined;
    this.isFinished = finish !== undefined;
    const event = { row: this.#row, token, logProbability: logProbabilities[index]! };
    if (finish === undefined) return { ...event, text };
    const rest = stopped ? "" : this.#rest(isEnd);
    return { ...event, text: text + rest, finish };
  }

  /** What is left once the last token has come. */
  #rest(isEnd: boolean): string {
    const last = isEnd ? { text: "", stopped: false } : this.#stops.push(this.#stream.end());
    return last.text + (last.stopped ? "" : this.#stops.end());
  }
}

/** Most sizes of which something is kept for the next call. */
const MOST_IDLE = 2;

/** Things of a size that are made once and used by one caller at a time; the latest are kept. */
class Pool<T extends { destroy(): void }> {
  readonly #idle = new Map<string, T>();

  take(sizes: object, make: () => T): T {
    const key = JSON.stringify(sizes);
    const kept = this.#idle.get(key);
    this.#idle.delete(key);
    return kept ?? make();
  }

  give(sizes: object, thing: T): void {
    const key = JSON.stringify(sizes);
    this.#idle.get(key)?.destroy();
    this.#idle.delete(key);
    this.#idle.set(key, thing);
    for (const [oldest, idle] of this.#idle) {
      if (this.#idle.size <= MOST_IDLE) break;
      idle.destroy();
      this.#idle.delete(oldest);
    }
  }

  destroy(): void {
    for (const thing of this.#idle.values()) thing.destroy();
    this.#idle.clear();
  }
}

function powerOfTwo(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}

function places(length: number): number {
  return powerOfTwo(Math.max(LEAST_PLACES, length));
}
