import assert from "node:assert/strict";
import { after, test } from "node:test";
import { advanceRows, SamplerState, sampleTokens } from "../../engine/ops/sampling.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { NO_TOKEN } from "../../shaders/sampling_advance.wgsl.ts";
import { openGpu, uniform } from "../support.ts";
import { sample } from "./sampling_run.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

test("sampleTokens() reaches rows beyond 65 535 workgroups", async () => {
  const numRows = 65_540;
  const logits = Float32Array.from({ length: 3 * numRows }, (_, i) => ((i * 7) % 11) / 11);
  const rows = Array.from({ length: numRows }, (_, row) => ({
    logits: logits.subarray(3 * row, 3 * row + 3),
  }));
  const { tokens } = await sample(gpu, "flat in subgroups", rows);
  rows.forEach((row, i) => assert.equal(tokens[i], row.logits.indexOf(Math.max(...row.logits))));
});

test("a row that was finished gives no token, until it is reset", async () => {
  const state = new SamplerState(gpu, { numRows: 2, vocabSize: 9, capacity: 4 });
  const values = uniform(18, 1);
  const logits = gpu.tensor([2, 9], { label: "logits", values });
  const tape = new Tape(gpu);
  const { tokens } = sampleTokens(tape, { logits, state });
  const plan = await new Plan(gpu, tape, { keep: [tokens] }).compile();
  const run = async () => {
    plan.run();
    return [...new Uint32Array((await plan.read(tokens))[0]!.buffer)];
  };
  const best = [values.subarray(0, 9), values.subarray(9)].map((x) => x.indexOf(Math.max(...x)));
  assert.deepEqual(await run(), best);
  state.finish(0);
  assert.deepEqual(await run(), [NO_TOKEN, best[1]]);
  state.reset(0);
  assert.deepEqual(await run(), best);
  plan.destroy();
});

test("SamplerState says what is wrong with settings, rows and tokens", () => {
  const state = new SamplerState(gpu, { numRows: 2, vocabSize: 9, capacity: 4, maxEndTokens: 2 });
  for (const [settings, message] of [
    [{ temperature: -1 }, "temperature must be 0 or lie in [1e-6, 1e6], got -1"],
    [{ temperature: NaN }, "temperature must be 0 or lie in [1e-6, 1e6], got NaN"],
    [{ topK: 1.5 }, "topK must be an integer from 0 on, got 1.5"],
    [{ topP: 0 }, "topP must lie in (0, 1], got 0"],
    [{ minP: 1.1 }, "minP must lie in [0, 1], got 1.1"],
    [{ repetitionPenalty: 0 }, "repetitionPenalty must lie in [1e-6, 1e6], got 0"],
    [{ seed: -1 }, "seed must be an integer in [0, 2^53), got -1"],
  ] as const) {
    assert.throws(() => state.configure(0, settings), {
      name: "RangeError",
      message: `Cannot configure sampling: ${message}`,
    });
  }
  for (const [action, message] of [
    [() => state.configure(2, {}), "Cannot sample row 2: rows must be integers in [0, 2), got 2"],
    [() => state.reset(0, [9]), "Cannot see a token: tokens must be integers in [0, 9), got 9"],
    [
      () => state.setEndTokens([-1]),
      "Cannot end rows at a token: tokens must be integers in [0, 9), got -1",
    ],
    [
      () => state.setEndTokens([1, 2, 3]),
      "Cannot end rows: end tokens must be at most 2, got 3; make the sampler with a larger maxEndTokens",
    ],
    [
      () => new SamplerState(gpu, { numRows: 0, vocabSize: 9, capacity: 4 }),
      "Cannot make a sampler: numRows must be a positive integer, got 0",
    ],
  ] as const) {
    assert.throws(action, { name: "RangeError", message });
  }
});

test("sampleTokens() and advanceRows() throw when shapes or dtypes do not fit", () => {
  const state = new SamplerState(gpu, { numRows: 2, vocabSize: 9, capacity: 4 });
  const tape = new Tape(gpu);
  const tensor = (shape: number[], dtype: "f32" | "f16" | "u32") =>
    gpu.tensor(shape, { label: "x", dtype });
  assert.throws(() => sampleTokens(tape, { logits: tensor([2, 8], "f32"), state }), {
    name: "RangeError",
    message: 'Cannot sample from "x": logits must be [2, 9], got [2, 8] f32',
  });
  assert.throws(() => sampleTokens(tape, { logits: tensor([2, 9], "f16"), state }), {
    name: "TypeError",
    message: 'Cannot sample from "x": logits must be f32, got [2, 9] f16',
  });
  const sampled = sampleTokens(tape, { logits: tensor([2, 9], "f32"), state });
  const u32 = tensor([2], "u32");
  const inputs = { sampled, state, tokens: u32, places: u32, positions: u32 };
  assert.throws(() => advanceRows(tape, { ...inputs, places: tensor([3], "u32") }), {
    name: "RangeError",
    message: 'Cannot advance rows: "x" must be [2] u32, got [3] u32',
  });
  assert.throws(() => advanceRows(tape, { ...inputs, capacity: 0 }), {
    name: "RangeError",
    message: "Cannot advance rows: the cache's capacity must be a positive integer, got 0",
  });
});
