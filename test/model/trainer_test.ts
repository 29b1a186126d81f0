import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch } from "../../data/batch.ts";
import {
  NotFiniteError,
  Trainer,
  type TrainerEvent,
  type TrainerOptions,
  type TrainerState,
} from "../../model/train/trainer.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { openGpu } from "../support.ts";
import { packedBatch, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const SEQ_LEN = 9;
const CONFIG =
  TINY_MODELS["with learned positions, grouped heads, dropout and an output of its own"]!;
const OPTIONS = {
  numRows: 2,
  seqLen: SEQ_LEN,
  learningRate: 0.01,
  maxSteps: 6,
  warmupSteps: 2,
  seed: 3,
} satisfies TrainerOptions;

/** Batch `index` of an endless stream, whoever asks and whenever. */
function batchAt(index: number): Batch {
  const rows = index % 2 === 0 ? [[9], [4, 5]] : [[2, 6], [9]];
  return { ...packedBatch(rows, { seqLen: SEQ_LEN, seed: index + 1 }), label: `batch ${index}` };
}

function* batchesFrom(begin: number, end = Infinity): Generator<Batch> {
  for (let index = begin; index < end; index++) yield batchAt(index);
}

async function collect(events: AsyncIterable<TrainerEvent>): Promise<TrainerEvent[]> {
  const all: TrainerEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Weights and moments, as a checkpoint would store them. */
async function save(model: Transformer, trainer: Trainer) {
  const tensors = model.parameters.flatMap((parameter) => {
    const { m, v } = trainer.step.moments.get(parameter.label)!;
    return [parameter, m, v];
  });
  return Promise.all(tensors.map((tensor) => gpu.read(tensor)));
}

function restore(
  model: Transformer,
  trainer: Trainer,
  saved: readonly Float32Array<ArrayBuffer>[],
): void {
  model.parameters.forEach((parameter, index) => {
    const { m, v } = trainer.step.moments.get(parameter.label)!;
    [parameter, m, v].forEach((tensor, part) => gpu.write(tensor, saved[3 * index + part]!));
  });
}

test("a run resumed at any step has the bits of one that was never interrupted", async () => {
  const options = { ...OPTIONS, accumulation: 2 };
  const model = tinyModel(gpu, CONFIG);
  const trainer = new Trainer(gpu, model, options);
  const checkpoints: { state: TrainerState; saved: Float32Array<ArrayBuffer>[] }[] = [];
  const losses: number[] = [];
  for await (const event of trainer.run(batchesFrom(0))) {
    if (event.type !== "step") continue;
    losses.push(event.loss);
    checkpoints.push({ state: trainer.state, saved: await save(model, trainer) });
  }
  assert.equal(checkpoints.length, 6);
  for (const k of [1, 4]) {
    const { state, saved } = checkpoints[k - 1]!;
    assert.deepEqual([state.step, state.numBatches], [k, 2 * k]);
    const resumedModel = tinyModel(gpu, CONFIG);
    const resumed = new Trainer(gpu, resumedModel, options, state);
    restore(resumedModel, resumed, saved);
    const events = await collect(resumed.run(batchesFrom(state.numBatches)));
    const resumedLosses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
    assert.deepEqual(resumedLosses, losses.slice(k));
    assert.deepEqual(await save(resumedModel, resumed), checkpoints.at(-1)!.saved);
  }
});

test("steps report their learning rate, batch, tokens and loss, which falls", async () => {
  const model = tinyModel(gpu, { ...CONFIG, dropout: 0 });
  const options = { ...OPTIONS, maxSteps: 12, accumulation: 2, learningRate: 0.03 };
  const trainer = new Trainer(gpu, model, options);
  // The same two batches over and over can be learned by heart.
  function* repeated(): Generator<Batch> {
    for (;;) yield* batchesFrom(0, 2);
  }
  const events = await collect(trainer.run(repeated()));
  const steps = events.filter((event) => event.type === "step");
  assert.equal(steps.length, 12);
  assert.deepEqual(
    steps.slice(0, 3).map(({ learningRate }) => learningRate),
    [0.015, 0.03, 0.03],
  );
  assert.ok(steps.every(({ numTokens, batch }) => numTokens === 36 && batch === "batch 1"));
  assert.ok(steps.at(-1)!.loss < steps[0]!.loss / 2, "the loss must fall");
  assert.deepEqual(events.at(-1), { type: "end", step: 12, reason: "all steps taken" });
  assert.deepEqual(trainer.state, { step: 12, numBatches: 24, sinceBest: 0 });
});

test("validation finds the best step, and patience ends a run that no longer improves", async () => {
  const model = tinyModel(gpu, CONFIG);
  // A rate of 0 never improves: the first validation is the best, and then two are in vain.
  const options = { ...OPTIONS, maxSteps: 50, learningRate: 0, evalEvery: 2, patience: 2 };
  const trainer = new Trainer(gpu, model, options);
  const validation = { batches: () => [batchAt(100), batchAt(101)], count: 7 };
  const events = await collect(trainer.run(batchesFrom(0), { validation }));
  const validations = events.filter((event) => event.type === "validation");
  assert.deepEqual(
    validations.map(({ step, isBest }) => [step, isBest]),
    [
      [2, true],
      [4, false],
      [6, false],
    ],
  );
  assert.deepEqual(events.at(-1), { type: "end", step: 6, reason: "no improvement" });
  const { loss } = validations[0]!;
  assert.deepEqual(trainer.state, {
    step: 6,
    numBatches: 6,
    best: { step: 2, loss },
    sinceBest: 2,
  });
  assert.ok(
    validations.every((event) => event.loss === loss),
    "validation draws no dropout",
  );
});

test("the last step is validated too, and an improvement resets patience", async () => {
  const model = tinyModel(gpu, { ...CONFIG, dropout: 0 });
  const options = { ...OPTIONS, maxSteps: 5, learningRate: 0.02, evalEvery: 2, patience: 1 };
  const trainer = new Trainer(gpu, model, options);
  const validation = { batches: () => [batchAt(0)], count: 1 };
  function* repeated(): Generator<Batch> {
    for (;;) yield batchAt(0);
  }
  const events = await collect(trainer.run(repeated(), { validation }));
  assert.deepEqual(
    events.flatMap((event) => (event.type === "validation" ? [[event.step, event.isBest]] : [])),
    [
      [2, true],
      [4, true],
      [5, true],
    ],
  );
});

test("a stream that ends in the middle of a group takes one more step, then ends the run", async () => {
  const trainer = new Trainer(gpu, tinyModel(gpu, CONFIG), { ...OPTIONS, accumulation: 2 });
  const events = await collect(trainer.run(batchesFrom(0, 5)));
  assert.deepEqual(events.at(-1), { type: "end", step: 3, reason: "no more batches" });
  assert.equal(trainer.state.numBatches, 5);
});

test("an aborted run ends after the step in progress, and closes its stream", async () => {
  const controller = new AbortController();
  let closed = false;
  async function* stream(): AsyncGenerator<Batch> {
    try {
      yield* batchesFrom(0);
    } finally {
      closed = true;
    }
  }
  const trainer = new Trainer(gpu, tinyModel(gpu, CONFIG), OPTIONS);
  const events: TrainerEvent[] = [];
  for await (const event of trainer.run(stream(), { signal: controller.signal })) {
    events.push(event);
    if (event.type === "step" && event.step === 2) controller.abort();
  }
  assert.deepEqual(events.at(-1), { type: "end", step: 2, reason: "interrupted" });
  assert.ok(closed, "the stream must be closed");
});

test("the first step that is not finite stops the run, naming step and batches; weights stay", async () => {
  const model = tinyModel(gpu, CONFIG);
  const trainer = new Trainer(gpu, model, { ...OPTIONS, accumulation: 2 });
  const poisoned = (index: number): Batch => {
    const batch = batchAt(index);
    return index === 5 ? { ...batch, weights: batch.weights.map(() => Infinity) } : batch;
  };
  function* stream(): Generator<Batch> {
    for (let index = 0; ; index++) yield poisoned(index);
  }
  let saved: Float32Array<ArrayBuffer>[] = [];
  await assert.rejects(
    async () => {
      for await (const event of trainer.run(stream())) {
        if (event.type === "step") saved = await save(model, trainer);
      }
    },
    (error) => {
      assert.ok(error instanceof NotFiniteError);
      assert.equal(
        error.message,
        "Cannot go on training: loss and gradients must be finite, got NaN or infinity at step 3 (batch 4; batch 5); lower the learning rate",
      );
      return true;
    },
  );
  assert.equal(trainer.state.step, 2);
  assert.deepEqual(await save(model, trainer), saved);
});

for (const name of ["model.layers.1.mlp.gate_proj.weight", "model.embed_positions.weight"]) {
  test(`one NaN in ${name} stops the first step`, async () => {
    const model = tinyModel(gpu, CONFIG);
    const parameter = model.parameters.find(({ label }) => label === name)!;
    gpu.write(parameter, (await gpu.read(parameter)).fill(NaN, 3, 4));
    const trainer = new Trainer(gpu, model, OPTIONS);
    await assert.rejects(collect(trainer.run(batchesFrom(0))), {
      name: "NotFiniteError",
      message: /at step 1 \(batch 0\)/,
    });
  });
}
