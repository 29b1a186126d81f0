import { FINISHED } from "../../shaders/sampling_advance.wgsl.ts";
import { SETTINGS_FIELDS } from "../../shaders/sampling.wgsl.ts";
import type { Gpu } from "../gpu.ts";
import type { Tensor } from "../tensor.ts";

/** How the tokens of a row are chosen. */
export interface SamplerSettings {
  /** Divides the logits; 0 takes the most probable token, the lowest id of equals. @default {0} */
  readonly temperature?: number;
  /** Keeps so many of the most probable tokens, and all equal to the last; 0 for all. @default {0} */
  readonly topK?: number;
  /** Keeps the most probable tokens that reach this probability together. @default {1} */
  readonly topP?: number;
  /** Keeps tokens at least this probable relative to the most probable one. @default {0} */
  readonly minP?: number;
  /** Divides positive logits, and multiplies others, of tokens seen before. @default {1} */
  readonly repetitionPenalty?: number;
  /** Of the random numbers; the same seed gives the same tokens. @default {0} */
  readonly seed?: number;
}

/** Sizes of a {@linkcode SamplerState}. */
export interface SamplerStateOptions {
  readonly numRows: number;
  readonly vocabSize: number;
  /** Tokens that the history of a row holds. */
  readonly capacity: number;
  /** Most tokens that may end a row. @default {16} */
  readonly maxEndTokens?: number;
}

/** What a row has generated. */
export interface SampledRow {
  readonly tokens: Uint32Array<ArrayBuffer>;
  /** Natural, under the unmodified distribution: see `sampleTokens()`. */
  readonly logProbabilities: Float32Array<ArrayBuffer>;
  /** Why the row stopped; undefined while it goes on. */
  readonly finished: "end token" | "capacity" | undefined;
}

/** Least temperature and penalty: with their inverses, products of logits stay finite. */
const LEAST = 1e-6;

/**
 * What sampling keeps on the device from step to step: settings, progress and history of each row.
 *
 * All of it is data, so that one plan serves any settings. Memory: 4 · capacity · 2 bytes and
 * vocabSize / 8 bytes a row, and little else.
 */
export class SamplerState {
  readonly numRows: number;
  readonly vocabSize: number;
  readonly capacity: number;
  readonly maxEndTokens: number;
  /** `[numRows, 8]` u32: bits of f32, and the seed. */
  readonly settings: Tensor;
  /** Tokens sampled so far, `[numRows]` u32. */
  readonly steps: Tensor;
  /** 0 while a row goes on; 1 after an end token, 2 at capacity; `[numRows]` u32. */
  readonly finished: Tensor;
  /** Tokens of prompt and history, a bit each: `[numRows, ⌈vocabSize / 32⌉]` u32. */
  readonly seen: Tensor;
  /** `[1 + maxEndTokens]` u32: their number, then the tokens. */
  readonly endTokens: Tensor;
  /** `[numRows, capacity]` u32; a row's first `steps` tokens are there. */
  readonly history: Tensor;
  /** `[numRows, capacity]` f32, beside the history. */
  readonly logProbabilities: Tensor;
  readonly #gpu: Gpu;

  /**
   * Allocates the tensors; all rows are greedy, have seen nothing, and end at no token.
   *
   * @throws {RangeError} If a size is no positive integer.
   */
  constructor(gpu: Gpu, options: SamplerStateOptions) {
    const { numRows, vocabSize, capacity, maxEndTokens = 16 } = options;
    for (const [name, size] of Object.entries({ numRows, vocabSize, capacity, maxEndTokens })) {
      if (Number.isSafeInteger(size) && size >= 1) continue;
      throw new RangeError(
        `Cannot make a sampler: ${name} must be a positive integer, got ${size}`,
      );
    }
    this.#gpu = gpu;
    this.numRows = numRows;
    this.vocabSize = vocabSize;
    this.capacity = capacity;
    this.maxEndTokens = maxEndTokens;
    const u32 = (label: string, ...shape: number[]): Tensor =>
      gpu.tensor(shape, { label: `sampler.${label}`, dtype: "u32" });
    this.settings = u32("settings", numRows, SETTINGS_FIELDS.length);
    this.steps = u32("steps", numRows);
    this.finished = u32("finished", numRows);
    this.seen = u32("seen", numRows, Math.ceil(vocabSize / 32));
    this.endTokens = u32("endTokens", 1 + maxEndTokens);
    this.history = u32("history", numRows, capacity);
    this.logProbabilities = gpu.tensor([numRows, capacity], { label: "sampler.logProbabilities" });
    const defaults = packSettings({}, vocabSize);
    gpu.write(
      this.settings,
      Uint32Array.from(
        { length: numRows * defaults.length },
        (_, i) => defaults[i % defaults.length]!,
      ),
    );
  }

  /**
   * Says how the tokens of a row are chosen, from the next step on.
   *
   * @throws {RangeError} If the row or a setting is out of range.
   */
  configure(row: number, settings: SamplerSettings): void {
    this.#checkRow(row);
    this.#writeRow(this.settings, row, packSettings(settings, this.vocabSize));
  }

  /**
   * Begins a row anew: no token sampled, those of the prompt seen. Settings stay.
   *
   * @throws {RangeError} If the row or a token is out of range.
   */
  reset(row: number, promptTokens: ArrayLike<number> = []): void {
    this.#checkRow(row);
    const seen = new Uint32Array(Math.ceil(this.vocabSize / 32));
    for (const token of Array.from(promptTokens)) {
      this.#checkToken("see", token);
      seen[token >>> 5]! |= 1 << (token & 31);
    }
    this.#writeRow(this.seen, row, seen);
    this.#writeRow(this.steps, row, Uint32Array.of(0));
    this.#writeRow(this.finished, row, Uint32Array.of(0));
  }

  /**
   * Ends a row, as a row of a batch that nobody uses; {@linkcode reset} begins it anew.
   *
   * @throws {RangeError} If the row is out of range.
   */
  finish(row: number): void {
    this.#checkRow(row);
    this.#writeRow(this.finished, row, Uint32Array.of(FINISHED.byCapacity));
  }

  /**
   * Says which tokens end a row; they are part of its history.
   *
   * @throws {RangeError} If there are too many, or one is out of range.
   */
  setEndTokens(endTokens: ArrayLike<number>): void {
    if (endTokens.length > this.maxEndTokens) {
      throw new RangeError(
        `Cannot end rows: end tokens must be at most ${this.maxEndTokens}, got ${endTokens.length}; make the sampler with a larger maxEndTokens`,
      );
    }
    const tokens = Array.from(endTokens);
    for (const token of tokens) this.#checkToken("end rows at", token);
    const values = new Uint32Array(1 + this.maxEndTokens);
    values.set([tokens.length, ...tokens]);
    this.#gpu.write(this.endTokens, values);
  }

  /** Copies what all rows have generated so far to the host. */
  async read(): Promise<SampledRow[]> {
    const sources = [this.steps, this.finished, this.history, this.logProbabilities];
    const { numRows, capacity } = this;
    const lengths = [numRows, numRows, numRows * capacity, numRows * capacity];
    const [steps, finished, history, logProbabilities] = await this.#gpu.readBuffers(
      sources.map(({ buffer }, index) => ({ buffer: buffer!, bytes: 4 * lengths[index]! })),
    );
    const reasons = new Uint32Array(finished!);
    return Array.from(new Uint32Array(steps!), (length, row) => ({
      tokens: new Uint32Array(history!, 4 * row * capacity, length),
      logProbabilities: new Float32Array(logProbabilities!, 4 * row * capacity, length),
      finished: REASONS[reasons[row]!],
    }));
  }

  /** Frees the memory. */
  destroy(): void {
    const { settings, steps, finished, seen, endTokens, history, logProbabilities } = this;
    for (const { buffer } of [settings, steps, finished, seen, endTokens, history]) {
      buffer?.destroy();
    }
    logProbabilities.buffer?.destroy();
  }

  #writeRow({ buffer }: Tensor, row: number, values: Uint32Array<ArrayBuffer>): void {
    this.#gpu.device.queue.writeBuffer(buffer!, row * values.byteLength, values);
  }

  #checkRow(row: number): void {
    if (Number.isSafeInteger(row) && row >= 0 && row < this.numRows) return;
    throw new RangeError(
      `Cannot sample row ${row}: rows must be integers in [0, ${this.numRows}), got ${row}`,
    );
  }

  #checkToken(verb: string, token: number): void {
    if (Number.isSafeInteger(token) && token >= 0 && token < this.vocabSize) return;
    throw new RangeError(
      `Cannot ${verb} a token: tokens must be integers in [0, ${this.vocabSize}), got ${token}`,
    );
  }
}

const REASONS: readonly (SampledRow["finished"] | undefined)[] = [
  undefined,
  "end token",
  "capacity",
];

/**
 * Refuses settings that no state takes, before there is one.
 *
 * @throws {RangeError} If a setting is out of range.
 */
export function checkSamplerSettings(settings: SamplerSettings): void {
  packSettings(settings, 1);
}

/** A row of settings as the kernel reads it. */
function packSettings(settings: SamplerSettings, vocabSize: number): Uint32Array<ArrayBuffer> {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = settings;
  const { seed = 0 } = settings;
  const isIn = (value: number, low: number, high: number) => value >= low && value <= high;
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
  const temperatureFits = temperature === 0 || isIn(temperature, LEAST, 1 / LEAST);
  check("temperature", temperature, "be 0 or lie in [1e-6, 1e6]", temperatureFits);
  check("topK", topK, "be an integer from 0 on", isCount(topK));
  check("topP", topP, "lie in (0, 1]", topP > 0 && topP <= 1);
  check("minP", minP, "lie in [0, 1]", isIn(minP, 0, 1));
  const penaltyFits = isIn(repetitionPenalty, LEAST, 1 / LEAST);
  check("repetitionPenalty", repetitionPenalty, "lie in [1e-6, 1e6]", penaltyFits);
  check("seed", seed, "be an integer in [0, 2^53)", isCount(seed));
  const floats: Record<string, number> = {
    inverseTemperature: temperature === 0 ? 0 : 1 / temperature,
    topK: topK >= vocabSize ? 0 : topK,
    topP: Math.max(topP, 2 ** -100), // smaller ones would be zeros in f32
    logMinP: Math.max(Math.log(minP), -1e30),
    penalty: repetitionPenalty,
    inversePenalty: 1 / repetitionPenalty,
  };
  const row = Float32Array.from(SETTINGS_FIELDS, (name) => floats[name] ?? 0);
  const values = new Uint32Array(row.buffer);
  values[SETTINGS_FIELDS.indexOf("seedLow")] = seed % 2 ** 32;
  values[SETTINGS_FIELDS.indexOf("seedHigh")] = Math.floor(seed / 2 ** 32);
  return values;
}

function check(name: string, value: number, must: string, isValid: boolean): void {
  if (isValid) return;
  throw new RangeError(`Cannot configure sampling: ${name} must ${must}, got ${value}`);
}
