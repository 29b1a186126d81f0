import type { Batch } from "../../data/batch.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import { Transformer } from "../transformer/transformer.ts";
import type { LabeledBatch, Objective } from "./objective.ts";

/** What can be trained: a transformer on tokens, or any {@linkcode Objective}. */
export type Trainable<Item extends LabeledBatch> =
  | Objective<Item>
  | (Batch extends Item ? Transformer : never);

/**
 * Prediction of the next token, the objective of language models.
 *
 *     loss = Σ weights[t] · −log P(targets[t] | tokens up to t)
 *
 * @param model Its parameters are what is trained: all weights, or those of adapters.
 */
export function languageObjective(model: Transformer): Objective<Batch> {
  return {
    parameters: model.parameters,
    record(gpu, tape, options) {
      const inputs = new ModelInputs(gpu, model.config, options);
      const x = model.hidden(tape, inputs, options);
      const { targets, weights } = inputs;
      const outputs = linearCrossEntropy(tape, {
        x,
        weight: model.weights.output,
        targets,
        weights,
      });
      return {
        ...outputs,
        write: (batch, place) => inputs.write(batch, place),
        destroy: () => inputs.destroy(),
      };
    },
    totalWeight: ({ weights }) => weights.reduce((a, b) => a + b, 0),
  };
}

/** The objective of what can be trained. */
export function objectiveOf<Item extends LabeledBatch>(of: Trainable<Item>): Objective<Item> {
  if (!(of instanceof Transformer)) return of;
  // Transformers are trainable on batches of tokens alone, as the type says.
  return languageObjective(of) as Objective<LabeledBatch>;
}
