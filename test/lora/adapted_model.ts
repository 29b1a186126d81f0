import type { Gpu } from "../../engine/gpu.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import {
  attachLora,
  type LoraAdapter,
  loraLabels,
  type LoraValues,
} from "../../model/lora/adapter.ts";
import {
  adaptedModules,
  DEFAULT_LORA,
  type LoraConfig,
  strengthOf,
} from "../../model/lora/config.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { BATCH } from "../model/check_transformer.ts";
import { tinyModel } from "../model/tiny_model.ts";
import { uniform } from "../support.ts";

/** Keys dropout in {@linkcode differentiate}. */
export const SEED = 7;
export const STEP = 3;

/** A small configuration of adapters. */
export const LORA: LoraConfig = { ...DEFAULT_LORA, rank: 3, alpha: 5 };

/** Values as training leaves them: A and B random, so that no gradient vanishes. */
export function trainedAdapter(config: ModelConfig, lora: LoraConfig, seed = 50): LoraAdapter {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [index, module] of adaptedModules(config, lora).entries()) {
    const labels = loraLabels(module);
    const { rank } = strengthOf(lora, module.name);
    values.set(labels.a, uniform(rank * module.dIn, seed + 2 * index));
    values.set(
      labels.b,
      uniform(module.dOut * rank, seed + 2 * index + 1).map((x) => x / 4),
    );
  }
  return { config: lora, values };
}

/** A tiny model with adapters of which neither A nor B is zero. */
export function adaptedModel(
  gpu: Gpu,
  config: ModelConfig,
  lora: LoraConfig = LORA,
): { base: Transformer; model: Transformer; values: LoraValues } {
  const base = tinyModel(gpu, config);
  const { values } = trainedAdapter(config, lora);
  return { base, model: attachLora(gpu, base, lora, { values }), values };
}

/** Loss, and the gradient of everything that is trained, of `BATCH`. */
export async function differentiate(gpu: Gpu, model: Transformer, checkpoint = false) {
  const inputs = new ModelInputs(gpu, model.config, BATCH);
  const tape = new Tape(gpu);
  const x = model.hidden(tape, inputs, { training: true, checkpoint });
  const { targets, weights } = inputs;
  const { loss } = linearCrossEntropy(tape, { x, weight: model.weights.output, targets, weights });
  tape.backward(loss, gpu.tensor([1], { label: "dLoss", values: Float32Array.of(1) }));
  const plan = await new Plan(gpu, tape, { keep: [loss] }).compile();
  inputs.write(BATCH, { seed: SEED, step: STEP });
  plan.run();
  const [value, ...gradients] = await plan.read(
    loss,
    ...model.parameters.map(({ gradient }) => gradient),
  );
  const { bytes } = plan.describe();
  plan.destroy();
  inputs.destroy();
  return { loss: value![0]!, gradients, bytes };
}

/** Logits of every token of `BATCH`, `[numTokens, vocabSize]`. */
export async function logitsOf(gpu: Gpu, model: Transformer): Promise<Float32Array> {
  const inputs = new ModelInputs(gpu, model.config, BATCH);
  const tape = new Tape(gpu);
  const x = model.hidden(tape, inputs);
  const { output } = model.weights;
  const logits = tape.activation([x.shape[0]!, output.shape[0]!], {
    label: "logits",
    dtype: "f32",
    from: [x],
  });
  matmul(tape, "nt", { a: x, b: output, c: logits });
  const plan = await new Plan(gpu, tape, { keep: [logits] }).compile();
  inputs.write(BATCH);
  plan.run();
  const [values] = await plan.read(logits);
  plan.destroy();
  inputs.destroy();
  return values!;
}
