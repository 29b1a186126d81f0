import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import {
  encodePrompt,
  encodeResume,
  END_MARK,
  OCCUPATIONS,
  PAD_TOKEN,
  renderPrompt,
  renderResume,
  RESUME_PATTERN,
  resumeTitles,
  titleTokens,
  Tokenizer,
  trainBpe,
  trainResumeTokenizer,
} from "../../data/mod.ts";
import { compilePattern, splitPieces } from "../../data/tokenizer/pieces.ts";
import { arbitraryCareer } from "./arbitrary_career.ts";

const careers = fc.sample(arbitraryCareer, { numRuns: 150, seed: 1 });
const json = trainResumeTokenizer(careers, { vocabSize: 1500 });
const tokenizer = Tokenizer.fromJson(json);
const pieces = (text: string) => splitPieces(text, compilePattern(RESUME_PATTERN));

test("a tokenizer survives JSON text and knows its special tokens", () => {
  const loaded = Tokenizer.fromJson(JSON.parse(JSON.stringify(json)));
  const { text } = renderResume(careers[0]!);
  assert.deepEqual(loaded.encode(text), tokenizer.encode(text));
  assert.equal(tokenizer.vocabSize, 1500);
  assert.deepEqual([...tokenizer.encode(END_MARK)], [tokenizer.endId]);
  assert.deepEqual([...tokenizer.encode(PAD_TOKEN)], [tokenizer.padId]);
  assert.equal(tokenizer.decode([tokenizer.endId, tokenizer.padId]), END_MARK + PAD_TOKEN);
});

test("decode() of encode() is the text, for any well-formed text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }),
    { numRuns: 500 },
  );
  for (const text of ["", " ", "\n\n", "\ufeffx", "a\r\nb", "__proto__", "constructor", "\0"]) {
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
});

test("every byte has a token", () => {
  const bytes = trainBpe([], {
    vocabSize: 258,
    pattern: ".",
    specialTokens: [PAD_TOKEN, END_MARK],
  });
  const plain = Tokenizer.fromJson(bytes);
  const seen = new Set<number>();
  for (let code = 0; code < 0x11_0000; code += code < 0x1000 ? 1 : 0x3_39) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const text = String.fromCodePoint(code);
    const ids = plain.encode(text);
    assert.equal(ids.length, Buffer.byteLength(text));
    for (const id of ids) seen.add(id);
  }
  // 13 bytes never occur in UTF-8: C0, C1 and F5 to FF.
  assert.equal(seen.size, 256 - 13);
});

test("ids equal those of the Rust library for resumes and any other text", async () => {
  const rust = RustTokenizer.fromString(JSON.stringify(json));
  const other = fc.sample(fc.string({ unit: "grapheme", maxLength: 60 }), {
    numRuns: 300,
    seed: 2,
  });
  const resumes = careers.slice(0, 50).map((career) => renderResume(career).text);
  const spaced = [
    "  Cooks  and\tcooks \n\n 19 1999 19999",
    "\u00a0A\u2028B",
    " (a):(b): (C):",
    END_MARK,
  ];
  for (const text of [...resumes, ...other, ...spaced]) {
    const encoding = await rust.encode(text, null, { addSpecialTokens: false });
    assert.deepEqual([...tokenizer.encode(text)], encoding.getIds(), JSON.stringify(text));
    assert.equal(await rust.decode(encoding.getIds(), false), text);
  }
});

test("a title, a year and an education level are one piece each", () => {
  for (const title of [...resumeTitles(), ...resumeTitles({ titles: "numeric" })]) {
    const row = ["1999", " (less than high school):", ` ${title}`, "\n"];
    assert.deepEqual(pieces([...row, ...row, END_MARK].join("")).slice(0, 8), [...row, ...row]);
  }
  assert.deepEqual(pieces(renderResume(careers[0]!, { dataset: "NLSY97" }).text).slice(0, 4), [
    "<A worker from the",
    " NLSY97 dataset>",
    "\n",
    "The following information is available about the work history of a",
  ]);
});

test("pieces join to the text they were cut from", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => pieces(text).join("") === text));
});

test("the tokens of a text are those of its prompt, its title and its line feed, for every title", () => {
  const prompt = renderPrompt(careers[0]!, { year: 2031, education: "any graduate" });
  for (const titles of ["authentic", "numeric"] as const) {
    const tokens = titleTokens(tokenizer, { titles });
    assert.equal(tokens.length, OCCUPATIONS.length);
    for (const [i, title] of resumeTitles({ titles }).entries()) {
      assert.deepEqual(
        [...tokenizer.encode(`${prompt} ${title}\n${END_MARK}`)],
        [...tokenizer.encode(prompt), ...tokens[i]!, ...tokenizer.encode("\n"), tokenizer.endId],
        title,
      );
    }
  }
});

test("encodeResume() has the tokens of the text and spans of the titles", () => {
  fc.assert(
    fc.property(
      arbitraryCareer,
      fc.boolean(),
      fc.nat({ max: 9 }),
      (career, birthYear, lastRows) => {
        const options = { birthYear, lastRows };
        const { id, tokens, titles } = encodeResume(career, tokenizer, options);
        assert.equal(id, career.id);
        assert.deepEqual(tokens, tokenizer.encode(renderResume(career, options).text));
        const told = career.observations.slice(-lastRows || Infinity);
        assert.equal(titles.length, Math.min(lastRows, career.observations.length));
        const perTitle = titleTokens(tokenizer);
        for (const [i, { start, end, occupation, previous }] of titles.entries()) {
          const before = career.observations[career.observations.indexOf(told[i]!) - 1];
          assert.equal(OCCUPATIONS[occupation]?.code, told[i]?.occupation);
          assert.equal(
            previous === undefined ? undefined : OCCUPATIONS[previous]?.code,
            before?.occupation,
          );
          assert.deepEqual(tokens.slice(start, end), perTitle[occupation]);
          const prompt = encodePrompt(career, told[i]!, { tokenizer, birthYear });
          if (lastRows >= career.observations.length)
            assert.deepEqual(tokens.slice(0, start), prompt);
        }
      },
    ),
  );
});

test("encode() of a piece of 10,000 characters takes no quadratic time", () => {
  const begin = performance.now();
  for (const unit of ["a", "Cooks ", "é", "ab"]) {
    const text = ` A${unit.repeat(10_000 / unit.length)}`;
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  }
  assert.ok(performance.now() - begin < 2000);
});

test("what encode() returns may be changed without changing the next result", () => {
  const expected = [...tokenizer.encode(" Cooks")];
  tokenizer.encode(" Cooks").fill(0);
  tokenizer.encode(" Cooks").fill(0);
  assert.deepEqual([...tokenizer.encode(" Cooks")], expected);
});

test("a tokenizer refuses text and ids that it cannot express", () => {
  assert.throws(() => tokenizer.encode("a\ud800"), RangeError);
  assert.throws(() => tokenizer.encode("a".repeat(2 ** 20 + 1)), /encode it in parts/);
  for (const id of [1500, -1, 0.5]) assert.throws(() => tokenizer.decode([3, id]), RangeError);
});

test("fromJson() refuses what is no tokenizer, or lacks a token with a role", () => {
  for (const wrong of [{}, [], { ...json, model: null }, { ...json, model: { type: "BPE" } }]) {
    assert.throws(() => Tokenizer.fromJson(wrong), SyntaxError, JSON.stringify(wrong).slice(0, 80));
  }
  assert.throws(
    () => Tokenizer.fromJson(json, { endToken: "</s>" }),
    /^RangeError: Cannot load a tokenizer: its vocabulary must contain the endToken "<\/s>"/,
  );
});

test("titleTokens() refuses a tokenizer that cannot tell two titles apart", () => {
  // Only "a" to "c" have tokens: all else is dropped, as vocabularies without bytes do.
  const poor = {
    ...json,
    model: {
      ...json.model,
      merges: [],
      vocab: { [PAD_TOKEN]: 0, [END_MARK]: 1, a: 2, b: 3, c: 4 },
    },
  };
  assert.throws(
    () => titleTokens(Tokenizer.fromJson(poor)),
    /each title must have tokens of its own/,
  );
});
