import assert from "node:assert/strict";
import { test } from "node:test";
import { covariateRows, mergeCovariates, rowOf } from "../../model/career/covariates.ts";
import { packPeople, packRows, PersonYearBatches } from "../../model/career/pack.ts";
import { personYears } from "../../model/career/person_years.ts";
import { encodeAll, peopleOf, TINY_CAREER, vocabularyOf } from "./career_support.ts";

const PEOPLE = peopleOf([5, 1, 3, 7, 2]);
const VOCABULARY = vocabularyOf(PEOPLE);

/** People of many lengths, told apart by their ids. */
const MANY = peopleOf(Array.from({ length: 60 }, (_, i) => 1 + ((i * 7) % 11)));
const ENCODED = encodeAll(MANY, vocabularyOf(MANY));
const SIZES = { numRows: 3, seqLen: 12, seed: 5 };

test("covariates are the values of the people learned from, in order", () => {
  const values = Object.fromEntries(VOCABULARY.map(({ name, values: known }) => [name, known]));
  assert.deepEqual(values["gender"], ["female", "male"]);
  assert.deepEqual(values["ethnicity"], ["black", "hispanic", "white"]);
  assert.deepEqual(values["region"], ["south", "west"]);
  assert.deepEqual(values["education"], ["college", "high school", "some college"]);
  assert.deepEqual(values["birthYear"], [1960, 1961, 1962, 1963]);
  const years = new Set(PEOPLE.flatMap(({ career }) => career.observations.map((o) => o.year)));
  assert.deepEqual(
    values["year"],
    [...years].toSorted((a, b) => a - b),
  );
  const without = vocabularyOf(PEOPLE, { ...TINY_CAREER, birthYear: false });
  assert.deepEqual(
    without.map(({ name }) => name),
    ["year", "education", "gender", "ethnicity", "region"],
  );
});

test("a year that nobody was seen in has the row of the nearest, text that nobody had the unknown's", () => {
  const year = { name: "year", values: [1990, 1994, 2000] } as const;
  const rows = [1900, 1990, 1991, 1992, 1993, 1997, 1998, 2030].map((value) => rowOf(year, value));
  assert.deepEqual(rows, [0, 0, 0, 0, 1, 1, 2, 2]);
  const region = { name: "region", values: ["south", "west"] } as const;
  assert.deepEqual(
    ["west", "south", "moon", undefined].map((value) => rowOf(region, value)),
    [1, 0, 2, 2],
  );
  assert.deepEqual([...covariateRows(PEOPLE[3]!.career, region)], Array(7).fill(2));
  assert.deepEqual(
    [...covariateRows(PEOPLE[0]!.career, year)],
    [0, 0, 1, 1, 2],
    "1990, 1992, 1994, 1996, 1998",
  );
});

test("merged covariates know what either knows", () => {
  const others = vocabularyOf(peopleOf([2, 16], 2));
  const merged = mergeCovariates(VOCABULARY, others);
  merged.forEach(({ name, values }, which) => {
    assert.equal(name, VOCABULARY[which]!.name);
    const either = [...VOCABULARY[which]!.values, ...others[which]!.values];
    assert.deepEqual(new Set(values), new Set(either));
    assert.ok(values.every((value, i) => i === 0 || values[i - 1]! < value));
  });
});

test("a person's years are read with what was before, and the first with nothing before", () => {
  const person = PEOPLE[0]!;
  const { previous, targets } = personYears(person, VOCABULARY, TINY_CAREER);
  assert.deepEqual([...targets], person.occupations);
  assert.deepEqual([...previous], [7, ...person.occupations.slice(0, -1)]);
});

test("careers that are too long, empty, or of unknown occupations are refused by name", () => {
  const read = (length: number, occupation?: number) => {
    const [person] = peopleOf([length]);
    const occupations = occupation === undefined ? person!.occupations : [occupation];
    return () => personYears({ ...person!, occupations }, VOCABULARY, TINY_CAREER);
  };
  assert.throws(read(17), {
    name: "RangeError",
    message:
      'Cannot read career "person 0": it must have at most 16 years; build the model with a larger maxSeqLen, got 17',
  });
  assert.throws(read(1, 7), {
    name: "RangeError",
    message: 'Cannot read career "person 0": occupations must be integers in [0, 7), got 7',
  });
  assert.throws(read(2, 3), {
    name: "RangeError",
    message: 'Cannot read career "person 0": it must have an occupation for each of 2 years, got 1',
  });
});

test("every epoch has every person-year once, alone with those of the same person", () => {
  const batches = new PersonYearBatches(ENCODED, SIZES);
  for (const epoch of [0, 1]) {
    const seen = new Map<string, number>();
    for (let index = 0; index < batches.numBatches(epoch); index++) {
      const { targets, weights, positions, starts, ends, previous } = batches.batch(epoch, index);
      for (let i = 0; i < targets.length; i++) {
        const t = i % SIZES.seqLen;
        assert.ok(starts[i]! <= t && t < ends[i]!);
        if (weights[i] === 0) {
          assert.deepEqual([targets[i], previous[i], ends[i]! - starts[i]!], [0xffff_ffff, 7, 1]);
          continue;
        }
        assert.equal(positions[i], t - starts[i]!);
        if (t > starts[i]!) assert.equal(previous[i], targets[i - 1]);
        else assert.equal(previous[i], 7);
        if (t > starts[i]!) continue;
        const career = targets.subarray(i, i + ends[i]! - t).join();
        seen.set(career, (seen.get(career) ?? 0) + 1);
      }
    }
    const expected = new Map<string, number>();
    for (const { targets } of ENCODED) {
      expected.set(targets.join(), (expected.get(targets.join()) ?? 0) + 1);
    }
    assert.deepEqual(seen, expected);
  }
});

test("any batch of any epoch is the same again, other seeds and epochs differ, and a stream goes on anywhere", () => {
  const batches = new PersonYearBatches(ENCODED, SIZES);
  const batch = batches.batch(1, 2);
  batches.batch(4, 0);
  assert.deepEqual(batches.batch(1, 2), batch);
  assert.notDeepEqual(batches.batch(0, 2).targets, batch.targets);
  const others = new PersonYearBatches(ENCODED, { ...SIZES, seed: 6 });
  assert.notDeepEqual(others.batch(1, 2).targets, batch.targets);
  const stream = batches.from(0);
  const labels = Array.from({ length: 30 }, () => stream.next().value.label);
  assert.equal(labels[batches.numBatches(0)], "epoch 1, batch 0");
  assert.equal(batches.from(17).next().value.label, labels[17]);
  assert.throws(() => batches.batch(0, 99), { name: "RangeError" });
  assert.throws(() => new PersonYearBatches([], SIZES), {
    name: "RangeError",
    message: "Cannot pack careers: there must be at least one, got none",
  });
});

test("rows are filled well, and one that cannot hold a career says so", () => {
  const lengths = ENCODED.map(({ targets }) => targets.length);
  const rows = packRows(lengths, lengths.keys(), 12);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  assert.ok(total / (12 * rows.length) > 0.85, `filled ${total / (12 * rows.length)}`);
  assert.throws(() => packRows([13], [0], 12), {
    name: "RangeError",
    message: "Cannot pack careers: rows of 12 must hold the longest, got one of 13 years",
  });
  const places = [...packPeople(ENCODED, SIZES)].flatMap((packed) => packed.places);
  assert.deepEqual(
    places.map(({ person }) => person).toSorted((a, b) => a - b),
    [...ENCODED.keys()],
  );
});
