import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promptedFamily, type PromptedSpec } from "../../cli/study/families/prompted.ts";
import type { FitTask, OpenedModel } from "../../cli/study/family.ts";
import {
  type Career,
  careerToJson,
  encodeResume,
  occupationIndex,
  renderPromptContext,
  syntheticPopulation,
  titleTokens,
} from "../../data/mod.ts";
import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { TextModel } from "../../model/pretrained/text_model.ts";
import { silentProgress, temporaryFolder } from "../cli/run_support.ts";
import { missing, openStories } from "../pretrained/stories.ts";
import { assertClose } from "../support.ts";

const FIXTURES = fileURLToPath(new URL("../../../shared/fixtures/", import.meta.url));
/** People without a region: their resumes are shorter, and the model reads only 512 tokens. */
const generate = (numPeople: number, seed: number): Career[] =>
  syntheticPopulation("survey")
    .generate(numPeople, { seed })
    .map(({ region: _region, ...career }) => career);
const train = generate(12, 1);
/** The first years of a few: each takes thousands of tokens of titles. */
const people = generate(2, 2).map((career) => ({
  ...career,
  observations: career.observations.slice(0, 2),
}));
/** Titles of up to 48 tokens of a small vocabulary, each with an f32 error of some 1e-5. */
const TOLERANCE = { rtol: 1e-5, atol: 2e-3 };
/** What fits the 512 tokens of the model. */
const FITTING = { resumes: 1, example_rows: 1, last_rows: 1, birth_year: false };

function task(settings: object, seed = 1, folder = temporaryFolder()): FitTask<PromptedSpec> {
  return {
    name: "Stories, off the shelf",
    spec: promptedFamily.schema.parse({ model: "stories260K/stories260K.bin", ...settings }),
    folder,
    cohort: { train, valid: [] },
    studyFolder: FIXTURES,
    progress: silentProgress(),
    device: { tuning: "off" },
    signal: new AbortController().signal,
    seed,
  };
}

/** Log-probability of each observation's title behind its prompt, by the scorer of texts. */
async function oneByOne({ language }: OpenedModel): Promise<number[]> {
  const { gpu, transformer, tokenizer, prompt } = language!;
  const titles = titleTokens(tokenizer);
  const model = new TextModel({ gpu, transformer, tokenizer });
  const requests = people.flatMap((career) =>
    career.observations.map(({ occupation }, index) => ({
      prefix: prompt(career, index),
      continuations: [titles[occupationIndex(occupation)]!],
    })),
  );
  const scores = await model.scoreBatch(requests);
  return scores.map(([title]) => title!.reduce((sum, value) => sum + value, 0));
}

for (const [what, settings] of [
  ["alone", { last_rows: 1 }],
  ["behind an example resume", FITTING],
] as const) {
  test(
    `a real model asked ${what} gives each title the probability of its tokens`,
    {
      skip: missing,
    },
    async () => {
      const own = task({ ...settings, tolerance: 0 });
      await promptedFamily.fit(own);
      const opened = await promptedFamily.open(own);
      try {
        const { raw, normalized, stay, year } = await collectPredictions(
          opened.model,
          people.map(opened.person),
        );
        const years = people.flatMap(({ observations }) => observations.map((one) => one.year));
        assert.deepEqual([...year], years);
        assertClose(raw, await oneByOne(opened), { what: "raw", ...TOLERANCE });
        assert.ok(normalized.every((value, i) => value <= 0 && value > raw[i]!));
        assert.equal(stay.filter(Number.isNaN).length, people.length);
      } finally {
        await opened.close();
      }
    },
  );
}

test(
  "a prompt is the examples and the latest years, as the tokenizer reads them",
  {
    skip: missing,
  },
  async () => {
    const own = task(FITTING);
    await promptedFamily.fit(own);
    const opened = await promptedFamily.open(own);
    try {
      const { tokenizer, prompt } = opened.language!;
      const [line] = readFileSync(join(own.folder, "examples.jsonl"), "utf8").split("\n");
      const example = train.find((career) => careerToJson(career) === line)!;
      const career = train.find(({ observations }) => observations.length > 4)!;
      const text = tokenizer.decode(prompt(career, 4).subarray(1)).trimStart();
      const wording = { birthYear: false, lastRows: 1 };
      const context = renderPromptContext({ examples: [example], ...wording });
      assert.ok(text.startsWith(context), `${text} must begin with ${context}`);
      const [before, asked] = career.observations.slice(3, 5);
      assert.match(context, /job title:\n\d+ \([a-z ]+\): [^\n]+\n<END OF DATA>\n$/);
      const rest = text.slice(context.length);
      assert.ok(rest.startsWith("<A worker from the"));
      assert.equal(rest.split("\n").length, 5); // three of the header, the year before, the one asked
      assert.match(rest, new RegExp(`\\n${before!.year} .*\\n${asked!.year} \\([a-z ]+\\):$`));
    } finally {
      await opened.close();
    }
  },
);

test("examples are drawn by the seed, and kept", { skip: missing }, async () => {
  const settings = { resumes: 1, example_rows: 1, last_rows: 1, birth_year: false };
  const draw = async (seed: number) => {
    const own = task(settings, seed);
    const report = await promptedFamily.fit(own);
    return { report, text: readFileSync(join(own.folder, "examples.jsonl"), "utf8") };
  };
  const [first, again, ...others] = await Promise.all([1, 1, 2, 3, 4].map(draw));
  assert.deepEqual(first, again);
  assert.ok(others.some(({ text }) => text !== first!.text));
  assert.equal(first!.report.details!["examples"], 1);
});

test(
  "a context that does not fit is refused with what is needed, and the remedy",
  {
    skip: missing,
  },
  async () => {
    await assert.rejects(promptedFamily.fit(task({ titles: true, resumes: 2, example_rows: 3 })), {
      name: "CliError",
      message:
        /"Stories, off the shelf" about career "survey-1-0".*must fit the model's 512 tokens, got [78]\d{3} \([78]\d{3} of titles and examples\); lower resumes or example_rows, leave out titles, take/,
    });
    await assert.rejects(promptedFamily.fit(task({ resumes: 13 })), {
      message: /Cannot show 13 example resumes.*got 12; lower resumes/,
    });
  },
);

test("as many of the latest years are told as fit", { skip: missing }, async () => {
  const own = task({});
  const { details } = await promptedFamily.fit(own);
  const fewest = Number(details!["fewestRows"]);
  assert.ok(fewest >= 2 && fewest <= 8, `${fewest} rows`);
  const opened = await promptedFamily.open(own);
  try {
    const { prompt, tokenizer } = opened.language!;
    const longest = Math.max(...titleTokens(tokenizer).map(({ length }) => length));
    const lengths = train.map((career) => {
      const text = tokenizer.decode(prompt(career, career.observations.length - 1));
      const told = text.split("\n").length - 5; // the header, and the year in question
      assert.ok(told >= Math.min(fewest, career.observations.length - 1));
      return career.observations.map((_, index) => prompt(career, index).length);
    });
    const most = Math.max(...lengths.flat());
    assert.ok(most + longest - 1 <= 512 && most + longest - 1 > 470, `${most} of 512`);
  } finally {
    await opened.close();
  }
});

test(
  "a resume behind other text has no token that begins a document",
  {
    skip: missing,
  },
  async () => {
    const tokenizer = tokenizerOfModel(await openStories());
    const [first] = encodeResume(people[0]!, tokenizer).tokens;
    const next = encodeResume(people[0]!, tokenizer, { continues: true }).tokens;
    assert.equal(first, tokenizer.beginId);
    assert.ok(!next.includes(tokenizer.beginId!));
    assert.match(tokenizer.decode(next), /^<A worker/);
  },
);
