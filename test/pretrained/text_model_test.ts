import assert from "node:assert/strict";
import { after, test } from "node:test";
import { loadPretrained } from "../../model/pretrained/load_pretrained.ts";
import type { GenerateEvent, GenerateOptions, Prompt } from "../../model/pretrained/text_model.ts";
import { folderOf } from "../checkpoint/memory_files.ts";
import { fullLogits, logSoftmax } from "../generate/cached_logits.ts";
import { assertClose, openGpu } from "../support.ts";
import { SMALL, smallFiles } from "./small_model.ts";

const gpu = await openGpu();
after(() => gpu.destroy());
const model = await loadPretrained(folderOf(await smallFiles()), { gpu });
const { tokenizer } = model;

const PROMPTS = Array.from({ length: 11 }, (_, i) => "the cook bakes what ".slice(0, 4 + i));
const SAMPLED: GenerateOptions = { maxNewTokens: 12, temperature: 1, topP: 0.9, seed: 7 };

async function generate(prompts: readonly Prompt[], options: GenerateOptions) {
  const rows = prompts.map(() => [] as GenerateEvent[]);
  for await (const event of model.generateBatch(prompts, options)) rows[event.row]!.push(event);
  return rows;
}

const textOf = (events: readonly GenerateEvent[]) => events.map(({ text }) => text).join("");

test("more prompts than a pass holds give what each of them gives alone", async () => {
  const rows = await generate(PROMPTS, SAMPLED);
  for (const [row, prompt] of PROMPTS.entries()) {
    const [alone] = await generate([prompt], { ...SAMPLED, seed: SAMPLED.seed! + row });
    assert.deepEqual(
      alone!.map(({ token }) => token),
      rows[row]!.map(({ token }) => token),
    );
    assert.equal(textOf(alone!), textOf(rows[row]!));
  }
});

test("text comes in pieces that are the text of all tokens, and the last one tells why it ended", async () => {
  const [events] = await generate(["the cook"], { ...SAMPLED, endTokens: [] });
  assert.equal(events!.length, 12);
  assert.deepEqual(
    events!.map(({ finish }) => finish),
    [...Array.from({ length: 11 }, () => undefined), "length"],
  );
  const tokens = [...tokenizer.encode("the cook"), ...events!.map(({ token }) => token)];
  assert.equal(`the cook${textOf(events!)}`, tokenizer.decode(tokens));
  const pieces: string[] = [];
  for await (const piece of model.generate("the cook", { ...SAMPLED, endTokens: [] })) {
    assert.notEqual(piece, "");
    pieces.push(piece);
  }
  assert.equal(pieces.join(""), textOf(events!));
});

test("a stop string ends the text before it, an end token after it", async () => {
  const options = { ...SAMPLED, endTokens: [] };
  const [free] = await generate(["the cook"], options);
  const text = textOf(free!);
  const stop = text.slice(3, 6);
  const [stopped] = await generate(["the cook"], { ...options, stop: [stop] });
  assert.equal(textOf(stopped!), text.slice(0, text.indexOf(stop)));
  assert.equal(stopped!.at(-1)!.finish, "stop");
  const end = free![4]!.token;
  const [ended] = await generate(["the cook"], { ...options, endTokens: [end] });
  const length = free!.findIndex(({ token }) => token === end) + 1;
  assert.equal(ended!.length, length);
  assert.equal(ended!.at(-1)!.finish, "end");
  assert.equal(ended!.at(-1)!.token, end);
});

test("a text goes on to the end of the model's context, and no further", async () => {
  const prompt = new Uint32Array(SMALL.maxSeqLen - 3).fill(5);
  const [events] = await generate([prompt], { ...SAMPLED, endTokens: [], maxNewTokens: 50 });
  assert.equal(events!.length, 3);
  assert.equal(events!.at(-1)!.finish, "length");
  const full = new Uint32Array(SMALL.maxSeqLen);
  await assert.rejects(generate([prompt, full], SAMPLED), {
    name: "RangeError",
    message: /^Cannot go on with prompt 1: it must have 1 to 63 tokens, so that .* got 64$/,
  });
  for (const maxNewTokens of [0, 1.5, NaN]) {
    await assert.rejects(generate(["the"], { maxNewTokens }), {
      name: "RangeError",
      message: `Cannot generate: maxNewTokens must be a positive integer, got ${maxNewTokens}`,
    });
  }
});

test("an abort stops generation with its reason", async () => {
  const controller = new AbortController();
  const events: GenerateEvent[] = [];
  const run = async () => {
    for await (const event of model.generateBatch(["the"], { signal: controller.signal })) {
      events.push(event);
      controller.abort(new Error("enough"));
    }
  };
  await assert.rejects(run(), { message: "enough" });
  assert.equal(events.length, 1);
});

test("greedy tokens carry the log-probability that scoring gives them", async () => {
  const [events] = await generate(["the cook"], { maxNewTokens: 8, endTokens: [] });
  const continuation = Uint32Array.from(events!, ({ token }) => token);
  const [scores] = await model.score("the cook", [continuation]);
  const expected = events!.map(({ logProbability }) => logProbability);
  assertClose(scores!, expected, { what: "scores", rtol: 1e-5, atol: 1e-5 });
});

test("text is scored as it is read together with its prefix", async () => {
  const prefix = "the cook";
  const continuations = [" bakes", "s what the baker bakes", "", " cooks"];
  const scores = await model.score(prefix, continuations);
  for (const [index, continuation] of continuations.entries()) {
    const whole = tokenizer.encode(prefix + continuation);
    const begin = tokenizer.encode(prefix).length;
    const logits = await fullLogits(gpu, model.transformer, whole);
    const expected = Array.from(whole.subarray(begin), (token, i) => {
      const at = (begin - 1 + i) * SMALL.vocabSize;
      return logSoftmax(logits.subarray(at, at + SMALL.vocabSize))[token]!;
    });
    assertClose(scores[index]!, expected, { what: continuation, rtol: 1e-5, atol: 1e-5 });
  }
});

test("many prefixes at once score as each of them alone, in every bit", async () => {
  const requests = PROMPTS.map((prefix) => ({ prefix, continuations: [" cook", " baker bakes"] }));
  const together = await model.scoreBatch(requests);
  for (const [index, { prefix, continuations }] of requests.entries()) {
    assert.deepEqual(await model.score(prefix, continuations), together[index]);
  }
});

test("texts become vectors of the model's width", async () => {
  const vectors: Float32Array[] = [];
  for await (const vector of model.embed(["the cook", "the baker"])) vectors.push(vector);
  assert.deepEqual(
    vectors.map(({ length }) => length),
    [SMALL.dModel, SMALL.dModel],
  );
  assert.notDeepEqual(vectors[0], vectors[1]);
});

test("the model's own files say how tokens are drawn, unless told otherwise", async () => {
  const generation = { endTokens: [], doSample: true, temperature: 1, maxNewTokens: 5 };
  const files = folderOf(await smallFiles({ generation }));
  const drawing = await loadPretrained(files, { gpu });
  const texts = async (options: GenerateOptions) => {
    const tokens: number[] = [];
    const all = { endTokens: [], ...options };
    for await (const { token } of drawing.generateBatch(["the cook"], all)) tokens.push(token);
    return tokens;
  };
  const [one, other, greedy] = [
    await texts({ seed: 1 }),
    await texts({ seed: 2 }),
    await texts({ temperature: 0 }),
  ];
  assert.equal(one.length, 5);
  assert.notDeepEqual(one, other);
  assert.deepEqual(await texts({ temperature: 0, seed: 2 }), greedy);
  drawing.destroy();
});

test("batches are as large as the device can hold, and give the same", async () => {
  // A block's keys of one row take 64 places of 16 elements: two rows fit.
  const tight = await openGpu({ maxBindingBytes: 2 * 64 * 16 * 4 });
  const small = await loadPretrained(folderOf(await smallFiles()), { gpu: tight });
  const requests = PROMPTS.map((prefix) => ({ prefix, continuations: [" cook", " baker bakes"] }));
  const scores = await small.scoreBatch(requests);
  for (const [index, expected] of (await model.scoreBatch(requests)).entries()) {
    // The vocabulary, too, is taken in other parts there.
    for (const [which, values] of expected.entries()) {
      assertClose(scores[index]![which]!, values, { what: "score", rtol: 1e-5, atol: 1e-5 });
    }
  }
  const tokens: number[][] = PROMPTS.map(() => []);
  for await (const { row, token } of small.generateBatch(PROMPTS, SAMPLED))
    tokens[row]!.push(token);
  const rows = await generate(PROMPTS, SAMPLED);
  assert.deepEqual(
    tokens,
    rows.map((events) => events.map(({ token }) => token)),
  );
  tight.destroy();
});

test("a token that the model does not have is refused by every call", async () => {
  const stranger = Uint32Array.of(1, SMALL.vocabSize);
  const message = /\b273\b.*got 273/;
  await assert.rejects(model.score(stranger, [" cook"]), { name: "RangeError", message });
  await assert.rejects(model.score("the", [stranger]), { name: "RangeError", message });
  await assert.rejects(generate([stranger], {}), { name: "RangeError", message });
  const embed = async () => {
    for await (const vector of model.embed([stranger])) assert.ok(vector, "not reached");
  };
  await assert.rejects(embed(), { name: "RangeError", message });
});

test("calls of many sizes do not pile up memory", async () => {
  const sizes = [1, 20, 1, 40, 20, 5];
  for (const maxNewTokens of sizes) await generate(["the cook"], { maxNewTokens, endTokens: [] });
  const before = gpu.allocatedBytes;
  for (const maxNewTokens of [...sizes, ...sizes]) {
    await generate(["the cook"], { maxNewTokens, endTokens: [] });
  }
  assert.ok(gpu.allocatedBytes <= before * 1.1, `${before} bytes became ${gpu.allocatedBytes}`);
});
