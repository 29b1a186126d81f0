import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch, EncodedResume } from "../../data/batch.ts";
import { Random } from "../../data/random.ts";
import { LanguageModel, type LanguageModelScore } from "../../model/occupation/language_model.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { DEFAULT_CONFIG } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { assertClose, openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const VOCAB_SIZE = 40;
const MAX_SEQ_LEN = 128;
/** Sums of a handful of f32 log-probabilities, each near −5 with an error of some ulps. */
const TOLERANCE = { rtol: 1e-6, atol: 3e-5 };

const random = Random.from(3, "language model test");
const model = Transformer.create(
  gpu,
  {
    ...DEFAULT_CONFIG,
    vocabSize: VOCAB_SIZE,
    dModel: 32,
    dHidden: 48,
    numBlocks: 2,
    numHeads: 4,
    numKvHeads: 2,
    headDim: 8,
    maxSeqLen: MAX_SEQ_LEN,
  },
  { seed: 5 },
);
// Fresh weights predict almost uniformly; larger ones have opinions, so that pruning has a point.
for (const parameter of model.parameters) {
  if (parameter.shape.length > 1) {
    gpu.write(
      parameter,
      (await gpu.read(parameter)).map((weight) => weight * 12),
    );
  }
}

/** Titles of 1 to 4 tokens; the second begins the third, as "Physicians" does its assistants. */
const TITLES = [
  [1], [2, 3], [2, 3, 4], [2, 5], [6, 7, 8, 9], [6, 7, 10], [11], [12, 1], [12, 13, 2], [14],
  [15, 16], [15, 17, 18], [15, 17, 19], [20, 21], [22, 23, 24], [25],
].map((tokens) => Uint32Array.from(tokens)); // prettier-ignore

function makePerson(id: string, numObservations: number): Person {
  const tokens = [30, 31, 32];
  const occupations = Array.from({ length: numObservations }, () => random.below(TITLES.length));
  const titles = occupations.map((occupation, index) => {
    tokens.push(33 + (index % 3), 36);
    const start = tokens.length;
    tokens.push(...TITLES[occupation]!, 37);
    const previous = index > 0 ? { previous: occupations[index - 1]! } : {};
    return { start, end: tokens.length - 1, occupation, ...previous };
  });
  const resume: EncodedResume = { id, tokens: Uint32Array.from(tokens), titles };
  const career = { id, gender: "female", ethnicity: "white", observations: [] };
  return { career, occupations, resume };
}

/** Log-probability of each title after a prompt, each title in a forward pass of its own. */
async function oneByOne(
  { resume }: Person,
  observation: number,
  of: Transformer = model,
): Promise<Float64Array> {
  const step = await new LossStep(gpu, of, { numRows: 1, seqLen: MAX_SEQ_LEN }).compile();
  const { start } = resume!.titles[observation]!;
  const sums = new Float64Array(TITLES.length);
  for (const [which, title] of TITLES.entries()) {
    const tokens = new Uint32Array(MAX_SEQ_LEN);
    tokens.set(resume!.tokens.subarray(0, start));
    tokens.set(title, start);
    const targets = new Uint32Array(MAX_SEQ_LEN).fill(0xffff_ffff);
    targets.set(title, start - 1);
    const batch: Batch = {
      label: "one title",
      numRows: 1,
      seqLen: MAX_SEQ_LEN,
      tokens,
      targets,
      weights: new Float32Array(MAX_SEQ_LEN),
      positions: Uint32Array.from(tokens, (_, i) => i),
      starts: new Uint32Array(MAX_SEQ_LEN),
      ends: new Uint32Array(MAX_SEQ_LEN).fill(MAX_SEQ_LEN),
    };
    sums[which] = (await step.logProbabilities(batch)).reduce((sum, value) => sum + value, 0);
  }
  step.destroy();
  return sums;
}

const people = [makePerson("a", 5), makePerson("b", 1), makePerson("c", 12)];

async function scoresOf(tolerance: number) {
  const language = new LanguageModel(gpu, model, { titles: TITLES, tolerance });
  const scores = [];
  for await (const score of language.score(people)) scores.push(score);
  language.destroy();
  return scores;
}

const exact = await scoresOf(0);

/** The same weights, but no token sees further than the two titles before it. */
const shortSighted = new Transformer(
  gpu,
  { ...model.config, slidingWindow: 7 },
  { tensors: model.tensors, parameters: model.parameters },
);

for (const [what, of] of [
  ["a model", model],
  ["a model with a sliding window", shortSighted],
] as const) {
  test(`all titles in one pass of ${what} have the probabilities of each title on its own`, () =>
    checkDistributions(of));
}

async function checkDistributions(of: Transformer): Promise<void> {
  const language = new LanguageModel(gpu, of, { titles: TITLES });
  for (const [person, observation] of [
    [people[0]!, 0],
    [people[0]!, 4],
    [people[2]!, 7],
  ] as const) {
    const expected = await oneByOne(person, observation, of);
    const total = expected.reduce((sum, value) => sum + Math.exp(value), 0);
    const distribution = await language.distribution(person, observation);
    assertClose(
      distribution.map(Math.log),
      expected.map((value) => value - Math.log(total)),
      {
        what: "log-probability",
        ...TOLERANCE,
      },
    );
  }
  language.destroy();
}

test("scores of all years at once are those of each title on its own", async () => {
  for (const [which, person] of people.entries()) {
    for (const observation of [0, person.occupations.length - 1]) {
      const expected = await oneByOne(person, observation);
      const occupation = person.occupations[observation]!;
      const total = expected.reduce((sum, value) => sum + Math.exp(value), 0);
      const { raw, normalized, unexplored } = exact[which]!;
      const actual = [raw[observation]!, normalized[observation]!];
      const wanted = [expected[occupation]!, expected[occupation]! - Math.log(total)];
      assertClose(actual, wanted, { what: `score of ${person.career.id}`, ...TOLERANCE });
      assert.equal(unexplored[observation], 0);
    }
  }
});

for (const tolerance of [0.001, 0.05, 0.4]) {
  test(`pruning at ${tolerance} leaves out no more than it certifies`, async () => {
    const pruned = await scoresOf(tolerance);
    let numPruned = 0;
    pruned.forEach(({ raw, normalized, unexplored }, which) => {
      raw.forEach((value, observation) => {
        const left = unexplored[observation]!;
        assert.ok(left <= tolerance, `${left} must not exceed ${tolerance}`);
        numPruned += +(left > 0);
        // The true occupation is always explored.
        const reference = exact[which]!;
        assertClose([value], [reference.raw[observation]!], { what: "raw", ...TOLERANCE });
        // The normalizer lies between the known mass and the known mass with what was left out.
        const normalizer = Math.exp(value - normalized[observation]!);
        const shortfall = reference.normalized[observation]! - normalized[observation]!;
        assert.ok(shortfall >= -1e-4, `pruned score must not exceed the exact one: ${shortfall}`);
        const bound = Math.log(normalizer / (normalizer - left));
        assert.ok(shortfall <= bound + 1e-4, `${shortfall} must stay within ${bound}`);
      });
    });
    if (tolerance > 0.01) assert.ok(numPruned > 0, "something must have been pruned");
  });
}

test("a person whose trees exceed a pass is split without a difference", async () => {
  // 40 observations of 150 inner nodes each are 6,000 tokens; a pass holds 2,048.
  const titles = Array.from({ length: 150 }, (_, i) =>
    Uint32Array.of(i % 10, 10 + Math.floor(i / 10), 39, 38),
  );
  const person = makePerson("long", 20);
  const language = new LanguageModel(gpu, model, { titles, tolerance: 0 });
  let score: LanguageModelScore | undefined;
  for await (const one of language.score([person])) score = one;
  for (const observation of [0, 19]) {
    const distribution = await language.distribution(person, observation);
    const occupation = person.occupations[observation]!;
    assertClose([score!.normalized[observation]!], [Math.log(distribution[occupation]!)], {
      what: "normalized",
      ...TOLERANCE,
    });
  }
  language.destroy();
});

test("a resume longer than the model can read is refused with the remedy", async () => {
  const language = new LanguageModel(gpu, model, { titles: TITLES });
  await assert.rejects(
    async () => {
      for await (const _ of language.score([makePerson("longest", 40)])) assert.fail();
    },
    { name: "RangeError", message: /career "longest".*fit the model's 128 tokens.*fewer rows/ },
  );
  language.destroy();
});
