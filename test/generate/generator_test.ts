import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { GpuOptions } from "../../engine/gpu.ts";
import { Generator, type GenerateRequest } from "../../model/generate/generator.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { openGpu } from "../support.ts";
import { fullLogits } from "./cached_logits.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
const gpu = gpus[0]![1];
after(() => gpus.forEach(([, one]) => one.destroy()));

const list = (...tokens: number[]) => Uint32Array.from(tokens);
const GREEDY: readonly GenerateRequest[] = [
  { prompt: list(1, 2, 3, 4, 5), settings: {} },
  { prompt: list(7), settings: {} },
  { prompt: list(3, 1, 4, 1, 5, 9), settings: {} },
];
const SAMPLED = GREEDY.map(({ prompt }, row) => ({
  prompt,
  settings: { temperature: 0.8, topP: 0.9, repetitionPenalty: 1.1, seed: 5 + row },
}));

/** Tokens and log-probabilities of each row, all steps. */
async function generate(
  generator: Generator,
  requests: readonly GenerateRequest[],
  options: { maxSteps: number; endTokens?: readonly number[] },
) {
  const rows = requests.map(() => ({ tokens: [] as number[], logProbabilities: [] as number[] }));
  for await (const step of generator.run(requests, { endTokens: [], ...options })) {
    rows.forEach((row, index) => {
      row.tokens.push(step.tokens[index]!);
      row.logProbabilities.push(step.logProbabilities[index]!);
    });
  }
  return rows;
}

for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  for (const [way, one] of gpus) {
    test(`greedy tokens of a model ${name} are the most probable of whole forward passes, with ${way}`, async () => {
      const generator = new Generator(one, tinyModel(one, config), { numRows: 4, capacity: 16 });
      const rows = await generate(generator, GREEDY, { maxSteps: 9 });
      const model = tinyModel(gpu, config);
      for (const [index, { prompt }] of GREEDY.entries()) {
        const text = [...prompt];
        for (const token of rows[index]!.tokens) {
          const logits = (await fullLogits(gpu, model, list(...text))).slice(-config.vocabSize);
          const best = logits.indexOf(Math.max(...logits));
          assert.ok(logits[best]! - logits[token]! < 1e-4, `token ${text.length} of text ${index}`);
          text.push(token);
        }
        assert.equal(text.length, prompt.length + 9);
      }
      generator.destroy();
    });
  }
}

test("a text has the same tokens and bits whatever else is generated beside it", async () => {
  const model = tinyModel(gpu, TINY_FAMILIES["like Mistral, with a sliding window"]!);
  const together = new Generator(gpu, model, { numRows: 4, capacity: 16 });
  const all = await generate(together, SAMPLED, { maxSteps: 9 });
  const again = await generate(together, SAMPLED.toReversed(), { maxSteps: 9 });
  assert.deepEqual(again.toReversed(), all, "another order, on used caches");
  const alone = new Generator(gpu, model, { numRows: 1, capacity: 16 });
  for (const [index, request] of SAMPLED.entries()) {
    assert.deepEqual(await generate(alone, [request], { maxSteps: 9 }), [all[index]]);
  }
  const others = SAMPLED.map(({ prompt, settings }) => ({
    prompt,
    settings: { ...settings, seed: 1000 },
  }));
  assert.notDeepEqual(await generate(together, others, { maxSteps: 9 }), all, "another seed");
  together.destroy();
  alone.destroy();
});

test("a row that has ended gives no more tokens, and the others go on", async () => {
  const model = tinyModel(gpu, TINY_MODELS["like GPT-2"]!);
  const generator = new Generator(gpu, model, { numRows: 4, capacity: 16 });
  const free = await generate(generator, GREEDY, { maxSteps: 6 });
  const end = free[0]!.tokens[2]!;
  const rows = await generate(generator, GREEDY, { maxSteps: 6, endTokens: [end] });
  rows.forEach(({ tokens }, index) => {
    const length = free[index]!.tokens.indexOf(end) + 1 || 6;
    assert.deepEqual(tokens.slice(0, length), free[index]!.tokens.slice(0, length));
    assert.ok(tokens.slice(length).every((token) => token === 0xffff_ffff));
  });
  generator.destroy();
});

test("leaving off in the middle does not disturb the next texts", async () => {
  const model = tinyModel(gpu, TINY_MODELS["like GPT-2"]!);
  const generator = new Generator(gpu, model, { numRows: 4, capacity: 16 });
  const expected = await generate(generator, GREEDY, { maxSteps: 6 });
  for await (const step of generator.run(SAMPLED, { maxSteps: 6, endTokens: [] })) {
    assert.equal(step.tokens.length, 4);
    break;
  }
  assert.deepEqual(await generate(generator, GREEDY, { maxSteps: 6 }), expected);
  generator.destroy();
});

test("prompts that do not fit are refused by number", async () => {
  const model = tinyModel(gpu, TINY_MODELS["like GPT-2"]!);
  const generator = new Generator(gpu, model, { numRows: 1, capacity: 8 });
  const run = (prompt: Uint32Array, settings = {}) =>
    generate(generator, [{ prompt, settings }], { maxSteps: 1 });
  await assert.rejects(run(list()), {
    name: "RangeError",
    message: "Cannot go on with prompt 0: it must have 1 to 8 tokens, got 0",
  });
  await assert.rejects(run(new Uint32Array(9)), { name: "RangeError", message: /got 9$/ });
  await assert.rejects(run(list(99)), { name: "RangeError", message: /in \[0, 11\), got 99$/ });
  await assert.rejects(run(list(1), { topP: 2 }), { name: "RangeError", message: /topP must/ });
  assert.equal((await run(list(1)))[0]!.tokens.length, 1);
  generator.destroy();
});
