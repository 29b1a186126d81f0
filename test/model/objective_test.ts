import assert from "node:assert/strict";
import { after, test } from "node:test";
import { linear } from "../../engine/ops/linear.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { packParameters } from "../../engine/parameters.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import type { Objective } from "../../model/train/objective.ts";
import { Trainer, type TrainerEvent } from "../../model/train/trainer.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const [NUM_ROWS, WIDTH, NUM_CLASSES] = [6, 5, 4];

interface Example {
  readonly label: string;
  readonly x: Float32Array<ArrayBuffer>;
  readonly truth: Uint32Array<ArrayBuffer>;
}

/** Two layers from rows of numbers to classes: as little like a transformer as can be. */
function classifier(): Objective<Example> {
  const [hidden, output] = packParameters(gpu, [
    { label: "hidden", shape: [WIDTH, WIDTH] },
    { label: "output", shape: [NUM_CLASSES, WIDTH] },
  ]);
  gpu.write(hidden!, uniform(WIDTH * WIDTH, 1));
  gpu.write(output!, uniform(NUM_CLASSES * WIDTH, 2));
  return {
    parameters: [hidden!, output!],
    record(device, tape, { numRows }) {
      const x = device.tensor([numRows, WIDTH], { label: "x" });
      const targets = device.tensor([numRows], { label: "targets", dtype: "u32" });
      const weights = device.tensor([numRows], { label: "weights" });
      const h = linear(tape, x, hidden!, { activation: "gelu" });
      return {
        ...linearCrossEntropy(tape, { x: h, weight: output!, targets, weights }),
        write(batch, { weightScale = 1 } = {}) {
          device.write(x, batch.x);
          device.write(targets, batch.truth);
          device.write(weights, new Float32Array(numRows).fill(weightScale));
        },
        destroy() {
          for (const { buffer } of [x, targets, weights]) buffer?.destroy();
        },
      };
    },
    totalWeight: ({ truth }) => truth.length,
  };
}

const EXAMPLE: Example = {
  label: "the only batch",
  x: uniform(NUM_ROWS * WIDTH, 3),
  truth: Uint32Array.from({ length: NUM_ROWS }, (_, row) => row % NUM_CLASSES),
};

async function trained(): Promise<{ events: TrainerEvent[]; weights: Float32Array }> {
  const objective = classifier();
  const options = { numRows: NUM_ROWS, seqLen: 1, learningRate: 0.05, maxSteps: 60, evalEvery: 30 };
  const trainer = new Trainer<Example>(gpu, objective, { ...options, decay: "constant" });
  const batches = Array.from({ length: options.maxSteps }, () => EXAMPLE);
  const validation = { batches: () => [EXAMPLE], count: NUM_ROWS };
  const events: TrainerEvent[] = [];
  for await (const event of trainer.run(batches, { validation })) events.push(event);
  trainer.step.destroy();
  return { events, weights: await gpu.read(objective.parameters[0]!) };
}

test("a trainer trains any objective, and the same bits again", async () => {
  const { events, weights } = await trained();
  const steps = events.filter((event) => event.type === "step");
  const losses = steps.map(({ loss }) => loss);
  assert.equal(steps[0]!.numTokens, NUM_ROWS);
  assert.equal(steps[0]!.batch, EXAMPLE.label);
  assert.ok(
    losses[0]! > 1 && losses.at(-1)! < 0.1,
    `loss fell from ${losses[0]} to ${losses.at(-1)}`,
  );
  const held = events.filter((event) => event.type === "validation").map(({ loss }) => loss);
  assert.equal(held.length, 2);
  // Validation comes after the step, the step's own loss before it.
  assert.ok(held[0]! < losses[29]! && held[0]! > losses[30]! - 1e-5);
  assert.deepEqual((await trained()).weights, weights);
});

test("a loss step gives an objective's loss and the log-probability of every truth", async () => {
  const step = await new LossStep<Example>(gpu, classifier(), {
    numRows: NUM_ROWS,
    seqLen: 1,
  }).compile();
  const logProbabilities = await step.logProbabilities(EXAMPLE);
  const sum = logProbabilities.reduce((a, b) => a + b, 0);
  assert.ok(logProbabilities.every((value) => value < 0));
  // One sum of six numbers of size 1, in another order.
  assertClose([await step.loss(EXAMPLE)], [-sum], { what: "loss", rtol: 1e-6, atol: 1e-6 });
  step.destroy();
});
