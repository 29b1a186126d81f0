import type { EncodedResume } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { rowOfTexts } from "../generate/embed.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";

/** What stands for a prompt: the state of its last token, or the mean over all of them. */
export type Pooling = "last" | "mean";

/** A resume, and which of its observations are asked about. */
export interface AskedResume {
  readonly resume: EncodedResume;
  /** First title whose prompt counts. @default {0} */
  readonly askedFrom?: number;
}

/** Tokens of a pass: at least, and at most unless a single resume has more. */
const LEAST_TOKENS = 64;
const PASS_TOKENS = 1024;
/** Most prompts of a pass, unless a single resume has more. */
const PASS_PROMPTS = 128;

interface Pass {
  readonly plan: Plan;
  readonly inputs: ModelInputs;
  /** Share of each token in each prompt's vector, `[numPrompts, seqLen]`. */
  readonly pool: Tensor;
  readonly output: Tensor;
}

/** A piece of work: one resume, without what follows its last prompt. */
interface Piece {
  readonly tokens: Uint32Array;
  /** End of each prompt that counts. */
  readonly ends: readonly number[];
}

/**
 * Final hidden states of a language model at the prompts of resumes, `"…1996 (some college):"`.
 *
 * A resume is read once: a state does not depend on what follows, so that all prompts of a person
 * are places of one pass.
 */
export class PromptStates {
  readonly dModel: number;
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #pooling: Pooling;
  readonly #passes = new Map<string, Pass>();

  constructor(
    gpu: Gpu,
    model: Transformer,
    { pooling = "last" }: { readonly pooling?: Pooling } = {},
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#pooling = pooling;
    this.dModel = model.config.dModel;
  }

  /**
   * States of the prompts of resumes, in order, as many resumes at a time as a pass holds.
   *
   * @returns For each resume, `[numAsked, dModel]`.
   * @throws {RangeError} If a resume up to its last prompt is longer than the model can read.
   */
  async *states(asked: Iterable<AskedResume>): AsyncGenerator<Float32Array<ArrayBuffer>> {
    let group: Piece[] = [];
    let [numTokens, numPrompts] = [0, 0];
    for (const one of asked) {
      const piece = this.#piece(one);
      const isFull =
        numTokens + piece.tokens.length > PASS_TOKENS ||
        numPrompts + piece.ends.length > PASS_PROMPTS;
      if (group.length > 0 && isFull) {
        yield* await this.#run(group);
        [group, numTokens, numPrompts] = [[], 0, 0];
      }
      group.push(piece);
      numTokens += piece.tokens.length;
      numPrompts += piece.ends.length;
    }
    if (group.length > 0) yield* await this.#run(group);
  }

  #piece({ resume, askedFrom = 0 }: AskedResume): Piece {
    const ends = resume.titles.slice(askedFrom).map(({ start }) => start);
    const tokens = resume.tokens.subarray(0, ends.at(-1) ?? 0);
    const { maxSeqLen } = this.#model.config;
    if (tokens.length > maxSeqLen) {
      throw new RangeError(
        `Cannot embed career "${resume.id}": its resume must fit the model's context of ${maxSeqLen} tokens, got ${tokens.length}; tell fewer of the latest years`,
      );
    }
    return { tokens, ends };
  }

  async #run(pieces: readonly Piece[]): Promise<Float32Array<ArrayBuffer>[]> {
    const numTokens = pieces.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const numPrompts = pieces.reduce((sum, { ends }) => sum + ends.length, 0);
    if (numPrompts === 0) return pieces.map(() => new Float32Array());
    const pass = this.#passFor(numTokens, numPrompts);
    await pass.plan.compile();
    const { seqLen } = pass.inputs;
    pass.inputs.write(
      rowOfTexts(
        pieces.map(({ tokens }) => tokens),
        seqLen,
      ),
    );
    this.#gpu.write(pass.pool, poolOf(pieces, pass.pool, this.#pooling));
    const [values] = await submitAndRead(this.#gpu, [pass.plan], [pass.plan.source(pass.output)]);
    let begin = 0;
    return pieces.map(({ ends }) => {
      const end = begin + ends.length * this.dModel;
      const states = values!.slice(begin, end);
      begin = end;
      return states;
    });
  }

  /** The smallest pass, of powers of two, that holds so many tokens and prompts. */
  #passFor(numTokens: number, numPrompts: number): Pass {
    const seqLen = 2 ** Math.ceil(Math.log2(Math.max(LEAST_TOKENS, numTokens)));
    const most = Math.max(PASS_PROMPTS, 2 ** Math.ceil(Math.log2(numPrompts)));
    const key = `${seqLen} ${most}`;
    const pass = this.#passes.get(key) ?? this.#record(seqLen, most);
    this.#passes.set(key, pass);
    return pass;
  }

  #record(seqLen: number, numPrompts: number): Pass {
    const inputs = new ModelInputs(this.#gpu, this.#model.config, { numRows: 1, seqLen });
    const pool = this.#gpu.tensor([numPrompts, seqLen], { label: "pool" });
    const tape = new Tape(this.#gpu);
    const x = this.#model.hidden(tape, inputs, {});
    const output = tape.activation([numPrompts, this.dModel], { label: "states of prompts" });
    matmul(tape, "nn", { a: pool, b: x, c: output });
    const plan = new Plan(this.#gpu, tape, { keep: [output] });
    return { plan, inputs, pool, output };
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

function poolOf(
  pieces: readonly Piece[],
  { shape: [numPrompts = 0, seqLen = 0] }: Tensor,
  pooling: Pooling,
): Float32Array<ArrayBuffer> {
  const pool = new Float32Array(numPrompts * seqLen);
  let [begin, row] = [0, 0];
  for (const { tokens, ends } of pieces) {
    for (const end of ends) {
      const base = row * seqLen + begin;
      if (pooling === "last") pool[base + end - 1] = 1;
      else pool.fill(1 / end, base, base + end);
      row += 1;
    }
    begin += tokens.length;
  }
  return pool;
}
