import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitCareers } from "../../data/mod.ts";
import { careerOf } from "./arbitrary_career.ts";

const people = (n: number) => Array.from({ length: n }, (_, i) => careerOf(`p${i}`, "435"));

test("splitCareers() gives the counts of the paper's surveys", () => {
  const counts = (n: number) => {
    const { train, valid, test: judged } = splitCareers(people(n), { seed: 1 });
    return [train.length, valid.length, judged.length];
  };
  assert.deepEqual(counts(8984), [6288, 898, 1798]);
  assert.deepEqual(counts(12_479), [8735, 1247, 2497]);
  assert.deepEqual(counts(31_056), [21_739, 3105, 6212]);
  assert.deepEqual(counts(100), [70, 10, 20]);
  assert.deepEqual(counts(0), [0, 0, 0]);
});

test("splitCareers() puts everyone in one part, whatever the order of the file", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 60 }), fc.integer(), (ids, seed) => {
      const careers = ids.map((id) => careerOf(id, "435"));
      const split = splitCareers(careers, { seed });
      const all = [...split.train, ...split.valid, ...split.test].map(({ id }) => id);
      assert.deepEqual(all.toSorted(), ids.toSorted());
      assert.deepEqual(splitCareers(careers.toReversed(), { seed }), split);
    }),
  );
});

test("splitCareers() with another seed is another split, near half of it the same", () => {
  const careers = people(2000);
  const fractions = { train: 0.5, valid: 0.25, test: 0.25 };
  const first = new Set(splitCareers(careers, { seed: 1, fractions }).train);
  const second = splitCareers(careers, { seed: 2, fractions }).train;
  const common = second.filter((career) => first.has(career)).length;
  assert.ok(Math.abs(common - 500) < 80, String(common)); // 5 sd of the hypergeometric
});

test("splitCareers() refuses repeated ids and fractions that are not shares", () => {
  const twice = [careerOf("a", "435"), careerOf("b", "435"), careerOf("a", "22")];
  assert.throws(() => splitCareers(twice, { seed: 1 }), /every id must occur once, got "a" twice/);
  for (const fractions of [
    { train: 0.7, valid: 0.1, test: 0.1 },
    { train: 1.2, valid: -0.1, test: -0.1 },
    { train: Number.NaN, valid: 0, test: 1 },
  ]) {
    assert.throws(() => splitCareers(people(3), { seed: 1, fractions }), RangeError);
  }
  assert.throws(() => splitCareers(people(3), { seed: 1.5 }), RangeError);
});
