import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";

/** Which hidden states stand for a text. */
export interface EmbedOptions {
  /**
   * 0 for the token embeddings, `i` for the residual stream after block `i`; all of them for the
   * state after the final norm, as in Hugging Face's `hidden_states`.
   *
   * @default {the number of blocks}
   */
  readonly layer?: number;
  /** The state of the last token, or the mean over all. @default {"last"} */
  readonly pooling?: "last" | "mean";
}

/** Tokens of a pass: at least, and at most unless a single text has more. */
const LEAST_TOKENS = 64;
const PASS_TOKENS = 1024;
/** Most texts of a pass. */
const PASS_TEXTS = 64;

/** Turns texts into vectors: hidden states of a layer, pooled. */
export class Embedder {
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #pooling: "last" | "mean";
  readonly #layer: number;
  readonly #passes = new Map<number, Pass>();

  constructor(gpu: Gpu, model: Transformer, { layer, pooling = "last" }: EmbedOptions = {}) {
    this.#gpu = gpu;
    this.#model = model;
    this.#layer = layer ?? model.config.numBlocks;
    this.#pooling = pooling;
  }

  /**
   * Embeds texts, as many at a time as a pass holds.
   *
   * @param texts Tokens of each; none empty.
   * @returns A vector of `dModel` elements for each text, in order.
   * @throws {RangeError} If a text is empty or longer than the model can read, naming it.
   */
  async *embed(texts: Iterable<Uint32Array>): AsyncGenerator<Float32Array> {
    let group: Uint32Array[] = [];
    let numTokens = 0;
    let index = 0;
    for (const text of texts) {
      this.#check(text, index++);
      const isFull = numTokens + text.length > PASS_TOKENS || group.length === PASS_TEXTS;
      if (group.length > 0 && isFull) {
        yield* await this.#run(group);
        group = [];
        numTokens = 0;
      }
      group.push(text);
      numTokens += text.length;
    }
    if (group.length > 0) yield* await this.#run(group);
  }

  async #run(texts: readonly Uint32Array[]): Promise<Float32Array[]> {
    const numTokens = texts.reduce((sum, { length }) => sum + length, 0);
    const pass = this.#passFor(numTokens);
    await pass.plan.compile();
    const { seqLen } = pass.inputs;
    pass.inputs.write(rowOfTexts(texts, seqLen));
    this.#gpu.write(pass.pool, poolOf(texts, seqLen, this.#pooling));
    const [values] = await submitAndRead(this.#gpu, [pass.plan], [pass.plan.source(pass.output)]);
    const { dModel } = this.#model.config;
    return texts.map((_, i) => values!.slice(i * dModel, (i + 1) * dModel));
  }

  /** The shortest pass, of powers of two, that holds so many tokens. */
  #passFor(numTokens: number): Pass {
    const seqLen = 2 ** Math.ceil(Math.log2(Math.max(LEAST_TOKENS, numTokens)));
    const pass = this.#passes.get(seqLen) ?? this.#record(seqLen);
    this.#passes.set(seqLen, pass);
    return pass;
  }

  #record(seqLen: number): Pass {
    const { config } = this.#model;
    const inputs = new ModelInputs(this.#gpu, config, { numRows: 1, seqLen });
    const pool = this.#gpu.tensor([PASS_TEXTS, seqLen], { label: "pool" });
    const tape = new Tape(this.#gpu);
    const x = this.#model.hidden(tape, inputs, { layer: this.#layer });
    const output = tape.activation([PASS_TEXTS, config.dModel], { label: "embeddings" });
    matmul(tape, "nn", { a: pool, b: x, c: output });
    const plan = new Plan(this.#gpu, tape, { keep: [output] });
    return { plan, inputs, pool, output };
  }

  #check(text: Uint32Array, index: number): void {
    const { maxSeqLen } = this.#model.config;
    if (text.length > 0 && text.length <= maxSeqLen) return;
    throw new RangeError(
      `Cannot embed text ${index}: it must have 1 to ${maxSeqLen} tokens, got ${text.length}`,
    );
  }

  /** Frees the memory; the model's weights stay. */
  destroy(): void {
    for (const { plan, inputs, pool } of this.#passes.values()) {
      plan.destroy();
      inputs.destroy();
      pool.buffer?.destroy();
    }
    this.#passes.clear();
  }
}

interface Pass {
  readonly plan: Plan;
  readonly inputs: ModelInputs;
  /** Share of each token in each text's vector, `[PASS_TEXTS, seqLen]`. */
  readonly pool: Tensor;
  readonly output: Tensor;
}

/** Texts one after another in one row of `seqLen` tokens, none seeing another. */
export function rowOfTexts(texts: readonly Uint32Array[], seqLen: number): Batch {
  const u32 = () => new Uint32Array(seqLen);
  const [tokens, positions] = [u32(), u32()];
  const starts = Uint32Array.from({ length: seqLen }, (_, i) => i);
  const ends = Uint32Array.from({ length: seqLen }, (_, i) => i + 1);
  let begin = 0;
  for (const text of texts) {
    const end = begin + text.length;
    tokens.set(text, begin);
    text.forEach((_, i) => (positions[begin + i] = i));
    starts.fill(begin, begin, end);
    ends.fill(end, begin, end);
    begin = end;
  }
  const unused = { targets: u32(), weights: new Float32Array(seqLen) };
  return { label: "texts", numRows: 1, seqLen, tokens, positions, starts, ends, ...unused };
}

function poolOf(
  texts: readonly Uint32Array[],
  seqLen: number,
  pooling: "last" | "mean",
): Float32Array<ArrayBuffer> {
  const pool = new Float32Array(PASS_TEXTS * seqLen);
  let begin = 0;
  texts.forEach(({ length }, row) => {
    const end = begin + length;
    if (pooling === "last") pool[row * seqLen + end - 1] = 1;
    else pool.fill(1 / length, row * seqLen + begin, row * seqLen + end);
    begin = end;
  });
  return pool;
}
