import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CareerOccupationModel } from "../../model/career/occupation_model.ts";
import { packPeople } from "../../model/career/pack.ts";
import { scoreOf } from "../../model/occupation/occupation_model.ts";
import { careerReference } from "../reference/career.ts";
import { assertClose, openGpu } from "../support.ts";
import { encodeAll, peopleOf, tinyCareer, vocabularyOf } from "./career_support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Some 60 roundings of f32 between a weight and a probability.
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

const PEOPLE = peopleOf([5, 1, 3, 16, 2, 9, 4]);
const VOCABULARY = vocabularyOf(PEOPLE);
const MODEL = tinyCareer(gpu, VOCABULARY);

test("scores are those of float64, in the order of the people, however these are packed", async () => {
  const weights: Record<string, Float64Array> = {};
  for (const parameter of MODEL.parameters) {
    weights[parameter.label] = Float64Array.from(await gpu.read(parameter));
  }
  for (const batchSize of [32, 1024]) {
    const asked = new CareerOccupationModel(gpu, MODEL, { batchSize });
    let index = 0;
    for await (const score of asked.score(PEOPLE)) {
      const encoded = encodeAll([PEOPLE[index]!], VOCABULARY);
      const { length } = PEOPLE[index]!.occupations;
      const [packed] = packPeople(encoded, { numRows: 1, seqLen: length });
      const expected = careerReference(MODEL, weights, { batch: packed!.batch });
      assertClose(score.normalized, expected.logProbabilities, { what: "log P", ...TOLERANCE });
      assert.ok(Number.isNaN(score.stay[0]!));
      assertClose(score.stay.slice(1), expected.stay.slice(1), { what: "P(stay)", ...TOLERANCE });
      assert.deepEqual(Array.from(score.rank), Array.from(expected.rank));
      index++;
    }
    assert.equal(index, PEOPLE.length);
    await asked.destroy();
  }
});

test("distributions sum to one and are what scores are of", async () => {
  const asked = new CareerOccupationModel(gpu, MODEL);
  const questions = PEOPLE.flatMap((person) =>
    person.occupations.map((_, index) => ({ person, index })),
  );
  const answers = await asked.distributions(questions);
  let at = 0;
  for await (const score of asked.score(PEOPLE)) {
    const { occupations } = questions[at]!.person;
    const { normalized, stay } = scoreOf(occupations, (index) => answers[at + index]!);
    assertClose(score.normalized, normalized, { what: "log P", ...TOLERANCE });
    assertClose(score.stay.slice(1), stay.slice(1), { what: "P(stay)", ...TOLERANCE });
    at += occupations.length;
  }
  for (const answer of answers) {
    const sum = answer.reduce((a, b) => a + b, 0);
    assertClose([sum], [1], { what: "sum", rtol: 0, atol: 1e-5 });
  }
  await asked.destroy();
});

test("a distribution reads neither the occupation asked about nor what follows", async () => {
  const asked = new CareerOccupationModel(gpu, MODEL);
  const person = PEOPLE[0]!;
  const occupations = person.occupations.map((occupation, i) => (i < 2 ? occupation : 6));
  const observations = person.career.observations.slice(0, 3);
  const other = {
    career: { ...person.career, observations },
    occupations: occupations.slice(0, 3),
  };
  assert.deepEqual(await asked.distribution(person, 2), await asked.distribution(other, 2));
  await assert.rejects(asked.distribution(person, 5), {
    name: "RangeError",
    message:
      'Cannot predict career "person 0": the observation must be an integer in [0, 5), got 5',
  });
  await asked.destroy();
});
