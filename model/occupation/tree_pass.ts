import type { Gpu } from "../../engine/gpu.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { detach, type Tensor } from "../../engine/tensor.ts";
import type { CachedInputs } from "../generate/cached_inputs.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";
import type { SharedContext } from "./shared_context.ts";
import { type Capacity, fits, type TreeLayout } from "./tree_layout.ts";

/** What passes compute. */
export interface TreePassOptions {
  readonly capacity: Capacity;
  /** What stands before every document; the passes do not free it. */
  readonly context?: SharedContext;
}

/** A compiled forward pass over a {@linkcode TreeLayout} of up to some size. */
class TreePass {
  readonly capacity: Capacity;
  readonly #gpu: Gpu;
  readonly #context: SharedContext | undefined;
  readonly #inputs: ModelInputs | CachedInputs;
  readonly #rows: Tensor;
  readonly #pairRows: Tensor;
  readonly #pairTokens: Tensor;
  readonly #output: Tensor;
  readonly #plan: Plan;

  constructor(gpu: Gpu, model: Transformer, { capacity, context }: TreePassOptions) {
    const { numTokens, numRows, numPairs } = capacity;
    const u32 = (label: string, length: number) => gpu.tensor([length], { label, dtype: "u32" });
    this.capacity = capacity;
    this.#gpu = gpu;
    this.#context = context;
    this.#inputs =
      context?.inputs(numTokens) ??
      new ModelInputs(gpu, model.config, { numRows: 1, seqLen: numTokens });
    this.#rows = u32("rows", numRows);
    this.#pairRows = u32("pair rows", numPairs);
    this.#pairTokens = u32("pair tokens", numPairs);
    const tape = new Tape(gpu);
    const hidden = detach(model.hidden(tape, this.#inputs));
    this.#output = pairLogProbabilities(tape, {
      x: embedding(tape, hidden, this.#rows), // gathers the rows that are asked about
      weight: model.weights.output,
      rows: this.#pairRows,
      tokens: this.#pairTokens,
    });
    this.#plan = new Plan(gpu, tape, { keep: [this.#output] });
  }

  /** Runs one layout and hands the results to its questions. */
  async run(layout: TreeLayout): Promise<void> {
    await this.#plan.compile();
    await this.#context?.read();
    const { batch, rows, pairRows, pairTokens } = layout.inputs(this.capacity);
    if (this.#inputs instanceof ModelInputs) this.#inputs.write(batch);
    else this.#context!.write(this.#inputs, batch, layout.size.numTokens);
    this.#gpu.write(this.#rows, rows);
    this.#gpu.write(this.#pairRows, pairRows);
    this.#gpu.write(this.#pairTokens, pairTokens);
    const source = this.#plan.source(this.#output);
    const [values] = await submitAndRead(this.#gpu, [this.#plan], [source]);
    layout.deliver(values!);
  }

  /** Frees the plan's memory. */
  destroy(): void {
    this.#plan.destroy();
    this.#inputs.destroy();
    for (const tensor of [this.#rows, this.#pairRows, this.#pairTokens]) tensor.buffer?.destroy();
  }
}

/** Plans of an eighth to the whole of the capacity, so that a small layout costs little. */
const NUM_SIZES = 8;

/** Forward passes over layouts of any size up to a capacity, each compiled at its first use. */
export class TreePasses {
  readonly capacity: Capacity;
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #context: SharedContext | undefined;
  readonly #passes = new Map<number, TreePass>();

  constructor(gpu: Gpu, model: Transformer, { capacity, context }: TreePassOptions) {
    this.#gpu = gpu;
    this.#model = model;
    this.capacity = capacity;
    this.#context = context;
  }

  /** Runs one layout in the smallest pass that holds it, and hands the results to its questions. */
  async run(layout: TreeLayout): Promise<void> {
    const { size } = layout;
    if (size.numTokens === 0) return;
    let eighths = 1;
    while (!fits(size, this.#part(eighths))) eighths += 1;
    let pass = this.#passes.get(eighths);
    if (pass === undefined) {
      const context = this.#context;
      pass = new TreePass(this.#gpu, this.#model, {
        capacity: this.#part(eighths),
        ...(context !== undefined && { context }),
      });
      this.#passes.set(eighths, pass);
    }
    await pass.run(layout);
  }

  /** Frees the plans' memory; the model's weights stay. */
  destroy(): void {
    for (const pass of this.#passes.values()) pass.destroy();
    this.#passes.clear();
  }

  #part(eighths: number): Capacity {
    if (eighths >= NUM_SIZES) return this.capacity;
    const { numTokens, numRows, numPairs } = this.capacity;
    const part = (size: number) => Math.ceil((size * eighths) / NUM_SIZES);
    return { numTokens: part(numTokens), numRows: part(numRows), numPairs: part(numPairs) };
  }
}
