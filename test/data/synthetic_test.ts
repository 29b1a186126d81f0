import assert from "node:assert/strict";
import { test } from "node:test";
import { EDUCATION_LEVELS, type Career } from "../../data/career.ts";
import { careerProblem } from "../../data/career_check.ts";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import {
  POPULATION_NAMES,
  syntheticPopulation,
  type History,
  type Next,
} from "../../data/synthetic/mod.ts";

/** Sums of a few hundred f64 terms. */
const TOLERANCE = 1e-12;
/** Of a standard normal number: beyond it once in 16,000 right programs; the seeds are fixed. */
const MAX_Z = 4;

const SURVEY = syntheticPopulation("survey");

function sumOf(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function assertClose(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < TOLERANCE, `${actual}, not ${expected}`);
}

/** A high-school graduate of 2000 born in 1975 with these occupations from 2000 on. */
function historyOf(occupations: readonly string[], gender = "male"): History {
  const observations = occupations.map((occupation, i) => ({
    year: 2000 + i,
    education: "high school" as const,
    occupation,
  }));
  return { gender, birthYear: 1975, observations };
}

function probabilityOf(occupation: string, history: History, next: Next): number {
  return SURVEY.distribution(history, next)[occupationIndex(occupation)]!;
}

for (const name of POPULATION_NAMES) {
  const population = syntheticPopulation(name);
  const careers = population.generate(800, { seed: 3 });

  test(`${name}: every career is valid, with increasing years and lasting education`, () => {
    for (const career of careers) {
      assert.equal(careerProblem(career), undefined, career.id);
      for (const [i, { year, education }] of career.observations.entries()) {
        if (i === 0) continue;
        const before = career.observations[i - 1]!;
        assert.ok(year > before.year, career.id);
        assert.ok(
          EDUCATION_LEVELS.indexOf(education) >= EDUCATION_LEVELS.indexOf(before.education),
        );
      }
      assert.ok(career.birthYear! <= career.observations[0]!.year - 16, career.id);
    }
    assert.equal(new Set(careers.map(({ id }) => id)).size, careers.length);
  });

  test(`${name}: some years are missing between observations`, () => {
    const gaps = careers.flatMap(({ observations }) =>
      observations.slice(1).map(({ year }, i) => year - observations[i]!.year),
    );
    const share = gaps.filter((gap) => gap > 1).length / gaps.length;
    assert.ok(share > 0.01 && share < 0.5, `${share}`);
  });

  test(`${name}: distributions sum to one`, () => {
    for (const career of careers.slice(0, 100)) {
      for (const index of career.observations.keys()) {
        const distribution = population.distributionAt(career, index);
        assert.equal(distribution.length, NUM_OCCUPATIONS);
        assert.ok(distribution.every((p) => p >= 0));
        assertClose(sumOf(distribution), 1);
      }
    }
  });

  test(`${name}: occupations occur as often as the distributions say`, () => {
    // Surprises given the past are uncorrelated, so each sum over a variance is about
    // standard normal, and their squares add up to about a χ² over the occupations.
    const seen = new Float64Array(NUM_OCCUPATIONS);
    const variance = new Float64Array(NUM_OCCUPATIONS);
    let stayed = 0;
    let stayVariance = 0;
    for (const career of careers) {
      for (const [index, { occupation }] of career.observations.entries()) {
        const distribution = population.distributionAt(career, index);
        seen[occupationIndex(occupation)]! += 1;
        for (const [y, p] of distribution.entries()) {
          seen[y]! -= p;
          variance[y]! += p * (1 - p);
        }
        const before = career.observations[index - 1]?.occupation;
        if (before === undefined) continue;
        const stay = distribution[occupationIndex(before)]!;
        stayed += (occupation === before ? 1 : 0) - stay;
        stayVariance += stay * (1 - stay);
      }
    }
    assert.ok(Math.abs(stayed / Math.sqrt(stayVariance)) < MAX_Z, "staying");
    const squares = [...seen].flatMap((s, y) => (variance[y]! > 0 ? [(s * s) / variance[y]!] : []));
    assert.ok(Math.max(...squares) < MAX_Z ** 2, `${Math.max(...squares)}`);
    const z = (sumOf(squares) - squares.length) / Math.sqrt(2 * squares.length);
    assert.ok(Math.abs(z) < MAX_Z, `χ² of ${sumOf(squares)} over ${squares.length}`);
  });

  test(`${name}: realized surprise is the exact entropy within sampling error`, () => {
    let excess = 0;
    let variance = 0;
    for (const career of careers) {
      excess -= sumOf(population.logProbabilities(career)) + sumOf(population.entropies(career));
      for (const [index, entropy] of population.entropies(career).entries()) {
        for (const p of population.distributionAt(career, index)) {
          if (p > 0) variance += p * (Math.log(p) + entropy) ** 2;
        }
      }
    }
    assert.ok(Math.abs(excess / Math.sqrt(variance)) < MAX_Z, `${excess} ± ${Math.sqrt(variance)}`);
  });

  test(`${name}: the best perplexity lies in the range of real surveys`, () => {
    const nats = careers.flatMap((career) => [...population.entropies(career)]);
    const best = Math.exp(sumOf(nats) / nats.length);
    assert.ok(best > 4 && best < 7, `${best}`);
  });
}

test("first occupations of like people match the distribution by χ²", () => {
  const groups = new Map<string, Career[]>();
  const population = syntheticPopulation("large");
  for (const career of population.generate(6000, { seed: 11 })) {
    const { year, education } = career.observations[0]!;
    if (year - career.birthYear! < 21) continue; // nearly all are students
    const key = [career.gender, year - career.birthYear!, education].join();
    groups.set(key, [...(groups.get(key) ?? []), career]);
  }
  const largest = [...groups.values()].toSorted((a, b) => b.length - a.length)[0]!;
  const expected = population.distributionAt(largest[0]!, 0).map((p) => p * largest.length);
  const counts = new Float64Array(NUM_OCCUPATIONS);
  for (const { observations } of largest)
    counts[occupationIndex(observations[0]!.occupation)]! += 1;
  // Occupations expected fewer than five times share one cell.
  let [chiSquare, cells, rareSeen, rareExpected] = [0, 0, 0, 0];
  for (const [y, e] of expected.entries()) {
    if (e >= 5) {
      chiSquare += (counts[y]! - e) ** 2 / e;
      cells += 1;
    } else {
      rareSeen += counts[y]!;
      rareExpected += e;
    }
  }
  chiSquare += (rareSeen - rareExpected) ** 2 / rareExpected;
  assert.ok(cells >= 10, `${cells} cells of ${largest.length} people`);
  assert.ok(chiSquare < cells + MAX_Z * Math.sqrt(2 * cells), `${chiSquare} on ${cells}`);
});

test("staying follows the documented formulas", () => {
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const unemployed = historyOf(["436", "unemployed", "unemployed", "unemployed"]);
  assertClose(
    probabilityOf("unemployed", unemployed, { year: 2005, education: "high school" }),
    sigmoid(-1.2 + 0.6 * Math.log(3)) ** 2,
  );
  const home = historyOf(["not_in_labor_force"], "female");
  assertClose(
    probabilityOf("not_in_labor_force", home, { year: 2001, education: "high school" }),
    sigmoid(-0.2 + 0.4),
  );
  const student = { ...historyOf(["education"]), birthYear: 1980 };
  assertClose(
    probabilityOf("education", student, { year: 2001, education: "some college" }),
    sigmoid(1.3 * (21.5 + 0.5 - 21) + 0.5),
  );
  // Cooks: stability −0.7, demand 0; two years in the spell, one level above the demand, age 27.
  const cook = historyOf(["435", "436"].concat("436"));
  assertClose(
    probabilityOf("436", cook, { year: 2003, education: "high school" }),
    sigmoid(-0.5 - 0.7 + 1.3 * Math.log(2) - 0.5 + 0.05 * (28 - 30)),
  );
});

test("a job held before the present spell draws people back, however long ago", () => {
  const next: Next = { year: 2006, education: "high school" };
  const since = (first: string) =>
    probabilityOf("567", historyOf([first, "unemployed", "436", "436", "436", "436"]), next);
  assert.ok(since("567") > 3 * since("575"), `${since("567")} against ${since("575")}`);
});

test("longer spells last, and moves depend on education and gender", () => {
  const next: Next = { year: 2006, education: "high school" };
  const after = (occupations: string[]) => probabilityOf("337", historyOf(occupations), next);
  const other = Array.from({ length: 5 }, () => "313");
  assert.ok(after(Array.from({ length: 6 }, () => "337")) > after([...other, "337"]) + 0.2);
  const student = historyOf(["education"]);
  const into = (code: string, education: Next["education"], gender = "male") =>
    probabilityOf(code, { ...student, gender }, { year: 2001, education });
  assert.ok(into("229", "college") > 5 * into("229", "high school"));
  assert.ok(into("95", "college", "female") > 2 * into("95", "college"));
});

test("generate() gives the same person whatever the number of people", () => {
  const few = SURVEY.generate(3, { seed: 5 });
  assert.deepEqual(SURVEY.generate(10, { seed: 5 }).slice(0, 3), few);
  assert.deepEqual(syntheticPopulation("survey", { seed: 1 }).generate(3, { seed: 5 }), few);
  assert.notDeepEqual(SURVEY.generate(3, { seed: 6 })[0]!.observations, few[0]!.observations);
  assert.notDeepEqual(
    syntheticPopulation("survey", { seed: 2 }).distributionAt(few[0]!, 1),
    SURVEY.distributionAt(few[0]!, 1),
  );
});

test("the large population is younger, more educated and elsewhere than the survey", () => {
  const [large, survey] = POPULATION_NAMES.map((name) => {
    const observations = syntheticPopulation(name)
      .generate(500, { seed: 1 })
      .flatMap((career) =>
        career.observations.map((o) => ({ ...o, age: o.year - career.birthYear! })),
      );
    const share = (held: (o: (typeof observations)[number]) => boolean) =>
      observations.filter(held).length / observations.length;
    return {
      age: sumOf(observations.map(({ age }) => age)) / observations.length,
      college: share(({ education }) => EDUCATION_LEVELS.indexOf(education) >= 3),
      technology: share(({ occupation }) => ["64", "229", "55", "53"].includes(occupation)),
      construction: share(({ occupation }) => ["869", "567", "575", "585"].includes(occupation)),
    };
  });
  assert.ok(large!.age < survey!.age - 1, `${large!.age} ${survey!.age}`);
  assert.ok(large!.college > survey!.college + 0.1);
  assert.ok(large!.technology > 2 * survey!.technology);
  assert.ok(2 * large!.construction < survey!.construction);
});

test("synthetic populations refuse unknown names, careers without birth year, and no such year", () => {
  // @ts-expect-error: not a population
  assert.throws(() => syntheticPopulation("toString"), {
    name: "RangeError",
    message:
      "Cannot open a synthetic population: the name must be " +
      '"large" or "survey", got "toString"',
  });
  const { birthYear, ...rest } = SURVEY.generate(1, { seed: 1 })[0]!;
  assert.throws(() => SURVEY.distributionAt(rest, 0), /must have a birth year/);
  assert.throws(() => SURVEY.distributionAt({ ...rest, birthYear: birthYear! }, 99), RangeError);
  assert.throws(
    () => probabilityOf("436", historyOf(["905"]), { year: 2001, education: "college" }),
    {
      name: "RangeError",
      message: 'Cannot predict the next occupation: the last must be one of the process, got "905"',
    },
  );
});
