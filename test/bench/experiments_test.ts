import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CAREER, STORIES_260K } from "../../bench/cases/mod.ts";
import { fitCurves } from "../../bench/experiments/curves.ts";
import { measureSteps, trainingSteps } from "../../bench/experiments/overhead.ts";
import { planStep, type PlannedStep } from "../../bench/experiments/plan_memory.ts";
import { SubmitProbe } from "../../bench/experiments/submit_probe.ts";
import { countWeights } from "../../model/transformer/weight_shapes.ts";
import { openGpu, openTestAdapter } from "../support.ts";

const SIZES = { numRows: 2, seqLen: 64 } as const;

test("memory is planned as the step then takes it, without allocating any", async () => {
  const plan = (step: Partial<PlannedStep>) =>
    openTestAdapter().then((adapter) =>
      planStep(adapter, {
        model: STORIES_260K,
        ...SIZES,
        dtype: "f32",
        checkpoint: false,
        ...step,
      }),
    );
  const whole = await plan({});
  const gpu = await openGpu();
  const { destroy } = await trainingSteps(gpu, STORIES_260K, SIZES);
  // Params and readback are small; parameters are padded to where bindings may begin.
  const SMALL = 2 ** 17;
  const taken = gpu.allocatedBytes;
  destroy();
  gpu.destroy();
  assert.ok(Math.abs(taken - whole.peak) < SMALL, `planned ${whole.peak}, took ${taken}`);
  const bytes = 4 * countWeights(STORIES_260K.config);
  for (const part of ["weights", "gradients"] as const) {
    assert.ok(whole[part] >= bytes && whole[part] < 1.1 * bytes, part);
  }
  assert.equal(whole.optimizer, 2 * whole.gradients);
  assert.ok(whole.activations < whole.unshared);

  const checkpointed = await plan({ checkpoint: true });
  assert.ok(checkpointed.activations < whole.activations);
  assert.ok(checkpointed.numDispatches > whole.numDispatches);
  assert.ok((await plan({ dtype: "f16" })).activations < whole.activations);
  const { unshared } = await plan({ seqLen: 2 * SIZES.seqLen });
  assert.ok(unshared > 1.9 * whole.unshared && unshared < 2.1 * whole.unshared, "linear in tokens");
});

test("a step is one submit, of as many dispatches as its plans have", async () => {
  const gpu = await openGpu();
  after(() => gpu.destroy());
  const probe = new SubmitProbe(gpu);
  const config = {
    ...CAREER.config,
    numBlocks: 1,
    dModel: 64,
    numHeads: 2,
    numKvHeads: 2,
    headDim: 32,
  };
  const steps = await trainingSteps(gpu, { name: "one block", config }, { numRows: 1, seqLen: 8 });
  const found = await measureSteps(probe, steps, 3);
  steps.destroy();
  assert.equal(found.numSubmits, 1);
  assert.ok(found.numDispatches > 20 && found.numDispatches < 200, `${found.numDispatches}`);
  assert.equal(found.encodeRounds.length, 3);
  found.encodeRounds.forEach((encodeMs, round) => {
    assert.ok(encodeMs > 0 && encodeMs < found.stepRounds[round]!);
  });
});

test("curves are fitted: exponents of time, also of the tail, and the line of memory", () => {
  const tokens = [128, 256, 512, 1024, 2048].map((numTokens) => ({
    numTokens,
    // Attention, quadratic, takes over from the rest.
    ms: 1e-3 * numTokens + 1e-6 * numTokens ** 2,
    peakBytes: 5e6 + 3000 * numTokens,
  }));
  const weights = [3e5, 1e6, 3e6, 1e7].map((numWeights) => ({ numWeights, ms: numWeights ** 0.9 }));
  const fits = fitCurves(tokens, weights);
  assert.ok(fits.timeByTokens.slope > 1 && fits.timeByTokens.slope < fits.timeByTokensTail.slope);
  assert.ok(Math.abs(fits.timeByWeights.slope - 0.9) < 1e-9);
  assert.ok(Math.abs(fits.memoryByTokens.slope - 3000) < 1e-6);
  assert.ok(Math.abs(fits.memoryByTokens.r2 - 1) < 1e-12);
});
