import assert from "node:assert/strict";
import { test } from "node:test";
import { Analysis } from "../../cli/study/analysis/analysis.ts";
import { analyze } from "../../cli/study/analysis/analyze.ts";
import { judgeClaims, verdictOf } from "../../cli/study/analysis/claims.ts";
import { claimsSection } from "../../cli/study/analysis/claims_section.ts";
import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { selectPeople } from "../../model/evaluation/selection.ts";
import { answer, madePopulation, madeResults, madeRun, shiftedTruth } from "./made_study.ts";

const population = madePopulation("survey", { numPeople: 400 });
const other = madePopulation("large", { numPeople: 60 });
const predictionsOf = (shift: number) =>
  collectPredictions(shiftedTruth(population.truth, shift), population.people.test);
const [truth, slightly, far] = [
  await predictionsOf(0),
  await predictionsOf(0.01),
  await predictionsOf(1.5),
];
const FEW = new Set(truth.ids.slice(0, 40));

const results = madeResults(
  [population, other],
  [
    madeRun({
      model: "truth",
      label: "Truth",
      population: "survey",
      answers: [answer("survey", truth)],
    }),
    madeRun({
      model: "near",
      label: "Near",
      population: "survey",
      answers: [answer("survey", slightly)],
    }),
    madeRun({ model: "far", label: "Far", population: "survey", answers: [answer("survey", far)] }),
    madeRun({
      model: "far",
      label: "Far",
      population: "survey",
      refit: { kind: "mixed", share: 0.3 },
      answers: [answer("survey", truth)],
    }),
    madeRun({
      model: "few",
      label: "Few",
      population: "survey",
      answers: [answer("survey", selectPeople(truth, FEW))],
    }),
  ],
);
const analysis = new Analysis(results, { claims: [] });

/** Half as likely everywhere, and next to impossible in a year of a few people. */
const tail = {
  ...truth,
  normalized: truth.normalized.map((log, i) => (i % 97 === 0 ? -600 : log - Math.LN2)),
};
const judge = (better: string, worse: string, more: object = {}) =>
  judgeClaims(analysis, [{ claim: "a claim", better, worse, ...more }]);

test("a large difference holds, does not hold the other way around, and a tiny one is undecided", () => {
  assert.deepEqual(
    [judge("truth", "far"), judge("far", "truth"), judge("near", "truth")].map(
      ([judged, ...rest]) => [judged!.verdict, judged!.evidence?.population, rest.length],
    ),
    [
      ["holds", "survey", 0],
      ["does not hold", "survey", 0],
      ["undecided", "survey", 0],
    ],
  );
});

test("a model that is worse everywhere is, though a few years swamp its perplexity", () => {
  const withTail = madeResults(
    [population, other],
    [
      madeRun({ model: "truth", population: "survey", answers: [answer("survey", truth)] }),
      madeRun({ model: "tail", population: "survey", answers: [answer("survey", tail)] }),
    ],
  );
  const [judged] = judgeClaims(new Analysis(withTail, { claims: [] }), [
    { claim: "a claim", better: "truth", worse: "tail" },
  ]);
  const { verdict, evidence } = judged!;
  assert.equal(verdictOf(evidence!.difference), "undecided", "the perplexity alone cannot tell");
  assert.equal(verdict, "holds");
});

test("the difference is the worse model's perplexity minus the better one's", () => {
  const perplexity = (logs: Float64Array) => Math.exp(-logs.reduce((a, b) => a + b) / logs.length);
  const [judged] = judge("truth", "far");
  const expected = perplexity(far.normalized) - perplexity(truth.normalized);
  assert.ok(Math.abs(judged!.evidence!.difference.value - expected) < 1e-9);
});

test("models that were asked about fewer people are compared on those", () => {
  const [judged] = judge("few", "far");
  assert.equal(judged!.verdict, "holds");
  assert.deepEqual(judged!.evidence!.worse.ids, [...FEW]);
  assert.ok(Math.abs(judged!.evidence!.difference.value - onFew()) < 1e-9);
  function onFew(): number {
    const mean = (logs: Float64Array) => logs.reduce((a, b) => a + b) / logs.length;
    const own = selectPeople(truth, FEW).normalized;
    const others = selectPeople(far, FEW).normalized;
    return Math.exp(-mean(others)) - Math.exp(-mean(own));
  }
});

test("a share of others' people names the refit; what no run has is not measured", () => {
  assert.equal(judge("far", "truth", { betterShare: 0.3 })[0]!.verdict, "undecided");
  assert.equal(
    judge("far", "near", { betterShare: 0.3 })[0]!.better,
    "Far, with 30 % of the others' people",
  );
  for (const [better, worse, more] of [
    ["truth", "gone", {}],
    ["far", "truth", { betterShare: 0.5 }],
    ["truth", "far", { population: "large" }],
  ] as const) {
    const [judged] = judge(better, worse, more);
    assert.deepEqual([judged!.verdict, judged!.evidence], ["not measured", undefined]);
  }
});

test("verdictOf() decides at 1.96 standard errors, by sign alone where one is infinite", () => {
  // Deviation 1 around any value.
  const replicates = (value: number) => Float64Array.of(value - 1, value, value + 1);
  const verdict = (value: number) => verdictOf({ value, replicates: replicates(value) });
  assert.deepEqual(
    [verdict(1.97), verdict(1.95), verdict(-1.95), verdict(-1.97)],
    ["holds", "undecided", "undecided", "does not hold"],
  );
  assert.equal(verdictOf({ value: 0, replicates: new Float64Array(3) }), "undecided");
  assert.deepEqual(
    [verdict(Infinity), verdict(-Infinity), verdict(NaN)],
    ["holds", "does not hold", "undecided"],
  );
});

test("the section says in words what the numbers are", () => {
  const claims = [
    { claim: "Far is worse", better: "truth", worse: "far" },
    { claim: "Near is better", better: "near", worse: "truth" },
    { claim: "Nobody knows", better: "gone", worse: "truth" },
  ];
  const section = claimsSection(new Analysis(results, { claims }))!;
  assert.match(
    section.text[0]!,
    /^“Far is worse”: holds\. Holds on survey: Truth has perplexity \d\.\d{3}, \d\.\d{3} \(s\.e\. \d\.\d{3}\) below the \d\.\d{3} of Far: \d\.\d{3} nats \(s\.e\. \d\.\d{3}\) a person-year\.$/,
  );
  assert.match(section.text[1]!, /: undecided\. .* less than 1\.96 standard errors\.$/);
  assert.match(section.text[2]!, /: not measured\. Not measured: no people/);
  const [summary, comparisons] = section.tables;
  assert.deepEqual(summary!.rows, [
    ["Far is worse", 1, 1, 0, 0, 0],
    ["Near is better", 1, 0, 0, 1, 0],
    ["Nobody knows", 1, 0, 0, 0, 1],
  ]);
  assert.equal(comparisons!.rows.length, 3);
  const without = analyze(results, { claims: [] });
  assert.ok(!without.sections.some(({ id }) => id === "claims"));
});
