import assert from "node:assert/strict";
import { after, test } from "node:test";
import { adamWReference } from "../reference/adam_w.ts";
import { linearReference } from "../reference/linear.ts";
import { transformerReference } from "../reference/transformer.ts";
import type { Gpu, GpuOptions } from "../../engine/gpu.ts";
import { loadPretrained } from "../../model/pretrained/load_pretrained.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { fullLogits } from "../generate/cached_logits.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { packedBatch } from "../model/tiny_model.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { expectedStory, missing, openStories } from "./stories.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
const gpu = gpus[0]![1];
after(() => gpus.forEach(([, one]) => one.destroy()));

const STEPS = 200;
/** Five blocks in f32, on logits of up to some 20. */
const LOGIT_TOLERANCE = { rtol: 0, atol: 1e-4 };
const LOSS_TOLERANCE = { rtol: 1e-5, atol: 0 };
/** The first step moves a weight by the learning rate, whose sixth digit this is. */
const UPDATE_TOLERANCE = { rtol: 1e-6, atol: 2e-8 };
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;

for (const [way, one] of gpus) {
  test(`200 greedy steps print the expected story, with ${way}`, { skip: missing }, async () => {
    const model = await loadPretrained(await openStories(), { gpu: one });
    let text = "";
    let numTokens = 0;
    const options = { maxNewTokens: STEPS, endTokens: [] };
    for await (const event of model.generateBatch([""], options)) {
      text += event.text;
      numTokens += 1;
    }
    assert.equal(text, await expectedStory());
    assert.equal(numTokens, STEPS);
    model.destroy();
  });
}

/** The story's beginning, as the model reads it. */
async function storyBatch(length: number) {
  const model = await loadPretrained(await openStories(), { gpu });
  const tokens = model.encode(await expectedStory()).slice(0, length + 1);
  const batch = packedBatch([[length]], { seqLen: length, vocabSize: 512 });
  return {
    ...batch,
    tokens: Uint32Array.from(tokens.subarray(0, length)),
    targets: Uint32Array.from(tokens.subarray(1)),
    weights: new Float32Array(length).fill(1),
  };
}

async function weightsOf(one: Gpu) {
  const model = await loadTransformer(one, await openStories(), { trainable: true });
  const entries = await Promise.all(
    model.parameters.map(async (parameter) => {
      return [parameter.label, Float64Array.from(await one.read(parameter))] as const;
    }),
  );
  return { model, weights: Object.fromEntries(entries) };
}

test(
  "logits of the real model agree with float64 at every position",
  { skip: missing },
  async () => {
    const { model, weights } = await weightsOf(gpu);
    const batch = await storyBatch(64);
    const { hidden } = transformerReference(model.config, weights, { batch });
    const weight = weights["model.embed_tokens.weight"]!;
    const bias = new Float64Array(model.config.vocabSize);
    const expected = linearReference({ x: hidden, weight, bias });
    const logits = await fullLogits(gpu, model, batch.tokens);
    assertClose(logits, expected, { what: "logits", ...LOGIT_TOLERANCE });
  },
);

test("a step of AdamW on the real model agrees with float64", { skip: missing }, async () => {
  const { model, weights } = await weightsOf(gpu);
  const batch = await storyBatch(16);
  const mean = { ...batch, weights: batch.weights.map(() => 1 / 16) };
  const options = { numRows: 1, seqLen: 16, weightDecay: 0.1, maxGradNorm: Infinity };
  const step = await new TrainingStep(gpu, model, options).compile();
  const at = { learningRate: 1e-3, step: 1, numBatches: 0 };
  const { loss } = await step.run([batch], at);
  const reference = (changed: Record<string, Float64Array>) =>
    transformerReference(model.config, { ...weights, ...changed }, { batch: mean }).loss;
  assertClose([loss], [reference({})], { what: "loss", ...LOSS_TOLERANCE });
  for (const [index, parameter] of model.parameters.entries()) {
    const { label } = parameter;
    const m = await gpu.read(step.moments.get(label)!.m);
    // After one step the first moment is the gradient times 1 − beta1.
    const gradient = Float64Array.from(m, (value) => value / (1 - 0.9));
    const direction = uniform(gradient.length, index);
    const f = (value: Float64Array) => reference({ [label]: value });
    const derivative = directionalDerivative(f, weights[label]!, direction);
    const size = dot(gradient.map(Math.abs), direction.map(Math.abs));
    assertClose([dot(gradient, direction)], [derivative], {
      what: `d(${label})`,
      rtol: 0,
      atol: GRADIENT_TOLERANCE * Math.max(1, size),
    });
    const zeros = new Float64Array(gradient.length);
    const before = { p: weights[label]!, m: zeros, v: zeros };
    const weightDecay = parameter.shape.length > 1 ? 0.1 : 0;
    const settings = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, step: 1 };
    const { p } = adamWReference(before, gradient, { ...settings, weightDecay });
    assertClose(await gpu.read(parameter), p, { what: label, ...UPDATE_TOLERANCE });
  }
  step.destroy();
});
