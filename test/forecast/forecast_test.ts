import assert from "node:assert/strict";
import { test } from "node:test";
import type { Career } from "../../data/career.ts";
import { NUM_OCCUPATIONS, occupationIndex, OCCUPATIONS, STATUSES } from "../../data/occupations.ts";
import { Random } from "../../data/random.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import type { CareerModel } from "../../model/forecast/career_model.ts";
import { judgePaths } from "../../model/forecast/judge_paths.ts";
import {
  type PathOptions,
  type SampledPerson,
  samplePaths,
} from "../../model/forecast/sample_paths.ts";
import { closedForm } from "../../model/occupation/occupation_model.ts";
import { after, careerOf, chainModel, CODES } from "./chain.ts";

/** A share of n draws lies within so many standard deviations of its probability; seeds are fixed. */
const DEVIATIONS = 4;
const randomOf = (id: string, path: number) => Random.from(3, id, path);

async function sampled(
  of: CareerModel,
  careers: readonly Career[],
  options: Omit<PathOptions, "randomOf"> & Partial<PathOptions>,
): Promise<SampledPerson[]> {
  const people: SampledPerson[] = [];
  for await (const one of samplePaths(of, careers, { randomOf, ...options })) people.push(one);
  return people;
}

const careers = [
  careerOf("a", [[2000, "cook"], [2001, "waiter"], [2002, "idle"], [2004, "cook"], [2005, "cook"]]),
  careerOf("before", [[1999, "cook"], [2001, "cook"]]),
  careerOf("later", [[2002, "cook"], [2003, "cook"]]),
  careerOf("b", [[2001, "student"], [2002, "student"], [2003, "cook"]]),
]; // prettier-ignore

test("shares of paths are the probabilities of a chain, years ahead, within sampling error", async () => {
  const numPaths = 4000;
  const people = await sampled(chainModel(), careers, { cutoff: 2001, numPaths });
  assert.deepEqual(
    people.map(({ career: { id }, begin, counts }) => [id, begin, counts.length]),
    [
      ["a", 2, 3],
      ["b", 1, 2],
    ],
  );
  for (const { career, begin, counts } of people) {
    const { year: last, occupation } = career.observations[begin - 1]!;
    const from = CODES.indexOf(occupation as (typeof CODES)[number]);
    for (const [step, own] of counts.entries()) {
      const expected = after(from, career.observations[begin + step]!.year - last);
      assert.equal(
        own.reduce((sum, count) => sum + count, 0),
        numPaths,
      );
      for (const [code, p] of expected.entries()) {
        const deviation = Math.sqrt((p * (1 - p)) / numPaths);
        const share = own[code]! / numPaths;
        assert.ok(Math.abs(share - p) <= DEVIATIONS * deviation, `${share} for ${p}`);
      }
    }
  }
});

test("education stays as last told, unless it is to be told truly", async () => {
  const told = async (education: "last" | "truly") => {
    const seen = new Set<string>();
    const model = chainModel(({ observations }, index) => {
      const { year, education: level } = observations[index]!;
      seen.add(`${year} ${level}`);
    });
    await sampled(model, careers.slice(0, 1), { cutoff: 2001, numPaths: 3, education });
    return [...seen].toSorted();
  };
  assert.deepEqual(
    await told("last"),
    ["2002", "2004", "2005"].map((year) => `${year} high school`),
  );
  assert.deepEqual(
    await told("truly"),
    ["2002", "2004", "2005"].map((year) => `${year} some college`),
  );
});

test("paths that are the same are asked about once, and no path touches another's draws", async () => {
  const histories: string[] = [];
  const model = chainModel(({ id, observations }, index) => {
    const past = observations.slice(0, index).map(({ occupation }) => occupation);
    histories.push([id, ...past].join());
  });
  const options = { cutoff: 2001, numPaths: 100 };
  const [, both] = await sampled(model, careers, options);
  assert.equal(new Set(histories).size, histories.length);
  assert.ok(histories.length <= 2 * (1 + 4 + 16));
  const [alone] = await sampled(chainModel(), careers.slice(3), options);
  assert.deepEqual(alone!.counts, both!.counts);
  // Paths 0 to 59 and 60 to 99 on their own are those of all 100 together.
  const [begin] = await sampled(chainModel(), careers.slice(3), { ...options, numPaths: 60 });
  const rest = {
    ...options,
    numPaths: 40,
    randomOf: (id: string, i: number) => randomOf(id, i + 60),
  };
  const [end] = await sampled(chainModel(), careers.slice(3), rest);
  const sums = begin!.counts.map((own, step) =>
    own.map((n, code) => n + end!.counts[step]![code]!),
  );
  assert.deepEqual(sums, both!.counts);
});

test("the true process of synthetic people forecasts the first year as it is", async () => {
  const population = syntheticPopulation("survey");
  const model = closedForm({
    name: "true process",
    numOccupations: NUM_OCCUPATIONS,
    distribution: ({ career }, index) => population.distributionAt(career, index),
  });
  const toPerson = (career: Career) => ({
    career,
    occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
  });
  const codes = OCCUPATIONS.map(({ code }) => code);
  const people = population
    .generate(120, { seed: 9 })
    .map((career) => ({ ...career, observations: career.observations.slice(0, 8) }));
  const cutoff = people[0]!.observations[3]!.year;
  const numPaths = 50;
  const paths = await sampled({ model, toPerson, codes }, people, {
    cutoff,
    numPaths,
    education: "truly",
  });
  for (const status of STATUSES) {
    let [share, expected, variance] = [0, 0, 0];
    for (const { career, begin, counts } of paths) {
      const p = population.distributionAt(career, begin)[occupationIndex(status)]!;
      share += counts[0]![occupationIndex(status)]! / numPaths / paths.length;
      expected += p / paths.length;
      variance += (p * (1 - p)) / numPaths / paths.length ** 2;
    }
    assert.ok(Math.abs(share - expected) <= DEVIATIONS * Math.sqrt(variance), status);
  }
  const years = judgePaths(paths, { codes, statuses: STATUSES });
  assert.ok(years.every(({ perplexity }) => perplexity > 1 && perplexity < NUM_OCCUPATIONS));
  const first = years[0]!;
  assert.ok(first.auc["education"]! > 0.8, `${first.auc["education"]}`);
});

/** Paths by hand: two people, ten paths, two years. */
const JUDGED: readonly SampledPerson[] = [
  { career: careers[0]!, begin: 2, counts: [[1, 2, 3, 4], [10, 0, 0, 0], [4, 6, 0, 0]] },
  { career: careers[3]!, begin: 1, counts: [[0, 0, 8, 2], [0, 10, 0, 0]] },
].map(({ counts, ...rest }) => ({
  ...rest,
  counts: counts.map((own) => Uint32Array.from(own)),
})); // prettier-ignore

test("forecasts of a toy are judged as by hand", () => {
  const years = judgePaths(JUDGED, { codes: CODES, statuses: ["idle", "student", "waiter"] });
  assert.deepEqual(
    years.map(({ year, numPeople }) => [year, numPeople]),
    [[2002, 2], [2003, 1], [2004, 1], [2005, 1]],
  ); // prettier-ignore
  const [first, second, third, last] = years;
  const close = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} for ${expected}`);
  close(first!.perplexity, 14 / Math.sqrt(5 * 9)); // idle on 4 of 10, student on 8 of 10
  // Two surprises: their deviation is their distance over √2, and √2 more below for two people.
  close(first!.error!, (first!.perplexity * Math.log(9 / 5)) / 2);
  assert.equal(second!.error, undefined); // of one person
  close(second!.perplexity, 14); // cook on no path
  close(third!.perplexity, 14 / 11);
  close(last!.perplexity, 14 / 5);
  assert.deepEqual(first!.auc, { idle: 1, student: 1 }); // nobody is a waiter
  close(first!.shares["idle"]!.predicted, 0.3);
  close(first!.shares["idle"]!.true, 0.5);
  close(first!.shares["waiter"]!.predicted, 0.1);
  assert.equal(first!.shares["waiter"]!.true, 0);
});

test("the area under the curve is the share of pairs that are in order, ties by half", () => {
  const random = Random.from(1, "pairs");
  const people = Array.from({ length: 60 }, (_, i) => {
    const share = random.below(6);
    const occupation = random.below(10) < 2 + share ? "idle" : "cook";
    const career = careerOf(`${i}`, [[2000, "cook"], [2001, occupation]]); // prettier-ignore
    return { career, begin: 1, counts: [Uint32Array.of(10 - share, 0, 0, share)] };
  });
  const pairs = people.flatMap((one) =>
    people.flatMap((other) => {
      const isIdle = ({ career }: SampledPerson) => career.observations[1]!.occupation === "idle";
      if (!isIdle(one) || isIdle(other)) return [];
      const [a, b] = [one.counts[0]![3]!, other.counts[0]![3]!];
      return [a > b ? 1 : a === b ? 0.5 : 0];
    }),
  );
  const expected = pairs.reduce<number>((sum, value) => sum + value, 0) / pairs.length;
  const [year] = judgePaths(people, { codes: CODES, statuses: ["idle"] });
  assert.ok(Math.abs(year!.auc["idle"]! - expected) < 1e-12);
});

test("no path at all is refused, and a signal stops the sampling", async () => {
  await assert.rejects(sampled(chainModel(), careers, { cutoff: 2001, numPaths: 0 }), {
    name: "RangeError",
    message: /numPaths must be an integer of at least 1, got 0/,
  });
  const signal = AbortSignal.abort();
  await assert.rejects(sampled(chainModel(), careers, { cutoff: 2001, numPaths: 5, signal }), {
    name: "AbortError",
  });
});
