import type { Gpu } from "../../engine/gpu.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { detach, type Tensor } from "../../engine/tensor.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";
import type { Capacity, TreeLayout } from "./tree_layout.ts";

/** A compiled forward pass over a {@linkcode TreeLayout}. */
export class TreePass {
  readonly capacity: Capacity;
  readonly #gpu: Gpu;
  readonly #inputs: ModelInputs;
  readonly #rows: Tensor;
  readonly #pairRows: Tensor;
  readonly #pairTokens: Tensor;
  readonly #output: Tensor;
  readonly #plan: Plan;

  constructor(gpu: Gpu, model: Transformer, capacity: Capacity) {
    const { numTokens, numRows, numPairs } = capacity;
    const u32 = (label: string, length: number) => gpu.tensor([length], { label, dtype: "u32" });
    this.capacity = capacity;
    this.#gpu = gpu;
    this.#inputs = new ModelInputs(gpu, model.config, { numRows: 1, seqLen: numTokens });
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
    if (layout.isEmpty) return;
    await this.#plan.compile();
    const { batch, rows, pairRows, pairTokens } = layout.inputs();
    this.#inputs.write(batch);
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
  }
}
