import { TextStream } from "../../data/tokenizer/text_stream.ts";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { GeneratedStep } from "../generate/generator.ts";
import type { StopStrings } from "../generate/stop_strings.ts";

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

/** One text on its way. */
export class GeneratedText {
  readonly limit: number;
  isFinished: boolean;
  readonly #row: number;
  readonly #tokenizer: Tokenizer;
  readonly #stream: TextStream;
  readonly #stops: StopStrings;
  readonly #endTokens: ReadonlySet<number>;
  #numTokens = 0;

  constructor(
    row: number,
    options: {
      readonly tokenizer: Tokenizer;
      readonly prompt: Uint32Array;
      readonly stops: StopStrings;
      readonly limit: number;
      readonly endTokens: readonly number[];
    },
  ) {
    this.#row = row;
    const { tokenizer, prompt } = options;
    const after = prompt.filter((token) => tokenizer.token(token) !== undefined);
    this.#tokenizer = tokenizer;
    this.#stream = new TextStream(tokenizer, { after, skipSpecialTokens: true });
    this.#stops = options.stops;
    this.limit = options.limit;
    this.isFinished = false;
    this.#endTokens = new Set(options.endTokens);
  }

  /** Takes the next token of a step. */
  push({ tokens, logProbabilities }: GeneratedStep, index: number): GenerateEvent {
    const token = tokens[index]!;
    this.#numTokens += 1;
    const isEnd = this.#endTokens.has(token);
    const { text, stopped } = this.#stops.push(isEnd ? this.#stream.end() : this.#decode(token));
    const isFull = this.#numTokens === this.limit;
    const finish = stopped ? "stop" : isEnd ? "end" : isFull ? "length" : undefined;
    this.isFinished = finish !== undefined;
    const event = { row: this.#row, token, logProbability: logProbabilities[index]! };
    if (finish === undefined) return { ...event, text };
    const rest = stopped ? "" : this.#rest(isEnd);
    return { ...event, text: text + rest, finish };
  }

  /** Nothing for rows of the embedding beyond the vocabulary, which some models have. */
  #decode(token: number): string {
    return this.#tokenizer.token(token) === undefined ? "" : this.#stream.push(token);
  }

  /** What is left once the last token has come. */
  #rest(isEnd: boolean): string {
    const last = isEnd ? { text: "", stopped: false } : this.#stops.push(this.#stream.end());
    return last.text + (last.stopped ? "" : this.#stops.end());
  }
}
