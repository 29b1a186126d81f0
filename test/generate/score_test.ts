import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import type { GpuOptions } from "../../engine/gpu.ts";
import { Scorer, type ScoreRequest } from "../../model/generate/score.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { assertClose, openGpu } from "../support.ts";
import { fullLogits, logSoftmax } from "./cached_logits.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
const gpu = gpus[0]![1];
after(() => gpus.forEach(([, one]) => one.destroy()));

/** What `score()` promises against a forward pass over the whole text. */
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };
const VOCABULARY = 11;

const list = (...tokens: number[]) => Uint32Array.from(tokens);

/** Continuations that share beginnings, contain one another, are the same, or are empty. */
const REQUESTS: readonly ScoreRequest[] = [
  {
    prefix: list(1, 2, 3, 4, 5),
    continuations: [list(6, 7, 8), list(6, 7), list(6, 9, 1), list(2), list(), list(6, 7, 8)],
  },
  { prefix: list(7), continuations: [list(7, 7, 7), list(0)] },
  { prefix: list(3, 1, 4, 1, 5, 9, 2, 6), continuations: [list(5, 3, 5), list(5, 3, 4), list(8)] },
];

/** The same by one forward pass for each continuation. */
async function scoreOneByOne(model: Transformer, { prefix, continuations }: ScoreRequest) {
  const scores: number[][] = [];
  for (const tokens of continuations) {
    const text = Uint32Array.from([...prefix, ...tokens]);
    const logits = await fullLogits(gpu, model, text);
    scores.push(
      Array.from(tokens, (token, i) => {
        const at = (prefix.length - 1 + i) * VOCABULARY;
        return logSoftmax(logits.subarray(at, at + VOCABULARY))[token]!;
      }),
    );
  }
  return scores;
}

for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  for (const [way, one] of gpus) {
    test(`scores of a model ${name} are those of whole forward passes, with ${way}`, async () => {
      const scorer = new Scorer(one, tinyModel(one, config), { numRows: 4, capacity: 24 });
      const scores = await scorer.score(REQUESTS);
      const model = tinyModel(gpu, config);
      for (const [index, request] of REQUESTS.entries()) {
        const expected = await scoreOneByOne(model, request);
        for (const [which, values] of expected.entries()) {
          const what = `score of continuation ${which} of prefix ${index}`;
          assertClose(scores[index]![which]!, values, { what, ...TOLERANCE });
        }
      }
      scorer.destroy();
    });
  }
}

test("a score has the same bits whatever else is in the batch, and however large it is", async () => {
  const config = TINY_FAMILIES["like Mistral, with a sliding window"]!;
  const model = tinyModel(gpu, config);
  const together = new Scorer(gpu, model, { numRows: 4, capacity: 24 });
  const all = await together.score(REQUESTS);
  const again = await together.score(REQUESTS.toReversed());
  assert.deepEqual(again.toReversed(), all, "another order must not matter");
  const alone = new Scorer(gpu, model, { numRows: 1, capacity: 24 });
  for (const [index, request] of REQUESTS.entries()) {
    assert.deepEqual(await alone.score([request]), [all[index]], `prefix ${index} alone`);
    const [longest] = await alone.score([
      { ...request, continuations: [request.continuations[0]!] },
    ]);
    assert.deepEqual(longest![0], all[index]![0], "a continuation alone must score the same");
  }
  together.destroy();
  alone.destroy();
});

test("random trees of continuations score as their sequences do", async () => {
  const config = TINY_FAMILIES["like Qwen2, with biases of queries, keys and values"]!;
  const model = tinyModel(gpu, config);
  const scorer = new Scorer(gpu, model, { numRows: 1, capacity: 64 });
  const sequence = (minLength: number) =>
    fc
      .array(fc.integer({ min: 0, max: 2 }), { minLength, maxLength: 5 })
      .map((tokens) => Uint32Array.from(tokens));
  const requests = fc.record({
    prefix: sequence(1),
    continuations: fc.array(sequence(0), { minLength: 1, maxLength: 6 }),
  });
  const check = async (request: ScoreRequest) => {
    const [scores] = await scorer.score([request]);
    const expected = await scoreOneByOne(model, request);
    assertClose(
      scores!.flatMap((one) => [...one]),
      expected.flat(),
      { what: "score", ...TOLERANCE },
    );
  };
  await fc.assert(fc.asyncProperty(requests, check), { numRuns: 8, seed: 5 });
  scorer.destroy();
});

test("what does not fit is refused with the sizes", async () => {
  const config = TINY_MODELS["like GPT-2"]!;
  const scorer = new Scorer(gpu, tinyModel(gpu, config), { numRows: 1, capacity: 24 });
  const long = Uint32Array.from({ length: 15 }, (_, i) => i % 11);
  await assert.rejects(scorer.score([{ prefix: list(), continuations: [list(1)] }]), {
    name: "RangeError",
    message: /the prefix must have at least one token, got none; begin it with/,
  });
  await assert.rejects(scorer.score([{ prefix: long, continuations: [list(1, 2, 3)] }]), {
    name: "RangeError",
    message: /must fit the model's 16 tokens, got a prefix of 15 and a longest continuation of 3$/,
  });
  await assert.rejects(scorer.score([REQUESTS[0]!, REQUESTS[1]!]), {
    name: "RangeError",
    message: "Cannot score at once: at most 1 prefixes fit, got 2",
  });
  scorer.destroy();
});
