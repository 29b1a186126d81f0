import assert from "node:assert/strict";
import { test } from "node:test";
import { measureExtra } from "../../cli/study/extra.ts";
import { countedPerson } from "../../cli/study/families/empirical.ts";
import type { OpenedModel, OpenTask } from "../../cli/study/family.ts";
import type { ExtraStep } from "../../cli/study/plan.ts";
import { NUM_OCCUPATIONS, STATUSES, syntheticPopulation } from "../../data/mod.ts";
import { backOff } from "../../model/occupation/empirical.ts";
import { silentProgress } from "../cli/run_support.ts";

const population = syntheticPopulation("survey");
const train = population.generate(200, { seed: 1 }).map(countedPerson);
const people = population.generate(15, { seed: 2 });
const opened: OpenedModel = {
  model: backOff(train, NUM_OCCUPATIONS),
  person: countedPerson,
  close() {},
};
const task = {
  seed: 3,
  progress: silentProgress(),
  signal: new AbortController().signal,
} as unknown as OpenTask<unknown> & { readonly seed: number };

const measure = (kind: ExtraStep["kind"], settings: Readonly<Record<string, number>>) =>
  measureExtra({ kind, people, settings } as unknown as ExtraStep, opened, task);

test("gaps of years are measured, as many as asked for, the same by the same seed", async () => {
  const { gapYears } = await measure("gap_years", { gaps: 12 });
  assert.equal(gapYears!.length, 12);
  for (const { direct, twoStep, leftOut, person } of gapYears!) {
    assert.ok(people.some(({ id }) => id === person));
    assert.ok(direct < 0 && twoStep < 0);
    assert.equal(leftOut, 0);
  }
  assert.deepEqual((await measure("gap_years", { gaps: 12 })).gapYears, gapYears);
});

test("forecasts name the years after the cutoff, and every status", async () => {
  const years = people.flatMap(({ observations }) => observations.map(({ year }) => year));
  const cutoff = years.toSorted((a, b) => a - b)[Math.floor(years.length / 2)]!;
  const { forecast } = await measure("forecast", { cutoff, paths: 20 });
  assert.ok(forecast!.length > 2);
  for (const { year, perplexity, shares } of forecast!) {
    assert.ok(year > cutoff);
    assert.ok(perplexity > 1);
    assert.deepEqual(Object.keys(shares), [...STATUSES]);
  }
  assert.deepEqual((await measure("forecast", { cutoff, paths: 20 })).forecast, forecast);
});

test("what cannot be measured is refused with the remedy", async () => {
  await assert.rejects(measure("forecast", { cutoff: 1900 }), {
    name: "RangeError",
    message: /from 1900 on.*got nobody of 15; set another cutoff/,
  });
  await assert.rejects(measure("valid_titles", {}), {
    name: "TypeError",
    message: /must be a language model.*leave it out of valid_titles/,
  });
});
