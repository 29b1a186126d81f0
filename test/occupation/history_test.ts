import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Career } from "../../data/career.ts";
import {
  historyPieces,
  NUM_OCCUPATIONS,
  occupationIndex,
  syntheticPopulation,
} from "../../data/mod.ts";
import { backOff } from "../../model/occupation/empirical.ts";
import { withPieces } from "../../model/occupation/history.ts";
import { LanguageModel } from "../../model/occupation/language_model.ts";
import {
  closedForm,
  distributionsOf,
  type OccupationModel,
  type Person,
  type Score,
} from "../../model/occupation/occupation_model.ts";
import { assertClose, openGpu } from "../support.ts";
import { makePerson, opinionated, TITLES, TOLERANCE } from "./opinionated.ts";

const population = syntheticPopulation("survey");
const toPerson = (career: Career): Person => ({
  career,
  occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
});
const people = population.generate(60, { seed: 5 }).map(toPerson);
const truth = closedForm({
  name: "true process",
  numOccupations: NUM_OCCUPATIONS,
  distribution: ({ career }, index) => population.distributionAt(career, index),
});
const told = (model: OccupationModel, rows: number): OccupationModel =>
  withPieces(model, { cut: (career) => historyPieces(career, rows), toPerson });

async function scoresOf(model: OccupationModel, of: readonly Person[] = people): Promise<Score[]> {
  const scores: Score[] = [];
  for await (const score of model.score(of)) scores.push(score);
  return scores;
}

test("a history as long as any career changes nothing", async () => {
  assert.deepEqual(await scoresOf(told(truth, 40)), await scoresOf(truth));
});

test("one year of history is all that a first-order model reads", async () => {
  const model = backOff(people, NUM_OCCUPATIONS);
  assert.deepEqual(await scoresOf(told(model, 1)), await scoresOf(model));
});

for (const rows of [1, 3]) {
  test(`each observation is scored as if the latest ${rows} years were the whole career`, async () => {
    const scores = await scoresOf(told(truth, rows));
    let numChanged = 0;
    for (const [which, { career, occupations }] of people.entries()) {
      for (const index of occupations.keys()) {
        const observations = career.observations.slice(Math.max(0, index - rows), index + 1);
        const last = observations.length - 1;
        const distribution = population.distributionAt({ ...career, observations }, last);
        const { normalized, raw, stay, rank } = scores[which]!;
        const own = distribution[occupations[index]!]!;
        assert.equal(normalized[index], Math.log(own));
        assert.equal(raw[index], normalized[index]);
        assert.equal(stay[index], index === 0 ? NaN : distribution[occupations[index - 1]!]!);
        assert.equal(rank[index], distribution.filter((p) => p > own).length);
        const whole = population.distributionAt(career, index);
        numChanged += +(whole[occupations[index]!] !== own);
      }
    }
    assert.ok(numChanged > 100, `a shorter history must matter, got ${numChanged}`);
  });
}

test("distributions of shortened careers agree, one by one and at once", async () => {
  const model = told(truth, 2);
  const questions = people
    .slice(0, 5)
    .flatMap((person) => person.occupations.map((_, index) => ({ person, index })));
  const together = await distributionsOf(model, questions);
  for (const [which, { person, index }] of questions.entries()) {
    const { career } = person;
    const observations = career.observations.slice(Math.max(0, index - 2), index + 1);
    const cut = { ...career, observations };
    const expected = population.distributionAt(cut, observations.length - 1);
    assert.deepEqual(together[which], expected);
    assert.deepEqual(await model.distribution(person, index), expected);
  }
});

test("what is not asked is not computed, whichever way models are wrapped", async () => {
  const expected = await scoresOf(told(truth, 2));
  let numAsked = 0;
  const counted = closedForm({
    ...truth,
    distribution: ({ career }, index) => {
      numAsked += 1;
      return population.distributionAt(career, index);
    },
  });
  const asked = people.map((person) => ({ ...person, askedFrom: person.occupations.length - 1 }));
  const scores = await scoresOf(told(told(counted, 2), 5), asked);
  assert.equal(numAsked, people.length);
  for (const [which, { normalized }] of scores.entries()) {
    assert.ok(normalized.subarray(0, -1).every(Number.isNaN));
    assert.equal(normalized.at(-1), expected[which]!.normalized.at(-1));
  }
});

test("a language model reads the text of each stretch", async () => {
  const gpu = await openGpu();
  after(() => gpu.destroy());
  const language = new LanguageModel(gpu, await opinionated(gpu), { titles: TITLES, tolerance: 0 });
  const base = makePerson("a", 6);
  // The text of a stretch begins at its own first year; occupations stand in for years.
  const textOf = (occupations: readonly number[]): Person => {
    const tokens = [30, 31, 32];
    const titles = occupations.map((occupation) => {
      tokens.push(33, 36);
      const start = tokens.length;
      tokens.push(...TITLES[occupation]!, 37);
      return { start, end: tokens.length - 1, occupation };
    });
    const observations = occupations.map((occupation, index) => ({
      year: 2000 + index,
      education: "college" as const,
      occupation: String(occupation),
    }));
    const resume = { id: "a", tokens: Uint32Array.from(tokens), titles };
    return { career: { ...base.career, observations }, occupations, resume };
  };
  const ownPerson = ({ observations }: Career) =>
    textOf(observations.map(({ occupation }) => Number(occupation)));
  const whole = textOf(base.occupations);
  const cut = (career: Career) => historyPieces(career, 2);
  const short = withPieces(language, { cut, toPerson: ownPerson });
  const [score] = await scoresOf(short, [whole]);
  for (const index of base.occupations.keys()) {
    const piece = textOf(base.occupations.slice(Math.max(0, index - 2), index + 1));
    const distribution = await language.distribution(piece, piece.occupations.length - 1);
    const expected = Math.log(distribution[base.occupations[index]!]!);
    assertClose([score!.normalized[index]!], [expected], { what: "normalized", ...TOLERANCE });
  }
  language.destroy();
});
