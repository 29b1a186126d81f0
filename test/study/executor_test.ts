import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { StudyCache } from "../../cli/study/cache.ts";
import { collectResults } from "../../cli/study/collect.ts";
import { Executor } from "../../cli/study/executor.ts";
import { planStudy } from "../../cli/study/plan.ts";
import { FAMILIES } from "../../cli/study/registry.ts";
import { type OpenedStudy, openStudy } from "../../cli/study/run.ts";
import { readStudy } from "../../cli/study/schema.ts";
import { perplexityOf } from "./figures.ts";
import { silentProgress, temporaryFolder } from "../cli/run_support.ts";
import { COUNTS_STUDY, recordedProgress, writeStudyFile } from "./study_support.ts";

const folder = temporaryFolder();
const opened = await openStudy(writeStudyFile(folder, COUNTS_STUDY), silentProgress());
const numSteps = opened.plan.fits.length + opened.plan.asks.length;

/** Runs all that is missing in a cache. */
function execute(
  cacheFolder: string,
  {
    study = opened,
    signal = new AbortController().signal,
    progress = silentProgress(),
  }: {
    readonly study?: OpenedStudy;
    readonly signal?: AbortSignal;
    readonly progress?: ReturnType<typeof silentProgress>;
  } = {},
) {
  const cache = new StudyCache(cacheFolder);
  return new Executor({ ...study, cache, progress, device: {}, signal }).run(() => true);
}

/** Names and contents of all files below a folder, but for times. */
function contentOf(root: string): Map<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => statSync(join(root, name)).isFile());
  return new Map(
    files.toSorted().map((name) => {
      const text = readFileSync(join(root, name), "latin1");
      return [name, text.replace(/"(seconds|date)": .*/g, "")];
    }),
  );
}

test("a second run does nothing", async () => {
  const cache = join(folder, "twice");
  const first = await execute(cache);
  assert.deepEqual(first, { numKept: 0, failures: [] });
  const before = contentOf(cache);
  const second = await execute(cache);
  assert.deepEqual(second, { numKept: numSteps, failures: [] });
  assert.deepEqual(contentOf(cache), before);
});

test("a study that was interrupted goes on, to the same results", async () => {
  const whole = join(folder, "whole");
  await execute(whole);
  const parts = join(folder, "parts");
  const controller = new AbortController();
  const { progress, lines } = recordedProgress();
  const watched = Object.assign(progress, {
    line: (text: string) => {
      lines.push(text);
      if (lines.filter((line) => line.includes("fitted")).length === 3) controller.abort();
    },
  });
  await assert.rejects(execute(parts, { signal: controller.signal, progress: watched }), {
    exitCode: EXIT.retry,
  });
  const { numKept, failures } = await execute(parts);
  assert.ok(numKept >= 3 && numKept < numSteps, `some steps must be kept, got ${numKept}`);
  assert.deepEqual(failures, []);
  assert.deepEqual(contentOf(parts), contentOf(whole));
});

test("a step that fails is told, and the others go on", async () => {
  const model = opened.models[0]!;
  const family = {
    ...model.family,
    fit: async () => {
      throw new RangeError("Cannot fit: no luck");
    },
  };
  const broken = { ...model, family };
  const plan = {
    ...opened.plan,
    fits: opened.plan.fits.map((fit) =>
      fit.model.name === model.name ? { ...fit, model: broken } : fit,
    ),
  };
  const cache = join(folder, "failing");
  const { failures } = await execute(cache, { study: { ...opened, plan } });
  assert.equal(failures.length, 2);
  assert.match(failures[0]!, /^empirical for A .*Cannot fit: no luck$/);
  const { numKept } = await execute(cache);
  assert.equal(numKept, numSteps - 4); // two fits and the question to each
});

test("models that share a fit are asked as the settings of each say", async () => {
  const name = "shared.yaml";
  const text = COUNTS_STUDY.replace(", reference: kneser-ney", "").replace(
    /models:[^]*/,
    `models:
  - { name: one, family: empirical, populations: [A] }
  - { name: other, family: empirical, smoothing: unigram, populations: [A] }
`,
  );
  // Counts are the same, whatever becomes of them.
  const families = new Map([
    ["empirical", { ...FAMILIES.get("empirical")!, fitSettings: () => null }],
  ]);
  const { study, models } = readStudy(text, name, families);
  const { populations, studyFolder } = opened;
  const plan = await planStudy({ study, models, populations, studyFolder });
  assert.equal(plan.fits.length, 1);
  const cacheFolder = join(folder, "shared");
  const cache = new StudyCache(cacheFolder);
  const { signal } = new AbortController();
  const shared = { study, models, populations, studyFolder, plan };
  const executor = () =>
    new Executor({ ...shared, cache, progress: silentProgress(), device: {}, signal });
  // The second model alone, whose fit is known by the name of the first.
  assert.deepEqual(await executor().run((model) => model === "other"), {
    numKept: 0,
    failures: [],
  });
  const isDone = await Promise.all(plan.asks.map(({ key }) => cache.ask(key)));
  assert.deepEqual(
    isDone.map((record) => record?.model),
    [undefined, "other"],
  );
  await executor().run(() => true);
  const { runs } = await collectResults(shared, cache, []);
  const [one, other] = runs.map(({ answers }) => perplexityOf(answers[0]!.predictions));
  assert.ok(Math.abs(one! - other!) > 1, `both must be asked, got ${one} and ${other}`);
});

test("a record that is damaged is refused by name, with the remedy", async () => {
  const cache = join(folder, "damaged");
  await execute(cache);
  const { key } = opened.plan.asks[0]!;
  writeFileSync(join(cache, "answers", `${key}.json`), "{");
  await assert.rejects(
    execute(cache),
    /answers\/.*\.json": it must be as the study wrote it.*delete it/,
  );
  rmSync(join(cache, "answers", `${key}.json`));
  assert.equal((await execute(cache)).numKept, numSteps - 1);
});

test("figures that JSON has no word for come back as they were", async () => {
  const cache = new StudyCache(join(folder, "infinite"));
  const gapYears = [
    { direct: -Infinity, twoStep: -3, person: "1" },
    { direct: NaN, twoStep: Infinity, person: "Infinity" },
  ];
  await cache.keepExtra("key", { extras: { gapYears }, seconds: 1 });
  assert.deepEqual((await cache.extra("key"))?.extras, { gapYears });
});

test("a model that learns nothing learned from nobody", async () => {
  const cache = join(folder, "unlearned");
  await execute(cache);
  const asks = opened.plan.asks.map((ask) => {
    const { model } = ask.fit;
    if (model.name !== "empirical") return ask;
    return {
      ...ask,
      fit: { ...ask.fit, model: { ...model, family: { ...model.family, learns: false } } },
    };
  });
  const unlearned = { ...opened, plan: { ...opened.plan, asks } };
  const { runs } = await collectResults(unlearned, new StudyCache(cache), []);
  for (const { model, fit } of runs) {
    assert.equal(fit.numPeople === 0, model === "empirical");
    assert.equal(fit.numObservations === 0, model === "empirical");
  }
  assert.equal(FAMILIES.get("prompted")!.learns, false);
});

test("results are gathered by model, population and refit", async () => {
  const cache = join(folder, "results");
  await execute(cache);
  const results = await collectResults(opened, new StudyCache(cache), []);
  const plain = results.runs.filter(({ refit }) => refit === undefined);
  assert.deepEqual(
    plain.map(({ model, population }) => `${model} ${population}`),
    ["empirical A", "empirical B", "kneser-ney A", "kneser-ney B", "pooled A", "pooled B"],
  );
  const kneserNey = plain[2]!;
  assert.deepEqual(
    kneserNey.answers.map(({ population, variation }) => [population, variation.kind]),
    [
      ["A", "none"],
      ["A", "shuffled"],
      ["A", "shuffled"],
      ["A", "history"],
      ["A", "history"],
      ["B", "none"],
    ],
  );
  // A model of the last occupation alone does not care who asks, nor how much it is told.
  const [own, ...varied] = kneserNey.answers.filter(({ population }) => population === "A");
  for (const { predictions } of varied) {
    assert.equal(perplexityOf(predictions), perplexityOf(own!.predictions));
  }
  assert.equal(results.runs.filter(({ refit }) => refit?.kind === "resampled").length, 4);
  assert.equal(results.runs.filter(({ refit }) => refit?.kind === "mixed").length, 2);
});
