import assert from "node:assert/strict";
import type { Gpu } from "../../engine/gpu.ts";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { transformerReference } from "../reference/transformer.ts";
import { assertClose, uniform } from "../support.ts";
import { packedBatch, tinyModel } from "./tiny_model.ts";

// Some 60 roundings of f32 between a weight and the loss of a few dozen tokens.
const LOSS_TOLERANCE = { rtol: 2e-6, atol: 0 };
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;

/** Two rows of documents, for tiny models. */
export const BATCH = packedBatch(
  [
    [5, 1, 3],
    [7, 2],
  ],
  { seqLen: 9 },
);
const SEED = 7;
const STEP = 3;

/** Loss, and every weight's gradient, of {@linkcode BATCH}. */
async function differentiate(gpu: Gpu, config: ModelConfig, checkpoint: boolean) {
  const model = tinyModel(gpu, config);
  const inputs = new ModelInputs(gpu, config, BATCH);
  const tape = new Tape(gpu);
  const x = model.hidden(tape, inputs, { training: true, checkpoint });
  const { targets, weights } = inputs;
  const { loss } = linearCrossEntropy(tape, { x, weight: model.weights.output, targets, weights });
  tape.backward(loss, gpu.tensor([1], { label: "dLoss", values: Float32Array.of(1) }));
  const plan = await new Plan(gpu, tape, { keep: [loss] }).compile();
  inputs.write(BATCH, { seed: SEED, step: STEP });
  plan.run();
  const gradients = model.parameters.map(({ gradient }) => gradient);
  const [value, ...read] = await plan.read(loss, ...gradients);
  const { sharedActivationBytes } = plan.describe();
  plan.destroy();
  const { parameters } = model;
  return { loss: value![0]!, gradients: read, parameters, sharedActivationBytes };
}

/** Checks a tiny transformer's loss, and every gradient along one direction, against float64. */
export async function checkTransformer(gpu: Gpu, config: ModelConfig): Promise<void> {
  const { loss, gradients, parameters } = await differentiate(gpu, config, false);
  const entries = await Promise.all(
    parameters.map(async (parameter) => {
      return [parameter.label, Float64Array.from(await gpu.read(parameter))] as const;
    }),
  );
  const weights = Object.fromEntries(entries);
  const randomness = randomnessOf({ seed: SEED, step: STEP });
  const given = { batch: BATCH, randomness };
  const expected = transformerReference(config, weights, given).loss;
  assertClose([loss], [expected], { what: "loss", ...LOSS_TOLERANCE });
  parameters.forEach(({ label }, index) => {
    const gradient = gradients[index]!;
    const direction = uniform(gradient.length, 100 + index);
    const f = (value: Float64Array) =>
      transformerReference(config, { ...weights, [label]: value }, given).loss;
    const derivative = directionalDerivative(f, weights[label]!, direction);
    const size = dot(gradient.map(Math.abs), direction.map(Math.abs));
    assertClose([dot(gradient, direction)], [derivative], {
      what: `d(${label})`,
      rtol: 0,
      atol: GRADIENT_TOLERANCE * Math.max(1, size),
    });
  });
}

/** Checks that computing blocks again for backward changes no bit of the loss and the gradients. */
export async function checkCheckpointing(gpu: Gpu, config: ModelConfig): Promise<void> {
  const kept = await differentiate(gpu, config, false);
  const again = await differentiate(gpu, config, true);
  assert.equal(again.loss, kept.loss);
  assert.deepEqual(again.gradients, kept.gradients);
  assert.ok(again.sharedActivationBytes < kept.sharedActivationBytes);
}
