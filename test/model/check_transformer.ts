import assert from "node:assert/strict";
import type { Gpu } from "../../engine/gpu.ts";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { ActivationDType } from "../../model/transformer/activation_dtype.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { transformerReference } from "../reference/transformer.ts";
import { assertClose, uniform } from "../support.ts";
import { packedBatch, tinyModel } from "./tiny_model.ts";

// Some 60 roundings of f32 between a weight and the loss of a few dozen tokens.
const LOSS_TOLERANCE = 2e-6;
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

/** How activations are kept, and how near their loss and gradients must be. */
export interface Precision {
  readonly dtype?: ActivationDType;
  readonly checkpoint?: boolean;
  /** What gradients are multiplied by on their way. @default {1} */
  readonly lossScale?: number;
  /** Relative; of the loss, and of each gradient's sum of absolute values. @default {of f32} */
  readonly tolerance?: { readonly loss: number; readonly gradient: number };
}

/** Loss, and every weight's gradient, of {@linkcode BATCH}. */
async function differentiate(gpu: Gpu, config: ModelConfig, precision: Precision) {
  const { dtype = "f32", checkpoint = false, lossScale = 1 } = precision;
  const model = tinyModel(gpu, config);
  const inputs = new ModelInputs(gpu, config, BATCH);
  const tape = new Tape(gpu);
  const x = model.hidden(tape, inputs, { training: true, checkpoint, dtype });
  const { targets, weights } = inputs;
  const { loss } = linearCrossEntropy(tape, { x, weight: model.weights.output, targets, weights });
  tape.backward(loss, gpu.tensor([1], { label: "dLoss", values: Float32Array.of(lossScale) }));
  const plan = await new Plan(gpu, tape, { keep: [loss] }).compile();
  inputs.write(BATCH, { seed: SEED, step: STEP });
  plan.run();
  const gradients = model.parameters.map(({ gradient }) => gradient);
  const [value, ...read] = await plan.read(loss, ...gradients);
  const { sharedActivationBytes } = plan.describe();
  plan.destroy();
  const { parameters } = model;
  const unscaled = read.map((gradient) => gradient.map((dw) => dw / lossScale));
  return { loss: value![0]!, gradients: unscaled, parameters, sharedActivationBytes };
}

/** Checks a tiny transformer's loss, and every gradient along one direction, against float64. */
export async function checkTransformer(
  gpu: Gpu,
  config: ModelConfig,
  precision: Precision = {},
): Promise<void> {
  const { loss, gradients, parameters } = await differentiate(gpu, config, precision);
  const { tolerance = { loss: LOSS_TOLERANCE, gradient: GRADIENT_TOLERANCE } } = precision;
  const entries = await Promise.all(
    parameters.map(async (parameter) => {
      return [parameter.label, Float64Array.from(await gpu.read(parameter))] as const;
    }),
  );
  const weights = Object.fromEntries(entries);
  const randomness = randomnessOf({ seed: SEED, step: STEP });
  const given = { batch: BATCH, randomness };
  const expected = transformerReference(config, weights, given).loss;
  assertClose([loss], [expected], { what: "loss", rtol: tolerance.loss, atol: 0 });
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
      atol: tolerance.gradient * Math.max(1, size),
    });
  });
}

/** Checks that computing blocks again for backward changes no bit of the loss and the gradients. */
export async function checkCheckpointing(
  gpu: Gpu,
  config: ModelConfig,
  precision: Precision = {},
): Promise<void> {
  const kept = await differentiate(gpu, config, precision);
  const again = await differentiate(gpu, config, { ...precision, checkpoint: true });
  assert.equal(again.loss, kept.loss);
  assert.deepEqual(again.gradients, kept.gradients);
  assert.ok(again.sharedActivationBytes < kept.sharedActivationBytes);
}
