import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch } from "../../data/batch.ts";
import type { Gpu, GpuOptions } from "../../engine/gpu.ts";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { transformerReference } from "../reference/transformer.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { packedBatch, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "flat kernels without subgroups": { variant: "flat", subgroups: false },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

// Some 60 roundings of f32 between a weight and the loss of a few dozen tokens.
const LOSS_TOLERANCE = { rtol: 2e-6, atol: 0 };
const LOG_PROBABILITY_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;

const BATCH = packedBatch(
  [
    [5, 1, 3],
    [7, 2],
  ],
  { seqLen: 9 },
);
const SEED = 7;
const STEP = 3;

/** Loss, and every weight's gradient, of one batch. */
async function differentiate(gpu: Gpu, config: ModelConfig, batch: Batch) {
  const model = tinyModel(gpu, config);
  const inputs = new ModelInputs(gpu, config, batch);
  const tape = new Tape(gpu);
  const x = model.hidden(tape, inputs, { training: true });
  const { targets, weights } = inputs;
  const { loss } = linearCrossEntropy(tape, { x, weight: model.weights.output, targets, weights });
  tape.backward(loss, gpu.tensor([1], { label: "dLoss", values: Float32Array.of(1) }));
  const plan = await new Plan(gpu, tape, { keep: [loss] }).compile();
  inputs.write(batch, { seed: SEED, step: STEP });
  plan.run();
  const gradients = model.parameters.map(({ gradient }) => gradient);
  const [value, ...read] = await plan.read(loss, ...gradients);
  plan.destroy();
  return { loss: value![0]!, gradients: read, parameters: model.parameters };
}

for (const [name, config] of Object.entries(TINY_MODELS)) {
  for (const [way, gpu] of gpus) {
    test(`a transformer ${name} has the loss and gradients of float64, with ${way}`, async () => {
      const { loss, gradients, parameters } = await differentiate(gpu, config, BATCH);
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
    });
  }

  test(`a transformer ${name} gives packed documents the losses that each has alone`, async () => {
    const [, gpu] = gpus[0]!;
    const packed = await logProbabilities(gpu, config, BATCH);
    for (const [row, begin, length] of [
      [0, 0, 5],
      [0, 6, 3],
      [1, 0, 7],
      [1, 7, 2],
    ] as const) {
      const at = row * BATCH.seqLen + begin;
      const alone = packedBatch([[length]], { seqLen: length });
      alone.tokens.set(BATCH.tokens.subarray(at, at + length));
      alone.targets.set(BATCH.targets.subarray(at, at + length));
      assertClose(await logProbabilities(gpu, config, alone), packed.subarray(at, at + length), {
        what: `log-probability of the document at ${at}`,
        ...LOG_PROBABILITY_TOLERANCE,
      });
    }
  });
}

async function logProbabilities(gpu: Gpu, config: ModelConfig, batch: Batch) {
  const step = await new LossStep(gpu, tinyModel(gpu, config), batch).compile();
  const values = await step.logProbabilities(batch);
  step.destroy();
  return values;
}

test("a batch of another size, a token or a position out of range is named", async () => {
  const [, gpu] = gpus[0]!;
  const config = TINY_MODELS["like GPT-2"]!;
  const inputs = new ModelInputs(gpu, config, { numRows: 1, seqLen: 4 });
  const batch = packedBatch([[4]], { seqLen: 4 });
  assert.throws(() => inputs.write({ ...batch, seqLen: 5 }), {
    name: "RangeError",
    message: "Cannot run batch of seed 1: it must be [1, 4], got [1, 5]",
  });
  assert.throws(() => inputs.write({ ...batch, tokens: Uint32Array.of(0, 1, 11, 2) }), {
    name: "RangeError",
    message: "Cannot embed the token at position 2: ids must be below 11, got 11",
  });
  assert.throws(() => inputs.write({ ...batch, positions: Uint32Array.of(0, 1, 2, 16) }), {
    name: "RangeError",
    message: "Cannot embed the token at position 3: ids must be below 16, got 16",
  });
});
