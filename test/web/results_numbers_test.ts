import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EDUCATION_LEVELS, type Career } from "../../data/career.ts";
import { careerProblem } from "../../data/career_check.ts";
import { NUM_OCCUPATIONS, occupationIndex, OCCUPATIONS } from "../../data/occupations.ts";
import { renderPrompt } from "../../data/resume.ts";
import {
  askableYears,
  canHave,
  educationBefore,
  fullQuestion,
  keepQuestion,
} from "../../web/page/results/asked.ts";
import { applyChange, describeChange } from "../../web/page/results/change.ts";
import {
  effectiveNumber,
  largestChanges,
  movedShare,
  points,
  ranked,
  rankOf,
  uncertainty,
} from "../../web/page/results/distribution.ts";
import { percent } from "../../web/page/shell/words.ts";
import { countOfStayers, stretchesOf, summarize, yearsOf } from "../../web/page/results/futures.ts";
import { likelihood, ordinal } from "../../web/page/results/search_view.ts";
import { arbitraryCareer, careerOf } from "../data/arbitrary_career.ts";

/** Sums of 335 rounded doubles. */
const TOLERANCE = 1e-9;

/** A distribution with these probabilities, the rest spread evenly. */
function distribution(given: Readonly<Record<string, number>>): Float64Array {
  const rest = 1 - Object.values(given).reduce((a, b) => a + b, 0);
  const even = rest / (NUM_OCCUPATIONS - Object.keys(given).length);
  const probabilities = new Float64Array(NUM_OCCUPATIONS).fill(even);
  for (const [code, p] of Object.entries(given)) probabilities[occupationIndex(code)] = p;
  return probabilities;
}

test("occupations are ranked by probability, equal ones share the better place", () => {
  const shares = ranked(distribution({ "95": 0.3, "275": 0.4 }));
  assert.deepEqual(
    shares.slice(0, 2).map(({ code }) => code),
    ["275", "95"],
  );
  assert.equal(shares.length, NUM_OCCUPATIONS);
  assert.equal(rankOf(shares, "275"), 1);
  assert.equal(rankOf(shares, "95"), 2);
  assert.equal(rankOf(shares, "4"), 3);
  assert.equal(rankOf(shares, "unemployed"), 3);
  assert.equal(likelihood(shares[1]!, 2), "Registered nurses: 30.0%, the 2nd likeliest of 335.");
  assert.match(likelihood(shares[0]!, 1), /the likeliest of 335\.$/);
  assert.deepEqual(
    [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 113].map(ordinal).join(" "),
    "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th 113th",
  );
});

test("uncertainty is a number of equally likely choices", () => {
  for (const n of [1, 2, 7, NUM_OCCUPATIONS]) {
    const p = new Float64Array(NUM_OCCUPATIONS);
    p.fill(1 / n, 0, n);
    assert.ok(Math.abs(effectiveNumber(p) - n) < TOLERANCE * n, `${n}`);
  }
  assert.match(uncertainty(distribution({ "95": 1 })), /^Nearly certain/);
  assert.match(uncertainty([0.5, 0.5]), /among 2\.0 equally likely/);
  assert.match(uncertainty(distribution({})), /among 335 equally likely/);
});

test("percentages never round what is possible to nothing, or what is not sure to all", () => {
  assert.equal(percent(0.34249), "34.2%");
  assert.equal(percent(0.0004), "0.04%");
  assert.equal(percent(0.00001), "under 0.01%");
  assert.equal(percent(undefined), "-");
  assert.equal(percent(0), "0.0%");
  assert.equal(percent(1), "100.0%");
  assert.equal(percent(0.99999), "over 99.9%");
  assert.deepEqual([0.032, -0.004, 0.0001, -0.0001].map(points), ["+3.2", "−0.4", "0.0", "0.0"]);
});

test("changes are the largest ones, from gain to loss, and half of their sum has moved", () => {
  const before = distribution({ "95": 0.3, "275": 0.4, "178": 0.1 });
  const after = distribution({ "95": 0.5, "275": 0.15, "178": 0.15 });
  const changes = largestChanges(before, after, 3);
  assert.deepEqual(
    changes.map(({ code }) => code),
    ["95", "178", "275"],
  );
  assert.equal(changes[0]!.before, 0.3);
  assert.equal(changes[0]!.after, 0.5);
  assert.ok(Math.abs(movedShare(before, after) - 0.25) < TOLERANCE);
  assert.equal(movedShare(before, before), 0);
});

test("a question has the year after the last and its education by default", () => {
  const career = careerOf("a", "95", "275");
  assert.deepEqual(fullQuestion(career, {}), { year: 2003, education: "college" });
  assert.deepEqual(fullQuestion(career, { year: 2010 }), { year: 2010, education: "college" });
  assert.deepEqual(askableYears(career), { min: 2002, max: 2032 });
  assert.equal(canHave(career, 2003, "high school"), false);
  assert.equal(canHave(career, 2003, "any graduate"), true);
});

test("what is kept of a question can be asked of the new career", () => {
  const anyQuestion = fc.record(
    { year: fc.integer({ min: 1950, max: 2060 }), education: fc.constantFrom(...EDUCATION_LEVELS) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(arbitraryCareer, anyQuestion, (career, question) => {
      const full = fullQuestion(career, keepQuestion(career, question));
      const told = career.observations.filter(({ year }) => year < full.year);
      assert.ok(told.length > 0);
      assert.notEqual(renderPrompt({ ...career, observations: told }, full), "");
    }),
  );
  const career = careerOf("a", "95", "275");
  const asked = { year: 2010, education: "any graduate" as const };
  assert.deepEqual(keepQuestion(career, asked), asked);
  assert.deepEqual(keepQuestion(career, { year: 1990, education: "high school" }), {});
});

test("any change of any career gives a career that can be asked about", () => {
  const anyChange = fc.record(
    {
      gender: fc.constantFrom("female", "male"),
      ethnicity: fc.constantFrom("white", "other"),
      region: fc.constantFrom("", "south"),
      education: fc.constantFrom(...EDUCATION_LEVELS),
      offset: fc.nat(29),
      at: fc.nat(29),
    },
    { requiredKeys: ["at"] },
  );
  fc.assert(
    fc.property(arbitraryCareer, anyChange, (career, { offset, at, ...who }) => {
      const { year } = career.observations[at % career.observations.length]!;
      const change = {
        ...who,
        ...(offset === undefined ? {} : { year: askableYears(career).min + offset }),
        job: { year, occupation: "unemployed" },
      };
      const asked = applyChange({ career, question: {} }, change);
      assert.equal(careerProblem(asked.career), undefined);
      const question = fullQuestion(asked.career, asked.question);
      const prompt = renderPrompt(asked.career, question);
      assert.ok(prompt.endsWith(`${question.year} (${question.education}):`));
      if (who.education !== undefined) assert.equal(question.education, who.education);
      if (year < question.year) assert.ok(prompt.includes(`${year} (`), prompt);
    }),
  );
});

test("a lower education lowers the years before; a higher one only the year in question", () => {
  const career = careerOf("a", "95", "275");
  const levels = (asked: { career: Career }) =>
    asked.career.observations.map(({ education }) => education);
  const asked = { career, question: {} };
  assert.deepEqual(levels(applyChange(asked, { education: "high school" })), [
    "high school",
    "high school",
  ]);
  assert.deepEqual(levels(applyChange(asked, { education: "any graduate" })), [
    "college",
    "college",
  ]);
  assert.equal(educationBefore(career, 2003), "college");
});

test("a change says what is different, and nothing where nothing is", () => {
  const asked = { career: careerOf("a", "95", "275"), question: {} };
  const describe = (change: Parameters<typeof describeChange>[1]) => describeChange(asked, change);
  assert.deepEqual(describe({}), []);
  assert.deepEqual(describe({ gender: "female", region: "south", year: 2003 }), []);
  assert.deepEqual(
    describe({ gender: "male", region: "", year: 2005, education: "any graduate" }),
    [
      "gender: male, not female",
      "region: not told, not south",
      "year: 2005, not 2003",
      "education: any graduate, not college",
    ],
  );
  assert.deepEqual(describe({ job: { year: 2001, occupation: "178" } }), [
    `job in 2001: ${OCCUPATIONS[occupationIndex("178")]!.title}, not Registered nurses`,
  ]);
  assert.deepEqual(describe({ job: { year: 2001, occupation: "95" } }), []);
  const untold = { year: 2002, job: { year: 2002, occupation: "178" } };
  assert.deepEqual(describe(untold), ["year: 2002, not 2003"]);
});

test("a change of a past job changes that year alone", () => {
  const career = careerOf("a", "95", "275", "95");
  const { career: changed } = applyChange(
    { career, question: {} },
    { job: { year: 2002, occupation: "4" } },
  );
  assert.deepEqual(
    changed.observations.map(({ occupation }) => occupation),
    ["95", "4", "95"],
  );
});

test("years in one occupation are one stretch, whatever years are missing between", () => {
  const { observations } = careerOf("a", "95", "95", "275", "95");
  const gap = [...observations.slice(0, 2), { ...observations[1]!, year: 2009 }];
  assert.deepEqual(stretchesOf(observations).map(yearsOf), ["2001–2002", "2003", "2004"]);
  assert.deepEqual(stretchesOf(gap).map(yearsOf), ["2001–2009"]);
  assert.deepEqual(stretchesOf([]), []);
});

test("futures are counted year by year, and stayers are those who never leave", () => {
  const futures = [
    careerOf("a", "95", "95").observations,
    careerOf("b", "95", "275").observations,
    careerOf("c", "178", "275").observations,
  ];
  const [first, second] = summarize(futures);
  assert.deepEqual(
    first!.counts.map(({ code, count }) => [code, count]),
    [
      ["95", 2],
      ["178", 1],
    ],
  );
  assert.deepEqual(
    second!.counts.map(({ code, count }) => [code, count]),
    [
      ["275", 2],
      ["95", 1],
    ],
  );
  assert.equal(second!.year, 2002);
  assert.equal(countOfStayers(futures, "95"), 1);
  assert.deepEqual(summarize([]), []);
});
