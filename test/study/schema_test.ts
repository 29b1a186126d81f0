import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { FAMILIES } from "../../cli/study/registry.ts";
import { readStudy } from "../../cli/study/schema.ts";
import { COUNTS_STUDY } from "./study_support.ts";

const read = (text: string) => readStudy(text, "study.yaml", FAMILIES);

/** The study with some text in place of other. */
function changed(from: string, to: string): string {
  assert.ok(COUNTS_STUDY.includes(from), `the study must hold ${from}`);
  return COUNTS_STUDY.replace(from, to);
}

test("readStudy() fills in defaults and gives each model its family", () => {
  const { study, models } = read(COUNTS_STUDY);
  assert.equal(study.evaluation.top.length, 3);
  assert.deepEqual(
    models.map(({ name, label, populations }) => [name, label, populations.length]),
    [
      ["empirical", "empirical", 2],
      ["kneser-ney", "Kneser-Ney", 2],
      ["pooled", "pooled", 2],
    ],
  );
  assert.deepEqual(models[0]!.spec, { smoothing: "add-one" });
  assert.equal(models[2]!.trainOn, "all");
});

test("readStudy() merges what replaces settings while a model is pretrained", () => {
  const { models } = read(
    changed(
      "refits:",
      `  - name: text
    family: language-model
    training: { epochs: 2, learning_rate: 0.001 }
    pretrain: { on: [B], training: { learning_rate: 0.005 } }
refits:`,
    ),
  );
  const { spec, pretrain } = models[3]!;
  const training = (of: unknown) => (of as { training: Record<string, number> }).training;
  assert.equal(training(spec)["learning_rate"], 0.001);
  assert.equal(training(pretrain!.spec)["learning_rate"], 0.005);
  assert.equal(training(pretrain!.spec)["epochs"], 2);
  assert.deepEqual(pretrain!.on, ["B"]);
});

const REFUSED: readonly (readonly [what: string, from: string, to: string, message: RegExp])[] = [
  [
    "a misspelt key",
    "evaluation:",
    "evalution:",
    /unknown "evalution" \(did you mean "evaluation"\?\)/,
  ],
  [
    "a misspelt setting of a model",
    "smoothing: kneser-ney, train_on",
    "smothing: kneser-ney, train_on",
    /models\.2 \(pooled\).*unknown "smothing" \(did you mean "smoothing"\?\)/,
  ],
  [
    "a wrong value",
    "smoothing: kneser-ney, train_on",
    "smoothing: none, train_on",
    /smoothing: .*add-one/,
  ],
  [
    "an unknown family",
    "name: empirical, family: empirical",
    "name: empirical, family: emprical",
    /family: must name one of .*did you mean "empirical"\?/,
  ],
  ["an unknown population", "train_on: all", "train_on: [C]", /must name one of A, B, got "C"/],
  [
    "an unknown model",
    "models: [kneser-ney], rows",
    "models: [kneser-nay], rows",
    /ablations\.history\.models: must name one of .*did you mean "kneser-ney"\?/,
  ],
  [
    "a claim about an unknown model",
    "worse: empirical",
    "worse: counts",
    /claims\.0: must name one of/,
  ],
  [
    "a claim about a share that nobody asked for",
    "worse: empirical",
    "worse: empirical, better_share: 0.25",
    /claims\.0\.better_share: must be one of refits\.mixed\.shares/,
  ],
  ["an unknown reference", "reference: kneser-ney", "reference: best", /evaluation\.reference/],
  ["a name twice", "name: pooled", "name: empirical", /names must differ, got "empirical" twice/],
  [
    "two sources",
    "synthetic: large, people: 50",
    "synthetic: large, careers: a.tsv",
    /populations\.B: must have one of careers, survey and synthetic/,
  ],
  ["a name that would be a path", "  B:", "  ../B:", /populations/],
  ["a key twice", "seed: 3", "seed: 3\nseed: 4", /line 4 must be YAML/],
  [
    "pretraining of counts",
    "train_on: all",
    "pretrain: { on: others }",
    /cannot begin with what it learned from others/,
  ],
  ["a share above one", "shares: [0.5]", "shares: [1.5]", /refits\.mixed\.shares\.0/],
  [
    "one population with others",
    "  B: { synthetic: large, people: 50 }\n",
    "",
    /there must be another/,
  ],
];
for (const [what, from, to, message] of REFUSED) {
  test(`readStudy() refuses ${what}, naming it`, () => {
    assert.throws(
      () => read(changed(from, to)),
      (error) => {
        assert.ok(error instanceof SyntaxError, String(error));
        assert.match(error.message, /^Cannot read "study\.yaml/);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("readStudy() refuses aliases that multiply", () => {
  const bomb = `a: &a [x, x]\n${Array.from(
    { length: 12 },
    (_, i) =>
      `k${i}: &k${i} [${Array(9)
        .fill(i === 0 ? "*a" : `*k${i - 1}`)
        .join(", ")}]`,
  ).join("\n")}`;
  assert.throws(() => read(bomb), /aliases must stand for little/);
});

for (const name of readdirSync("studies")) {
  test(`studies/${name} is a study`, () => {
    const { models } = readStudy(readFileSync(`studies/${name}`, "utf8"), name, FAMILIES);
    assert.ok(models.length > 0, "it must have models");
  });
}
