import assert from "node:assert/strict";
import { after, test } from "node:test";
import { LanguageModel, type LanguageModelScore } from "../../model/occupation/language_model.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { assertClose, openGpu } from "../support.ts";
import {
  makePerson,
  oneByOne,
  opinionated,
  shortSightedOf,
  TITLES,
  TOLERANCE,
} from "./opinionated.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const model = await opinionated(gpu);
const shortSighted = shortSightedOf(gpu, model);

const people = [makePerson("a", 5), makePerson("b", 1), makePerson("c", 12)];

async function scoresOf(tolerance: number) {
  const language = new LanguageModel(gpu, model, { titles: TITLES, tolerance });
  const scores = [];
  for await (const score of language.score(people)) scores.push(score);
  language.destroy();
  return scores;
}

const exact = await scoresOf(0);

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
    const expected = await oneByOne(gpu, of, { person, observation });
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
      const expected = await oneByOne(gpu, model, { person, observation });
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

test("staying and rank agree with the distributions", async () => {
  const language = new LanguageModel(gpu, model, { titles: TITLES });
  let [numStays, numRanks] = [0, 0];
  for (const [which, person] of people.entries()) {
    const { stay, rank } = exact[which]!;
    assert.ok(Number.isNaN(stay[0]));
    for (const [index, occupation] of person.occupations.entries()) {
      const distribution = await language.distribution(person, index);
      const better = distribution.filter((p) => p > distribution[occupation]!).length;
      assert.equal(rank[index], better);
      numRanks += +(better > 0);
      if (index === 0) continue;
      const before = distribution[person.occupations[index - 1]!]!;
      assertClose([Math.log(stay[index]!)], [Math.log(before)], { what: "stay", ...TOLERANCE });
      numStays += 1;
    }
  }
  assert.ok(numStays > 10 && numRanks > 5);
  language.destroy();
});

for (const tolerance of [0.05, 0.4]) {
  test(`pruning at ${tolerance} never raises staying, and lowers it by the unexplored mass at most`, async () => {
    let numLower = 0;
    for (const [which, { raw, normalized, stay, unexplored }] of (
      await scoresOf(tolerance)
    ).entries()) {
      for (let index = 1; index < stay.length; index++) {
        const whole = exact[which]!.stay[index]!;
        const share = unexplored[index]! / Math.exp(raw[index]! - normalized[index]!);
        assert.ok(share <= tolerance + 1e-6, `${share} of the titles' mass is left`);
        assert.ok(stay[index]! <= whole * (1 + 1e-4));
        assert.ok(stay[index]! >= whole * (1 - share) * (1 - 1e-4));
        numLower += +(stay[index]! < whole * 0.999);
      }
    }
    assert.ok(numLower > 0, "something must have been pruned");
  });
}

test("a model is asked about what it is asked about, and no more", async () => {
  const language = new LanguageModel(gpu, model, { titles: TITLES, tolerance: 0 });
  const asked = people.map((person) => ({ ...person, askedFrom: person.occupations.length - 1 }));
  let which = 0;
  for await (const { raw, stay, rank } of language.score(asked)) {
    const whole = exact[which++]!;
    const last = raw.length - 1;
    assert.ok(raw.subarray(0, last).every(Number.isNaN));
    assertClose([raw[last]!], [whole.raw[last]!], { what: "raw", ...TOLERANCE });
    assert.equal(rank[last], whole.rank[last]);
    if (last > 0) assertClose([stay[last]!], [whole.stay[last]!], { what: "stay", ...TOLERANCE });
  }
  assert.equal(which, people.length);
  language.destroy();
});

for (const tolerance of [0, 0.2]) {
  test(`many distributions at once are within ${tolerance} of each on its own`, async () => {
    const language = new LanguageModel(gpu, model, { titles: TITLES, tolerance });
    const questions = people.flatMap((person) =>
      person.occupations.map((_, index) => ({ person, index })),
    );
    const together = await language.distributions(questions.toReversed());
    let largest = 0;
    for (const [which, { person, index }] of questions.entries()) {
      const alone = await language.distribution(person, index);
      const one = together.toReversed()[which]!;
      const distance = alone.reduce((sum, p, i) => sum + Math.abs(p - one[i]!), 0) / 2;
      assert.ok(Math.abs(one.reduce((sum, p) => sum + p, 0) - 1) < 1e-12);
      assert.ok(distance <= tolerance + 1e-5, `${distance} apart`);
      assert.ok(
        one.every((p) => p > 0),
        "titles that were not followed have their share",
      );
      largest = Math.max(largest, distance);
    }
    if (tolerance > 0) assert.ok(largest > 1e-3, "something must have been pruned");
    language.destroy();
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
