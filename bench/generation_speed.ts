import type { Gpu } from "../engine/gpu.ts";
import type { WeightDType } from "../engine/pack.ts";
import { type GenerateRequest, Generator } from "../model/generate/generator.ts";
import { loadTransformer, weightBytes } from "../model/pretrained/load_transformer.ts";
import type { Transformer } from "../model/transformer/transformer.ts";
import type { GenerationClock, SplitMs } from "./generation_clock.ts";
import { type BenchModel, randomPrompt } from "./generation_models.ts";

/** Tokens of the prompts that prefill is timed with. */
export const PROMPT_LENGTHS = [64, 256] as const;
/** Greedy steps, of one row and of several. */
export const DECODE_STEPS = 200;
export const BATCH_ROWS = 8;
export const BATCH_STEPS = 40;
/** Token that decoding begins with. */
export const BEGIN_TOKEN = 1;

/** Times of one round, in ms. */
export interface RoundMs {
  /** To the first token after prompts of so many tokens. */
  readonly firstToken: readonly number[];
  /** Of each greedy step after the first, one row. */
  readonly decode: number;
  /** Of each step of a batch. */
  readonly batch: number;
  /** Of each greedy step, by where it goes. */
  readonly split: SplitMs;
}

/** A model on the device in one format, with what generates from it. */
export class GenerationSpeed {
  readonly transformer: Transformer;
  readonly loadMs: number;
  /** Bytes of the weights on the device. */
  readonly bytes: number;
  /** To the first token of the first prompt, all plans yet to be compiled. */
  readonly coldMs: number;
  readonly #single: Generator;
  readonly #batch: Generator;

  private constructor(made: Omit<GenerationSpeed, "round">, generators: readonly Generator[]) {
    this.transformer = made.transformer;
    this.loadMs = made.loadMs;
    this.bytes = made.bytes;
    this.coldMs = made.coldMs;
    [this.#single, this.#batch] = generators as [Generator, Generator];
  }

  /** Loads a model and compiles what it needs. */
  static async load(gpu: Gpu, model: BenchModel, dtype: WeightDType): Promise<GenerationSpeed> {
    const { stored } = model;
    const { config } = stored;
    const begin = performance.now();
    const transformer = await loadTransformer(gpu, stored, { dtype });
    const loadMs = performance.now() - begin;
    const capacity = config.maxSeqLen;
    const single = new Generator(gpu, transformer, { numRows: 1, capacity });
    const batch = new Generator(gpu, transformer, { numRows: BATCH_ROWS, capacity });
    const coldMs = await firstTokenMs(single, randomPrompt(PROMPT_LENGTHS[0], config.vocabSize));
    await firstTokenMs(single, randomPrompt(PROMPT_LENGTHS[1], config.vocabSize));
    await stepMs(batch, { rows: BATCH_ROWS, steps: 2 });
    const bytes = weightBytes(config, dtype);
    return new GenerationSpeed({ transformer, loadMs, bytes, coldMs }, [single, batch]);
  }

  /** Times everything once. */
  async round(clock: GenerationClock): Promise<RoundMs> {
    const { vocabSize } = this.transformer.config;
    const firstToken: number[] = [];
    for (const length of PROMPT_LENGTHS) {
      firstToken.push(await firstTokenMs(this.#single, randomPrompt(length, vocabSize)));
    }
    let decode = 0;
    const split = await clock.split(async () => {
      decode = await stepMs(this.#single, { rows: 1, steps: DECODE_STEPS });
    });
    const batch = await stepMs(this.#batch, { rows: BATCH_ROWS, steps: BATCH_STEPS });
    const perStep = (ms: number) => ms / DECODE_STEPS;
    return {
      firstToken,
      decode,
      batch,
      split: {
        submit: perStep(split.submit),
        wait: perStep(split.wait),
        host: perStep(split.host),
      },
    };
  }
}

const greedy = (prompt: Uint32Array): GenerateRequest => ({ prompt, settings: { temperature: 0 } });

async function firstTokenMs(generator: Generator, prompt: Uint32Array): Promise<number> {
  const begin = performance.now();
  for await (const _ of generator.run([greedy(prompt)], { maxSteps: 1, endTokens: [] }));
  return performance.now() - begin;
}

/** Mean time of the steps after the first. */
async function stepMs(
  generator: Generator,
  { rows, steps }: { readonly rows: number; readonly steps: number },
): Promise<number> {
  const requests = Array.from({ length: rows }, () => greedy(Uint32Array.of(BEGIN_TOKEN)));
  let [first, last] = [0, 0];
  for await (const _ of generator.run(requests, { maxSteps: steps, endTokens: [] })) {
    last = performance.now();
    if (first === 0) first = last;
  }
  return (last - first) / (steps - 1);
}
