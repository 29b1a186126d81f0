import type { Gpu } from "../../engine/gpu.ts";
import { Plan, submit } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { CachedInputs, textSpan } from "./cached_inputs.ts";
import type { KvCache } from "./kv_cache.ts";

/** Fewest and most tokens of a row that are read at a time. */
const LEAST_CHUNK = 8;
export const MOST_CHUNK = 256;

/** Reads texts into a cache, some tokens of every row at a time, for their keys and values alone. */
export class Prefill {
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #cache: KvCache;
  readonly #plans = new Map<number, { readonly plan: Plan; readonly inputs: CachedInputs }>();

  constructor(gpu: Gpu, model: Transformer, cache: KvCache) {
    this.#gpu = gpu;
    this.#model = model;
    this.#cache = cache;
  }

  /** Plans so far, by tokens of a row; for profiling. */
  get plans(): ReadonlyMap<number, Plan> {
    return new Map(Array.from(this.#plans, ([seqLen, { plan }]) => [seqLen, plan]));
  }

  /**
   * Reads a text into each row, from its first place on.
   *
   * @param texts Tokens by row; rows without a text stay as they are.
   * @throws {RangeError} If a text does not fit the cache.
   */
  async run(texts: readonly ArrayLike<number>[]): Promise<void> {
    const { slidingWindow } = this.#model.config;
    const longest = texts.reduce((most, { length }) => Math.max(most, length), 0);
    if (longest > this.#cache.capacity) {
      throw new RangeError(
        `Cannot read a text: it must fit the cache's ${this.#cache.capacity} places, got ${longest} tokens`,
      );
    }
    const all = texts.map((text) => Uint32Array.from(text));
    for (let begin = 0; begin < longest;) {
      const { plan, inputs } = await this.#planFor(longest - begin);
      const end = begin + inputs.seqLen;
      inputs.write(all.map((text) => textSpan(text.subarray(begin, end), begin, slidingWindow)));
      submit(this.#gpu, [plan]);
      begin = end;
    }
  }

  /** Compiles the passes over a longest text of so many tokens, so that {@linkcode run} need not. */
  async compile(numTokens: number): Promise<void> {
    for (let left = numTokens; left > 0; left -= MOST_CHUNK) await this.#planFor(left);
  }

  /** The plan of the smallest chunk that holds so many tokens, or of the largest chunk. */
  async #planFor(numTokens: number) {
    const fitting = 2 ** Math.ceil(Math.log2(Math.max(LEAST_CHUNK, numTokens)));
    const seqLen = Math.min(MOST_CHUNK, fitting);
    let entry = this.#plans.get(seqLen);
    if (entry === undefined) {
      const inputs = new CachedInputs(this.#gpu, this.#cache, seqLen);
      const tape = new Tape(this.#gpu);
      this.#model.hidden(tape, inputs);
      entry = { plan: new Plan(this.#gpu, tape), inputs };
      this.#plans.set(seqLen, entry);
    }
    await entry.plan.compile();
    return entry;
  }

  /** Frees the memory of the plans. */
  destroy(): void {
    for (const { plan, inputs } of this.#plans.values()) {
      plan.destroy();
      inputs.destroy();
    }
    this.#plans.clear();
  }
}
