import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PAD_TOKEN, trainBpe } from "../../data/mod.ts";
import { BYTE_ALPHABET } from "../../data/tokenizer/byte_level.ts";

const PATTERN = " ?[^ ]+| ";

/** The definition, step by step: recount all pairs, merge the commonest everywhere. */
function naiveMerges(texts: readonly string[], vocabSize: number): string[] {
  const alphabet = [...BYTE_ALPHABET];
  const charOf = new Map<number, string>();
  // The bytes that print, then the others in order, as GPT-2's bytes_to_unicode() has it.
  const prints = (b: number) => (b > 32 && b < 127) || (b > 160 && b !== 173);
  let numHidden = 0;
  for (let b = 0; b < 256; b++) {
    charOf.set(b, prints(b) ? String.fromCharCode(b) : String.fromCharCode(256 + numHidden++));
  }
  let words = texts
    .flatMap((text) => text.match(new RegExp(PATTERN, "gu")) ?? [])
    .map((piece) => Array.from(new TextEncoder().encode(piece), (byte) => charOf.get(byte)!));
  const vocab = [...alphabet];
  const merges: string[] = [];
  while (vocab.length < vocabSize) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const rank = (pair: string) => {
      const [left = "", right = ""] = pair.split(" ");
      return vocab.indexOf(left) * 1e6 + vocab.indexOf(right);
    };
    const [best] = [...counts].toSorted(([a, m], [b, n]) => n - m || rank(a) - rank(b));
    if (best === undefined || best[1] < 2) break;
    const [left = "", right = ""] = best[0].split(" ");
    merges.push(best[0]);
    if (!vocab.includes(left + right)) vocab.push(left + right);
    words = words.map((word) => {
      const merged: string[] = [];
      for (let i = 0; i < word.length; i++) {
        const joins = word[i] === left && word[i + 1] === right;
        merged.push(joins ? left + right : word[i]!);
        if (joins) i++;
      }
      return merged;
    });
  }
  return merges;
}

test("trainBpe() merges as the definition does, repeated letters included", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "é"), maxLength: 30 });
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 12 }), fc.nat({ max: 40 }), (texts, more) => {
      const json = trainBpe(texts, { vocabSize: 256 + more, pattern: PATTERN, specialTokens: [] });
      assert.deepEqual(json.model.merges, naiveMerges(texts, 256 + more));
    }),
    { numRuns: 300 },
  );
});

test("trainBpe() does not depend on the order of the texts", () => {
  const texts = ["low lower lowest", "new newer newest", "wide wider widest", "low low new"];
  const options = { vocabSize: 300, pattern: PATTERN, specialTokens: ["<end>"] };
  assert.deepEqual(trainBpe(texts.toReversed(), options), trainBpe(texts, options));
});

test("trainBpe() reuses the token that another merge has spelled", () => {
  // "abc" arises as a + bc and as ab + c.
  const texts = ["bc bc bc bc bc abc abc ab ab ab ab ab ab ab xabc xabc"];
  const { model } = trainBpe(texts, { vocabSize: 300, pattern: PATTERN, specialTokens: [] });
  const spelled = model.merges.map((merge) => merge.replace(" ", ""));
  assert.equal(new Set(spelled).size + 256, Object.keys(model.vocab).length);
  assert.deepEqual(
    Object.values(model.vocab).toSorted((a, b) => a - b),
    Object.keys(model.vocab).map((_, i) => i),
  );
});

test("trainBpe() has special tokens first, then all bytes, and never merges across specials", () => {
  const texts = Array.from({ length: 9 }, () => "ab<end>ab<|pad|>ab");
  const specialTokens = [PAD_TOKEN, "<end>"];
  const { model, added_tokens: added } = trainBpe(texts, {
    vocabSize: 400,
    pattern: PATTERN,
    specialTokens,
  });
  assert.deepEqual(model.merges, ["a b"]);
  assert.deepEqual(
    Object.entries(model.vocab)
      .toSorted(([, a], [, b]) => a - b)
      .map(([token]) => token),
    [...specialTokens, ...BYTE_ALPHABET, "ab"],
  );
  assert.deepEqual(
    added.map(({ id, content }) => [id, content]),
    [
      [0, PAD_TOKEN],
      [1, "<end>"],
    ],
  );
});

test("trainBpe() is quick on one long piece without repetition", () => {
  let state = 1;
  const letters = Array.from({ length: 20_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes, 3rd ed., §7.1
    return String.fromCharCode(97 + (state >>> 28));
  });
  const json = trainBpe([letters.join("")], {
    vocabSize: 400,
    pattern: PATTERN,
    specialTokens: [],
  });
  assert.equal(json.model.merges.length, 144);
});

test("trainBpe() refuses sizes, special tokens and patterns that cannot be", () => {
  const options = { vocabSize: 258, pattern: PATTERN, specialTokens: ["<a>", "<b>"] };
  assert.equal(Object.keys(trainBpe([], options).model.vocab).length, 258);
  for (const wrong of [
    { vocabSize: 257 },
    { vocabSize: 2 ** 21 },
    { vocabSize: 300.5 },
    { minCount: 0 },
    { specialTokens: ["<a>", "<a>"] },
    { specialTokens: [""] },
    { specialTokens: ["a"] },
  ]) {
    assert.throws(() => trainBpe([], { ...options, ...wrong }), RangeError, JSON.stringify(wrong));
  }
  assert.throws(() => trainBpe([], { ...options, pattern: "(" }), SyntaxError);
});
