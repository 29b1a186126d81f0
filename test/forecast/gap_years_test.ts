import assert from "node:assert/strict";
import { test } from "node:test";
import type { Career } from "../../data/career.ts";
import { NUM_OCCUPATIONS, occupationIndex, OCCUPATIONS } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { bridgeGaps, findGaps, gapCorrelation } from "../../model/forecast/gap_years.ts";
import { closedForm } from "../../model/occupation/occupation_model.ts";
import { after, careerOf, chainModel, CODES } from "./chain.ts";

const career = careerOf("a", [
  [2000, "cook"],
  [2001, "waiter"],
  [2003, "idle"],
  [2004, "cook"],
  [2007, "cook"],
  [2009, "student"],
]);

test("gaps are of two years exactly", () => {
  assert.deepEqual(
    findGaps([career]).map(({ index }) => index),
    [2, 5],
  );
});

test("in a Markov chain both ways across a gap are the same", async () => {
  const bridged = await bridgeGaps(chainModel(), findGaps([career]));
  const expected = [after(1, 2)[3]!, after(0, 2)[2]!].map(Math.log);
  for (const [which, { direct, twoStep, leftOut }] of bridged.entries()) {
    assert.ok(Math.abs(direct - expected[which]!) < 1e-12);
    assert.ok(Math.abs(twoStep - expected[which]!) < 1e-12);
    assert.equal(leftOut, 0);
  }
});

test("the year between is told with the education before the gap, and any occupation that can be", async () => {
  const between: string[] = [];
  await bridgeGaps(
    chainModel(({ observations }, index) => {
      const told = observations.slice(0, index).find(({ year }) => year === 2002);
      if (told !== undefined) between.push(`${told.education} ${told.occupation}`);
      const asked = observations[index]!;
      if (asked.year === 2002) assert.equal(asked.education, "high school");
    }),
    findGaps([career]).slice(0, 1),
  );
  assert.deepEqual(between.toSorted(), CODES.map((code) => `high school ${code}`).toSorted());
});

test("occupations that are left out are the least probable, and bound the rest", async () => {
  const gaps = findGaps([career]);
  const exact = await bridgeGaps(chainModel(), gaps);
  let numBounded = 0;
  for (const tolerance of [0.05, 0.15, 0.3, 0.9]) {
    for (const [which, { direct, twoStep, leftOut }] of (
      await bridgeGaps(chainModel(), gaps, { tolerance })
    ).entries()) {
      assert.ok(leftOut <= tolerance);
      assert.equal(direct, exact[which]!.direct);
      const least = (1 - leftOut) * Math.exp(twoStep);
      const truth = Math.exp(exact[which]!.twoStep);
      assert.ok(least <= truth + 1e-12 && truth <= least + leftOut + 1e-12);
      numBounded += +(leftOut > 0);
    }
  }
  assert.ok(numBounded >= 4);
  const [first] = await bridgeGaps(chainModel(), gaps, { tolerance: 0.35 });
  assert.ok(Math.abs(first!.leftOut - 0.2) < 1e-12); // of .2 .6 .1 .1, both of .1
  // Cook with .2 and waiter with .6 are kept, and either is idle a year later with .1.
  assert.ok(Math.abs(first!.twoStep - Math.log((0.2 * 0.1 + 0.6 * 0.1) / 0.8)) < 1e-12);
});

test("true probabilities of synthetic people agree nearly across gaps", async () => {
  const population = syntheticPopulation("survey");
  const toPerson = (one: Career) => ({
    career: one,
    occupations: one.observations.map(({ occupation }) => occupationIndex(occupation)),
  });
  const model = closedForm({
    name: "true process",
    numOccupations: NUM_OCCUPATIONS,
    distribution: ({ career: one }, index) => population.distributionAt(one, index),
  });
  const codes = OCCUPATIONS.map(({ code }) => code);
  const gaps = findGaps(population.generate(30, { seed: 2 })).slice(0, 40);
  assert.equal(gaps.length, 40);
  const bridged = await bridgeGaps({ model, toPerson, codes }, gaps);
  assert.ok(gapCorrelation(bridged) > 0.95, `${gapCorrelation(bridged)}`);
});

test("the correlation is Pearson's", () => {
  const of = (pairs: readonly (readonly [number, number])[]) =>
    gapCorrelation(pairs.map(([direct, twoStep]) => ({ direct, twoStep })));
  assert.ok(Math.abs(of([[1, 2], [2, 4], [3, 6]]) - 1) < 1e-12); // prettier-ignore
  assert.ok(Math.abs(of([[1, 3], [2, 1], [3, 2]]) + 0.5) < 1e-12); // prettier-ignore
  assert.ok(Number.isNaN(of([[1, 2]])));
});

test("a tolerance of everything is refused", async () => {
  await assert.rejects(bridgeGaps(chainModel(), [], { tolerance: 1 }), {
    name: "RangeError",
    message: /tolerance must be at least 0 and below 1, got 1/,
  });
});
