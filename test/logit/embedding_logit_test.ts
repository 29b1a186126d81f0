import assert from "node:assert/strict";
import { after, test } from "node:test";
import { embeddingFiles, readEmbeddingLogit } from "../../model/embedding_logit/embedding_files.ts";
import { EmbeddingLogit } from "../../model/embedding_logit/embedding_model.ts";
import { embedPeople, fitEmbeddingLogit } from "../../model/embedding_logit/fit_embedding.ts";
import { PromptStates } from "../../model/embedding_logit/prompt_states.ts";
import { Embedder } from "../../model/generate/embed.ts";
import { unigram } from "../../model/occupation/empirical.ts";
import { evaluate, perplexity } from "../../model/occupation/metrics.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { makePerson, opinionated, TITLES } from "../occupation/opinionated.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { collectFiles } from "./collect_files.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const model = await opinionated(gpu);
const states = new PromptStates(gpu, model);
after(() => states.destroy());

// f32 sums in another order, of rows of other lengths; states are of size 1.
const STATE = { rtol: 1e-4, atol: 1e-4 };

const NUM_OCCUPATIONS = TITLES.length;

/** People who mostly stay in one of four occupations, and their resumes as tokens. */
function stayers(numPeople: number, seed: number): Person[] {
  const random = uniform(numPeople * 30, seed);
  return Array.from({ length: numPeople }, (_, p) => {
    const draw = (i: number, count: number) => Math.floor(((random[p * 30 + i]! + 1) / 2) * count);
    const occupations = [draw(0, 4)];
    for (let i = 1; i < 8; i++) {
      occupations.push(draw(2 * i, 10) < 8 ? occupations[i - 1]! : draw(2 * i + 1, 4));
    }
    const tokens = [30, 31, 32];
    const titles = occupations.map((occupation) => {
      tokens.push(33, 36);
      const start = tokens.length;
      tokens.push(...TITLES[occupation]!, 37);
      return { start, end: tokens.length - 1, occupation };
    });
    const id = `${seed}-${p}`;
    const career = { id, gender: "female", ethnicity: "white", observations: [] };
    return { career, occupations, resume: { id, tokens: Uint32Array.from(tokens), titles } };
  });
}

const [train, valid] = [stayers(60, 1), stayers(40, 2)];
const embed = async (people: readonly Person[]) => embedPeople(states, people);
const data = { train: await embed(train), valid: await embed(valid) };
const options = {
  numOccupations: NUM_OCCUPATIONS,
  components: [2, 16, 500, "full"] as const,
  penalties: [4, 1],
  limit: 10,
  tolerance: 1e-3,
};
const fitted = await fitEmbeddingLogit(gpu, data, options);

for (const pooling of ["last", "mean"] as const) {
  test(`states of prompts, pooled by ${pooling}, are those of every prompt as a text of its own`, async () => {
    const people = [makePerson("a", 5), makePerson("b", 1), makePerson("c", 12)];
    const own = new PromptStates(gpu, model, { pooling });
    const embedder = new Embedder(gpu, model, { pooling });
    const asked = people.map(({ resume }, i) => ({ resume: resume!, askedFrom: i === 2 ? 9 : 0 }));
    let which = 0;
    for await (const got of own.states(asked)) {
      const { resume, askedFrom } = asked[which++]!;
      const prompts = resume.titles
        .slice(askedFrom)
        .map(({ start }) => resume.tokens.subarray(0, start));
      const expected: number[] = [];
      for await (const state of embedder.embed(prompts)) expected.push(...state);
      assertClose(got, expected, { what: resume.id, ...STATE });
    }
    assert.equal(which, 3);
    own.destroy();
    embedder.destroy();
  });
}

test("resumes that do not fit the context are refused by the person's name", async () => {
  const ask = async () => embed([makePerson("ok", 2), makePerson("long", 60)]);
  await assert.rejects(ask, /Cannot embed career "long": .* context of 128 tokens, got \d+/);
  const { resume: _, ...silent } = train[0]!;
  await assert.rejects(embed([silent]), /must carry a resume as tokens/);
});

test("a logit on embeddings beats the unigram, with what validation chose", async () => {
  const own = new EmbeddingLogit(states, fitted.weights);
  const embedded = perplexity(await evaluate(own, valid));
  const counts = perplexity(await evaluate(unigram(train, NUM_OCCUPATIONS), valid));
  assert.ok(embedded < 0.8 * counts, `${embedded} must be well below ${counts}`);
  assertClose([embedded], [fitted.best.perplexity], { what: "perplexity", rtol: 1e-6, atol: 0 });
  assert.equal(fitted.best.perplexity, Math.min(...fitted.perplexities.values()));
  assert.equal(fitted.best.perplexity, fitted.perplexities.get(fitted.numComponents));
  const all = Math.max(...fitted.perplexities.keys());
  assert.deepEqual([...fitted.perplexities.keys()], [2, 16, all], "500 and full are one");
  assert.ok(all <= states.dModel);
});

test("distributions sum to one, are those that scores come from, and read no future", async () => {
  const own = new EmbeddingLogit(states, fitted.weights);
  const person = valid[3]!;
  for await (const score of own.score([person])) {
    for (const [index, occupation] of person.occupations.entries()) {
      const p = await own.distribution(person, index);
      assertClose([p.reduce((a, b) => a + b, 0)], [1], { what: "sum", rtol: 0, atol: 1e-12 });
      assertClose([Math.log(p[occupation]!)], [score.normalized[index]!], {
        what: `observation ${index}`,
        ...STATE,
      });
    }
  }
  for await (const score of own.score([{ ...person, askedFrom: 6 }])) {
    assert.deepEqual(Array.from(score.normalized, Number.isNaN), [
      ...Array.from({ length: 6 }, () => true),
      false,
      false,
    ]);
  }
});

test("a fit on embeddings has the same bits again", async () => {
  assert.deepEqual(await fitEmbeddingLogit(gpu, data, options), fitted);
});

test("a logit on embeddings is read back as it was written, and refuses another language model", async () => {
  const files = await collectFiles(embeddingFiles(fitted.weights));
  assert.deepEqual(await readEmbeddingLogit(files), fitted.weights);
  const wrong = files.with("config.json", (text) => text.replace('"dModel": 32', '"dModel": 31'));
  await assert.rejects(readEmbeddingLogit(wrong), /must have shape/);
  const other = { ...fitted.weights, dModel: 31 };
  assert.throws(() => new EmbeddingLogit(states, other), /must have states of 31, got 32/);
});
