import assert from "node:assert/strict";
import { test } from "node:test";
import { type RopeScaling, rotaryFrequencies } from "../../engine/ops/rope_scaling.ts";
import { rotaryTable } from "../../engine/ops/rotary.ts";
import { scaledFrequencies } from "../reference/rotary.ts";
import { assertClose } from "../support.ts";

// Powers and logarithms of float64, taken in another order.
const FLOAT64 = { rtol: 1e-13, atol: 0 };
// One rounding of a value up to 2 to f32.
const FLOAT32 = { rtol: 2 ** -24, atol: 1e-9 };

const LLAMA3: RopeScaling = {
  type: "llama3",
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxSeqLen: 8192,
};
const YARN: RopeScaling = {
  type: "yarn",
  factor: 4,
  originalMaxSeqLen: 32_768,
  betaFast: 32,
  betaSlow: 1,
  attentionFactor: 0.1 * Math.log(4) + 1,
};

const CASES: Readonly<
  Record<string, { headDim: number; theta: number; scaling: RopeScaling | null }>
> = {
  "no scaling": { headDim: 16, theta: 10_000, scaling: null },
  linear: { headDim: 16, theta: 10_000, scaling: { type: "linear", factor: 2.5 } },
  "Llama 3.1": { headDim: 128, theta: 500_000, scaling: LLAMA3 },
  "Llama 3.2": { headDim: 64, theta: 500_000, scaling: { ...LLAMA3, factor: 32 } },
  "llama3 of a short context": {
    headDim: 8,
    theta: 10_000,
    scaling: { ...LLAMA3, originalMaxSeqLen: 64 },
  },
  "YaRN of Qwen2.5": { headDim: 128, theta: 1_000_000, scaling: YARN },
  "YaRN of Llama 2": {
    headDim: 128,
    theta: 10_000,
    scaling: { ...YARN, factor: 16, originalMaxSeqLen: 4096 },
  },
  "YaRN with a ramp that ends before it begins": {
    headDim: 8,
    theta: 10_000,
    scaling: { ...YARN, originalMaxSeqLen: 4 },
  },
  "YaRN with a ramp of no width": {
    headDim: 8,
    theta: 10_000,
    scaling: { ...YARN, originalMaxSeqLen: 6 },
  },
  "YaRN with a ramp that goes beyond the head": {
    headDim: 4,
    theta: 2,
    scaling: { ...YARN, originalMaxSeqLen: 256 },
  },
};

for (const [name, options] of Object.entries(CASES)) {
  test(`frequencies of ${name} are the papers'`, () => {
    assertClose(rotaryFrequencies(options), scaledFrequencies(options), {
      what: "frequencies",
      ...FLOAT64,
    });
  });
}

test("linear scaling divides every frequency", () => {
  const scaling: RopeScaling = { type: "linear", factor: 4 };
  const frequencies = rotaryFrequencies({ headDim: 4, theta: 10_000, scaling });
  assertClose(frequencies, [0.25, 0.0025], { what: "frequencies", ...FLOAT64 });
});

test("llama3 keeps what turns 20 times, and takes a third of what turns twice as it is", () => {
  // Turns over the context: 20 and 2; 2 lies a third of the way from 1 to 4.
  const scaling: RopeScaling = { ...LLAMA3, originalMaxSeqLen: 40 * Math.PI };
  const frequencies = rotaryFrequencies({ headDim: 4, theta: 100, scaling });
  assertClose(frequencies, [1, 0.1 * (2 / 3 / 8 + 1 / 3)], { what: "frequencies", ...FLOAT64 });
});

test("llama3 divides the slowest frequencies of Llama 3.1 by 8, and leaves the fastest", () => {
  const frequencies = rotaryFrequencies({ headDim: 128, theta: 500_000, scaling: LLAMA3 });
  assert.equal(frequencies[0], 1);
  assertClose([frequencies[63]!], [500_000 ** (-126 / 128) / 8], { what: "slowest", ...FLOAT64 });
});

test("YaRN ramps from the pair of betaFast to that of betaSlow", () => {
  // Over this context, pair p turns 10^(3 − p) times: 50 at p = 1.3, 2 at 2.7; the ramp is [1, 3].
  const scaling: RopeScaling = {
    type: "yarn",
    factor: 4,
    originalMaxSeqLen: 2000 * Math.PI,
    betaFast: 50,
    betaSlow: 2,
    attentionFactor: 1,
  };
  const frequencies = rotaryFrequencies({ headDim: 8, theta: 10_000, scaling });
  assertClose(frequencies, [1, 0.1, 0.00625, 0.00025], { what: "frequencies", ...FLOAT64 });
});

for (const [name, options] of Object.entries(CASES)) {
  test(`rotaryTable() has cosines and sines of ${name}, as large as its attention factor`, () => {
    const maxSeqLen = 100;
    const { headDim, scaling } = options;
    const amplitude = scaling?.type === "yarn" ? 0.1 * Math.log(4) + 1 : 1;
    const frequencies = scaledFrequencies(options);
    const expected = Array.from({ length: maxSeqLen }, (_, position) => [
      ...frequencies.map((frequency) => amplitude * Math.cos(position * frequency)),
      ...frequencies.map((frequency) => amplitude * Math.sin(position * frequency)),
    ]).flat();
    const table = rotaryTable({ ...options, maxSeqLen });
    assert.equal(table.length, maxSeqLen * headDim);
    assertClose(table, expected, { what: "table", ...FLOAT32 });
  });
}
