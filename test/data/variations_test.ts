import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Career,
  historyPieces,
  shuffleFields,
  type ShuffledField,
  syntheticPopulation,
} from "../../data/mod.ts";

const people = syntheticPopulation("survey")
  .generate(200, { seed: 4 })
  .map((career, index): Career => {
    const { region, ...rest } = career;
    return index % 7 === 0 || region === undefined ? rest : { ...rest, region };
  });
const FIELDS = ["gender", "ethnicity", "region"] as const;

const sorted = (careers: readonly Career[], fields: readonly ShuffledField[]) =>
  careers.map((career) => fields.map((field) => career[field] ?? "none").join()).toSorted();

for (const fields of [["gender"], ["region"], ["ethnicity", "region"], FIELDS] as const) {
  test(`shuffling ${fields.join(", ")} keeps how often each value occurs, and all else`, () => {
    const shuffled = shuffleFields(people, { fields, seed: 1 });
    assert.deepEqual(sorted(shuffled, fields), sorted(people, fields));
    const others = FIELDS.filter((field) => !(fields as readonly string[]).includes(field));
    let numChanged = 0;
    for (const [index, career] of shuffled.entries()) {
      const before = people[index]!;
      assert.equal(career.id, before.id);
      assert.equal(career.birthYear, before.birthYear);
      assert.equal(career.observations, before.observations);
      for (const field of others) assert.equal(career[field], before[field]);
      numChanged += +fields.some((field) => career[field] !== before[field]);
    }
    assert.ok(numChanged > 40, `${numChanged} people changed`);
    assert.ok(shuffled.every((career) => !("region" in career) || career.region !== undefined));
  });
}

test("a seed draws the same permutation again, another seed another one", () => {
  const draw = (seed: number) => shuffleFields(people, { fields: ["ethnicity"], seed });
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  const reversed = shuffleFields(people, { fields: ["region", "gender"], seed: 1 });
  assert.deepEqual(shuffleFields(people, { fields: ["gender", "region"], seed: 1 }), reversed);
});

test("to shuffle nothing is refused", () => {
  assert.throws(() => shuffleFields(people, { fields: [], seed: 1 }), {
    name: "RangeError",
    message: /at least one field/,
  });
});

test("pieces of a history ask about every observation once, each after its latest years", () => {
  fc.assert(
    fc.property(fc.nat(people.length - 1), fc.integer({ min: 1, max: 30 }), (which, rows) => {
      const career = people[which]!;
      const asked = historyPieces(career, rows).flatMap((piece) => {
        const { observations, ...header } = piece.career;
        const { observations: all, ...person } = career;
        assert.deepEqual(header, person);
        return observations.slice(piece.askedFrom).map((observation, i) => {
          const index = piece.begin + piece.askedFrom + i;
          assert.equal(observation, all[index]);
          const told = observations.slice(0, piece.askedFrom + i);
          assert.deepEqual(told, all.slice(Math.max(0, index - rows), index));
          return index;
        });
      });
      assert.deepEqual(asked, [...career.observations.keys()]);
    }),
  );
});

test("a history of no years, or of half of one, is refused", () => {
  for (const rows of [0, -1, 1.5, NaN]) {
    assert.throws(() => historyPieces(people[0]!, rows), {
      name: "RangeError",
      message: /rows must be an integer of at least 1/,
    });
  }
});
