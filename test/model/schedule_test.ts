import assert from "node:assert/strict";
import { test } from "node:test";
import { learningRateAt, type LearningRateOptions } from "../../model/train/schedule.ts";
import { assertClose } from "../support.ts";

const rates = (options: LearningRateOptions, numSteps = options.maxSteps) =>
  Array.from({ length: numSteps }, (_, index) => learningRateAt(index + 1, options));

const EXACT = { rtol: 1e-12, atol: 0 };

test("the rate rises linearly, then falls linearly to its final share", () => {
  const options = { learningRate: 1, maxSteps: 6, warmupSteps: 2, decay: "linear" } as const;
  assertClose(rates(options), [0.5, 1, 1, 0.75, 0.5, 0.25], { what: "rate", ...EXACT });
  const toShare = rates({ ...options, finalShare: 0.2 });
  assertClose(toShare, [0.5, 1, 1, 0.8, 0.6, 0.4], { what: "rate", ...EXACT });
});

test("the rate follows half a cosine", () => {
  const options = { learningRate: 2, maxSteps: 4 };
  const half = Math.SQRT1_2;
  const expected = [2, 1 + half, 1, 1 - half];
  assertClose(rates(options), expected, { what: "rate", ...EXACT });
  // Beyond the last step it stays where it ended.
  assertClose(rates({ ...options, finalShare: 0.1 }, 7).slice(4), [0.2, 0.2, 0.2], {
    what: "rate",
    ...EXACT,
  });
});

test("a constant rate is constant after its warm-up", () => {
  const options = { learningRate: 3, maxSteps: 5, warmupSteps: 3, decay: "constant" } as const;
  assertClose(rates(options), [1, 2, 3, 3, 3], { what: "rate", ...EXACT });
});

test("a run that is all warm-up ends at its full rate", () => {
  assert.deepEqual(rates({ learningRate: 1, maxSteps: 4, warmupSteps: 4 }), [0.25, 0.5, 0.75, 1]);
});

test("the rate falls as one over the square root of the step, whatever the length of the run", () => {
  const options = { learningRate: 2, warmupSteps: 4, decay: "inverse-sqrt" } as const;
  const expected = [0.5, 1, 1.5, 2, 2 * Math.sqrt(4 / 5), 2 * Math.sqrt(4 / 6)];
  assertClose(rates({ ...options, maxSteps: 6 }), expected, { what: "rate", ...EXACT });
  assert.equal(learningRateAt(16, { ...options, maxSteps: 16 }), 1);
  assert.equal(learningRateAt(16, { ...options, maxSteps: 10_000 }), 1);
  assert.equal(learningRateAt(4, { ...options, maxSteps: 9, warmupSteps: 0 }), 1);
});
