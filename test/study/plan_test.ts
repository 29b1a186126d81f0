import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Progress } from "../../cli/run/progress.ts";
import { planStudy, type StudyPlan } from "../../cli/study/plan.ts";
import { checkApart, loadPopulation, type Population } from "../../cli/study/populations.ts";
import { FAMILIES } from "../../cli/study/registry.ts";
import { readStudy } from "../../cli/study/schema.ts";
import { silentProgress } from "../cli/run_support.ts";
import { missing, sharedPath } from "../data/shared_data.ts";
import { COUNTS_STUDY } from "./study_support.ts";

async function planOf(text: string): Promise<StudyPlan & { populations: Population[] }> {
  const { study, models } = readStudy(text, "study.yaml", FAMILIES);
  const populations: Population[] = [];
  for (const [name, spec] of Object.entries(study.populations)) {
    populations.push(
      await loadPopulation(name, spec, {
        seed: study.seed,
        studyFolder: ".",
        progress: silentProgress(),
      }),
    );
  }
  const plan = await planStudy({ study, models, populations, studyFolder: "." });
  return { ...plan, populations };
}

const keys = (steps: readonly { readonly key: string }[]) => steps.map(({ key }) => key);

test("planStudy() plans every fit once, and every question", async () => {
  const { fits, asks } = await planOf(COUNTS_STUDY);
  // empirical 2, Kneser-Ney 2 + 4 resampled + 2 mixed, pooled 1 for both populations
  assert.equal(fits.length, 11);
  assert.equal(new Set(keys(fits)).size, 11);
  // plain: 2 + 2 + 2 (pooled, asked for each population); refits 4 + 2; ablations 2 × (2 + 2 + 1)
  assert.equal(asks.length, 22);
  assert.equal(new Set(keys(asks)).size, 22);
  for (const { people } of asks) assert.ok(people.length <= 10, "test_people must hold");
});

test("planStudy() names steps by what decides them, and by nothing else", async () => {
  const before = await planOf(COUNTS_STUDY);
  const relabeled = await planOf(COUNTS_STUDY.replace("label: Kneser-Ney, ", "label: KN, "));
  assert.deepEqual(keys(relabeled.fits), keys(before.fits));
  assert.deepEqual(keys(relabeled.asks), keys(before.asks));
  const reseeded = await planOf(COUNTS_STUDY.replace("seed: 3", "seed: 4"));
  const common = keys(reseeded.fits).filter((key) => keys(before.fits).includes(key));
  assert.deepEqual(common, []);
  const morePeople = await planOf(COUNTS_STUDY.replace("people: 50", "people: 51"));
  const kept = keys(morePeople.fits).filter((key) => keys(before.fits).includes(key));
  // Only what learns from A alone: empirical, Kneser-Ney and its two resampled fits.
  assert.equal(kept.length, 4);
});

test("planStudy() names measures by the people asked and by the study's seed", async () => {
  const study = (seed: number, numPeople: number) =>
    `
study: One fit for two populations
seed: ${seed}
populations:
  A: { synthetic: survey, people: 60, split_seed: 5 }
  B: { synthetic: large, people: 50, split_seed: 5 }
evaluation: { test_people: ${numPeople} }
models:
  - { name: pooled, family: empirical, train_on: all, seed: 5 }
ablations:
  shuffled: { models: [pooled], fields: [[gender]] }
  gap_years: { models: [pooled] }
`;
  const { fits, extras } = await planOf(study(3, 10));
  assert.equal(fits.length, 1);
  assert.equal(new Set(keys(extras)).size, 2, "each population has people of its own");
  const fewer = await planOf(study(3, 5));
  assert.deepEqual(keys(fewer.fits), keys(fits));
  assert.notDeepEqual(keys(fewer.extras), keys(extras));

  // The same people, with other people's demographics, and other gaps drawn.
  const before = await planOf(study(3, 10));
  const { populations } = before;
  const reseeded = readStudy(study(4, 10), "study.yaml", FAMILIES);
  const after = await planStudy({ ...reseeded, populations, studyFolder: "." });
  assert.deepEqual(keys(after.fits), keys(before.fits));
  after.asks.forEach(({ key, variation }, index) => {
    assert.equal(key === before.asks[index]!.key, variation.kind === "none");
  });
  after.extras.forEach(({ key }, index) => assert.notEqual(key, before.extras[index]!.key));
});

test("planStudy() shares a fit between the model itself and one that begins with it", async () => {
  const { fits } = await planOf(
    COUNTS_STUDY.replace(
      "refits:",
      `  - { name: text, family: language-model, size: tiny }
  - { name: text-other, family: language-model, size: tiny, pretrain: { on: others } }
refits:`,
    ),
  );
  const texts = fits.filter(({ model }) => model.family.name === "language-model");
  assert.equal(texts.length, 4);
  const other = texts.filter(({ base }) => base !== undefined);
  assert.equal(other.length, 2);
  for (const { base, population } of other) {
    const shared = texts.find(({ key }) => key === base!.key)!;
    assert.notEqual(shared.population, population);
  }
});

test("cohorts hold whom they name, and nobody who is tested", async () => {
  const { fits, asks, populations } = await planOf(COUNTS_STUDY);
  const [a, b] = populations as [Population, Population];
  const of = (model: string, population: string, kind?: string) =>
    fits.find(
      (fit) =>
        fit.model.name === model && fit.population === population && fit.refit?.kind === kind,
    )!.cohort;
  assert.deepEqual(of("kneser-ney", "A").train, a.train);
  assert.equal(of("pooled", "A").train.length, a.train.length + b.train.length);
  const mixed = of("kneser-ney", "A", "mixed");
  assert.equal(mixed.train.length, a.train.length + Math.round(0.5 * b.train.length));
  assert.equal(mixed.valid.length, a.valid.length);
  const resampled = of("kneser-ney", "B", "resampled").train;
  assert.equal(resampled.length, b.train.length);
  assert.equal(new Set(resampled.map(({ id }) => id)).size, resampled.length);
  const drawn = new Set(resampled.map(({ id }) => id.split("#")[0]!));
  assert.ok(drawn.size < resampled.length, "somebody must be drawn twice");
  const tested = new Set(asks.flatMap(({ people }) => people.map(({ id }) => id)));
  for (const { cohort } of fits) {
    for (const { id } of [...cohort.train, ...cohort.valid]) {
      const own = id.split("/").at(-1)!.split("#")[0]!;
      assert.ok(!tested.has(own), `${id} must not be tested`);
    }
  }
});

test("people carry the name of their survey", async () => {
  const { populations } = await planOf(
    COUNTS_STUDY.replace("people: 50 }", "people: 50, dataset: RESUMES }"),
  );
  assert.equal(populations[0]!.train[0]!.dataset, "A");
  assert.equal(populations[1]!.test[0]!.dataset, "RESUMES");
});

test(
  "a population may be a survey's own files",
  { skip: missing("nls_investigator_nlsy79") },
  async () => {
    const files = fileURLToPath(sharedPath("nls_investigator_nlsy79"));
    const spec = { survey: { files, mapping: "nlsy79_by_year" }, people: 200 };
    const lines: string[] = [];
    const progress = new Progress({ write: (text) => lines.push(text) });
    const options = { seed: 1, studyFolder: ".", progress };
    const { train, valid, test: tested } = await loadPopulation("NLSY79", spec, options);
    assert.deepEqual([train.length, valid.length, tested.length], [140, 20, 40]);
    assert.match(lines.join(""), /NLSY79: left out \d+: /);
  },
);

test("populations that share people are refused, whatever their surveys are called", async () => {
  const options = { seed: 1, studyFolder: ".", progress: silentProgress() };
  const load = (name: string, split_seed: number) =>
    loadPopulation(name, { synthetic: "survey", people: 40, split_seed }, options);
  const [a, again, other] = [await load("A", 1), await load("B", 2), await load("C", 1)];
  assert.throws(() => checkApart([a, again]), /Cannot study "[AB]" beside "[AB]": nobody may be/);
  assert.doesNotThrow(() => checkApart([a, other])); // split alike: who is tested is tested in both
  const large = await loadPopulation("L", { synthetic: "large", people: 40 }, options);
  assert.doesNotThrow(() => checkApart([a, large]));
});
