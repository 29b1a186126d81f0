import assert from "node:assert/strict";
import { test } from "node:test";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import { POPULATION_NAMES, syntheticPopulation } from "../../data/synthetic/mod.ts";
import { pairedDifference } from "../../model/occupation/bootstrap.ts";
import { backOff, transitionFrequencies, unigram } from "../../model/occupation/empirical.ts";
import { evaluate, perplexity } from "../../model/occupation/metrics.ts";
import { closedForm, type Person } from "../../model/occupation/occupation_model.ts";
import { perplexityTable } from "../../model/occupation/table.ts";

for (const name of POPULATION_NAMES) {
  test(`${name}: the true process beats every first-order model by far more than 8%`, async (t) => {
    const population = syntheticPopulation(name);
    const people = population.generate(1300, { seed: 7 }).map((career): Person => ({
      career,
      occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
    }));
    const train = people.slice(0, 1000);
    const held = people.slice(1000);
    const truth = closedForm({
      name: "true process",
      numOccupations: NUM_OCCUPATIONS,
      distribution: ({ career }, index) => population.distributionAt(career, index),
    });
    const evaluations = await Promise.all(
      [
        truth,
        backOff(train, NUM_OCCUPATIONS, { lower: "continuations" }),
        backOff(train, NUM_OCCUPATIONS),
        transitionFrequencies(train, NUM_OCCUPATIONS),
        unigram(train, NUM_OCCUPATIONS),
      ].map((model) => evaluate(model, held)),
    );
    for (const line of perplexityTable(evaluations).split("\n")) t.diagnostic(line);
    const [best, ...others] = evaluations;
    for (const other of others) {
      assert.ok(perplexity(best!) < 0.8 * perplexity(other), other.name);
      const { difference, standardError } = pairedDifference(other, best!);
      assert.ok(difference > 4 * standardError, `${other.name}: ${difference} ± ${standardError}`);
    }
    const surprise = held.reduce(
      (sum, { career }) => sum - population.logProbabilities(career).reduce((a, b) => a + b),
      0,
    );
    const count = held.reduce((sum, { occupations }) => sum + occupations.length, 0);
    assert.ok(Math.abs(perplexity(best!) - Math.exp(surprise / count)) < 1e-9);
  });
}
