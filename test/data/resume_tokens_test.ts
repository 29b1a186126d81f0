import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Career,
  checkResumeTokens,
  encodePrompt,
  encodeResume,
  END_MARK,
  renderResume,
  resumeTitles,
  titleTokens,
  Tokenizer,
} from "../../data/mod.ts";
import { readGpt2Vocabulary } from "../../data/tokenizer/gpt2_vocabulary.ts";
import { readLlama2cVocabulary } from "../../data/tokenizer/llama2c.ts";
import { readSentencePiece } from "../../data/tokenizer/sentencepiece.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import { resumeWindows, windowLength } from "../../data/windows.ts";
import { arbitraryCareer } from "./arbitrary_career.ts";
import { fixture, noFixtures } from "./fixtures.ts";

const text = (name: string) => new TextDecoder().decode(fixture(name));

const llama2 = () =>
  tokenizerJsonOfVocabulary(readSentencePiece(fixture("llama2_tokenizer/tokenizer.model")));

/** The same as newer files have it: the space comes from the pre-tokenizer, at the first word. */
const llama2Metaspace = () => ({
  ...llama2(),
  normalizer: null,
  pre_tokenizer: {
    type: "Metaspace",
    replacement: "▁",
    prepend_scheme: "first",
    split: false,
  },
});

const gpt2 = () =>
  tokenizerJsonOfVocabulary(
    readGpt2Vocabulary(
      JSON.parse(text("gpt2_tokenizer/encoder.json")) as object,
      text("gpt2_tokenizer/vocab.bpe"),
    ),
  );

/** Tokenizers that put a space before a text, and one that does so only when its file says so. */
const KINDS: Readonly<Record<string, () => object>> = {
  "Llama 2": llama2,
  "Llama 2 by Metaspace": llama2Metaspace,
  stories260K: () =>
    tokenizerJsonOfVocabulary(
      readLlama2cVocabulary(fixture("stories260K/tok512.bin"), { vocabSize: 512 }),
    ),
  "GPT-2": gpt2,
  "GPT-2 with a space before": () => {
    const json = gpt2();
    return {
      ...json,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true },
      decoder: { type: "ByteLevel", add_prefix_space: true },
    };
  },
};

const tokenizers = new Map(
  noFixtures === false
    ? Object.entries(KINDS).map(([name, load]) => [name, Tokenizer.fromJson(load())] as const)
    : [],
);

for (const [name, tokenizer] of tokenizers) {
  test(`tokens of resumes read back as the text, title by title, with ${name}'s tokenizer`, () => {
    const titles = resumeTitles();
    const perTitle = titleTokens(tokenizer);
    const isSpaced = name.includes("space before");
    fc.assert(
      fc.property(arbitraryCareer, (career) => {
        const resume = encodeResume(career, tokenizer);
        const { tokens } = resume;
        const hasBegin = /Llama|stories/.test(name);
        assert.equal(tokens[0] === tokenizer.beginId, hasBegin);
        assert.equal(tokens.at(-1), tokenizer.endId);
        const inner = tokenizer.decode(tokens.subarray(hasBegin ? 1 : 0, -1)) + END_MARK;
        assert.equal(isSpaced ? inner.slice(1) : inner, renderResume(career).text);
        for (const { start, end, occupation } of resume.titles) {
          assert.deepEqual(tokens.slice(start, end), perTitle[occupation]);
          // Behind another token, no decoder takes the space away.
          const read = tokenizer.decode([...tokenizer.encode("x"), ...tokens.slice(start, end)]);
          assert.equal(read.trimStart(), `x ${titles[occupation]}`);
        }
        const last = career.observations.at(-1)!;
        const prompt = encodePrompt(career, last, { tokenizer });
        assert.deepEqual(tokens.slice(0, prompt.length), prompt);
        assert.equal(resume.titles.at(-1)!.start, prompt.length);
      }),
      { numRuns: 30 },
    );
  });
}

test("Llama 2's tokens of a resume are those of its whole text", { skip: noFixtures }, () => {
  const tokenizer = tokenizers.get("Llama 2")!;
  fc.assert(
    fc.property(arbitraryCareer, (career) => {
      const whole = tokenizer.encode(renderResume(career).text.slice(0, -END_MARK.length), {
        addSpecialTokens: true,
      });
      assert.deepEqual(encodeResume(career, tokenizer).tokens.slice(0, -1), whole);
    }),
    { numRuns: 30 },
  );
});

test("windows of a long resume keep its begin token and header", { skip: noFixtures }, () => {
  const tokenizer = tokenizers.get("stories260K")!;
  const career: Career = {
    id: "long",
    gender: "female",
    ethnicity: "white",
    observations: Array.from({ length: 30 }, (_, i) => ({
      year: 1980 + i,
      education: "some college",
      occupation: "unemployed",
    })),
  };
  const resume = encodeResume(career, tokenizer);
  const headerLength =
    resume.titles[0]!.start -
    tokenizer.encode("1980 (some college):", {
      continues: true,
    }).length;
  const windows = resumeWindows(resume, 400);
  assert.ok(windows.length > 1);
  for (const window of windows) {
    assert.equal(window.headerLength, window.resume.tokens.length > 400 ? headerLength : 0);
    assert.ok(windowLength(window) <= 400);
  }
});

test("a tokenizer that loses characters, or line feeds, is refused", { skip: noFixtures }, () => {
  const career: Career = {
    id: "a",
    gender: "female",
    ethnicity: "white",
    observations: [{ year: 1984, education: "some college", occupation: "unemployed" }],
  };
  for (const tokenizer of tokenizers.values()) checkResumeTokens(career, tokenizer);
  const lower = { ...gpt2(), normalizer: { type: "Lowercase" } };
  assert.throws(() => checkResumeTokens(career, Tokenizer.fromJson(lower)), {
    name: "RangeError",
    message: /must read back as the text, "A worker.*, got "a worker/,
  });
  const stripped = {
    ...gpt2(),
    normalizer: { type: "Strip", strip_left: true, strip_right: true },
  };
  assert.throws(() => encodeResume(career, Tokenizer.fromJson(stripped)), {
    name: "RangeError",
    message: /a line feed must be one token, got none$/,
  });
});
