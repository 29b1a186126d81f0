import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import {
  type GgufVocabulary,
  readGpt2Vocabulary,
  readLlama2cVocabulary,
  readSentencePiece,
  Tokenizer,
  tokenizerJsonOfVocabulary,
} from "../../data/mod.ts";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import { sentencePieceBpe } from "../reference/sentencepiece_bpe.ts";
import { AWKWARD, fixture, noFixtures, vocabularyCases } from "./fixtures.ts";

const LLAMA = "ggml-vocab-llama-spm";
const GPT2 = "ggml-vocab-gpt-2";
const skip = noFixtures;

const texts = fc.sample(
  fc.array(fc.constantFrom(...AWKWARD), { maxLength: 40 }).map((parts) => parts.join("")),
  { numRuns: 200, seed: 4 },
);

async function readGguf(name: string): Promise<GgufVocabulary> {
  return readGgufVocabulary(bytesSource(fixture(`gguf_vocab/${name}.gguf`), name));
}

function load(vocabulary: GgufVocabulary): Tokenizer {
  return Tokenizer.fromJson(JSON.parse(JSON.stringify(tokenizerJsonOfVocabulary(vocabulary))));
}

function checkCases(vocabulary: GgufVocabulary, name: string): void {
  const tokenizer = load(vocabulary);
  const cases = vocabularyCases(name);
  assert.ok(cases.length > 40);
  for (const { text, ids } of cases) {
    assert.deepEqual([...tokenizer.encode(text)], ids, JSON.stringify(text));
    if (ids.length > 0) assert.equal(tokenizer.decode(ids), text);
  }
}

async function checkAgainstRust(vocabulary: GgufVocabulary): Promise<void> {
  const json = tokenizerJsonOfVocabulary(vocabulary);
  const rust = RustTokenizer.fromString(JSON.stringify(json));
  const tokenizer = load(vocabulary);
  for (const text of texts) {
    for (const addSpecialTokens of [false, true]) {
      const encoding = await rust.encode(text, null, { addSpecialTokens });
      const ids = [...tokenizer.encode(text, { addSpecialTokens })];
      assert.deepEqual(ids, encoding.getIds(), JSON.stringify(text));
      assert.equal(
        await rust.decode(ids, true),
        tokenizer.decode(ids, { skipSpecialTokens: true }),
      );
    }
  }
}

const gpt2Files = () =>
  readGpt2Vocabulary(
    JSON.parse(new TextDecoder().decode(fixture("gpt2_tokenizer/encoder.json"))),
    new TextDecoder().decode(fixture("gpt2_tokenizer/vocab.bpe")),
  );

test(
  "a GGUF file with Llama's vocabulary gives the ids that llama.cpp expects",
  { skip },
  async () => {
    checkCases(await readGguf(LLAMA), LLAMA);
  },
);

test(
  "a GGUF file with GPT-2's vocabulary gives the ids that llama.cpp expects",
  { skip },
  async () => {
    checkCases(await readGguf(GPT2), GPT2);
  },
);

test("tokenizer.model and tokenizer.bin of Llama give the same ids", { skip }, () => {
  const model = readSentencePiece(fixture("llama2_tokenizer/tokenizer.model"));
  const bin = readLlama2cVocabulary(fixture("llama2_tokenizer/tokenizer.bin"), {
    vocabSize: 32_000,
  });
  assert.deepEqual(bin.tokens, model.tokens);
  assert.deepEqual(bin.tokenTypes, model.tokenTypes);
  checkCases(model, LLAMA);
  checkCases(bin, LLAMA);
});

test("encoder.json and vocab.bpe of GPT-2 give the ids that llama.cpp expects", { skip }, () => {
  const vocabulary = gpt2Files();
  checkCases(vocabulary, GPT2);
  const tokenizer = load(vocabulary);
  assert.equal(tokenizer.vocabSize, 50_257);
  assert.deepEqual([...tokenizer.encode("<|endoftext|>")], [tokenizer.endId]);
});

test("the Rust library loads each vocabulary and agrees on any text", { skip }, async () => {
  await checkAgainstRust(readSentencePiece(fixture("llama2_tokenizer/tokenizer.model")));
  await checkAgainstRust(readLlama2cVocabulary(fixture("stories260K/tok512.bin")));
  await checkAgainstRust(gpt2Files());
  for (const pre of ["default", "llama-bpe", "qwen2", "smollm"]) {
    await checkAgainstRust({ ...gpt2Files(), pre });
  }
});

test("merges by score are SentencePiece's, for real vocabularies and any text", { skip }, () => {
  const llama = readSentencePiece(fixture("llama2_tokenizer/tokenizer.model"));
  const small = readLlama2cVocabulary(fixture("stories260K/tok512.bin"));
  for (const vocabulary of [llama, small]) {
    const tokenizer = load(vocabulary);
    for (const text of texts) {
      const expected = sentencePieceBpe(vocabulary, text);
      assert.deepEqual([...tokenizer.encode(text)], expected, JSON.stringify(text));
    }
  }
});

test("a vocabulary begins texts with a token where it says so", { skip }, async () => {
  const llama = await readGguf(LLAMA);
  const ids = (vocabulary: GgufVocabulary) => [
    ...load(vocabulary).encode("Hello", { addSpecialTokens: true }),
  ];
  assert.deepEqual(ids(llama), [1, 15_043]);
  assert.deepEqual(ids({ ...llama, addBos: false, addEos: true }), [15_043, 2]);
  assert.deepEqual(ids({ ...llama, addSpacePrefix: false }), [1, 10_994]);
  const gpt2 = await readGguf(GPT2);
  assert.deepEqual(ids(gpt2), [15_496]);
  assert.deepEqual(ids({ ...gpt2, pre: "llama-bpe" }), [50_256, 15_496]);
});

const bytes = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);

/** A unigram vocabulary in which "▁ab" beats "▁a" + "b", and "ba" beats "b" + "a". */
const unigram: GgufVocabulary = {
  model: "t5",
  tokens: ["<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "▁ab", "ba", "abab", "é", "🦙", ...bytes],
  scores: Float32Array.of(
    0,
    0,
    0,
    -2,
    -3,
    -3.5,
    -4,
    -4.5,
    -4.25,
    -10,
    -6,
    -7,
    ...bytes.map(() => 0),
  ),
  tokenTypes: [3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...bytes.map(() => 6 as const)],
  eosId: 1,
  unkId: 2,
  padId: 0,
  removeExtraSpaces: true,
};

test("a unigram vocabulary equals the Rust library, with bytes and without", async () => {
  const cut: GgufVocabulary = {
    ...unigram,
    tokens: unigram.tokens.slice(0, 12),
    scores: unigram.scores!.slice(0, 12),
    tokenTypes: unigram.tokenTypes!.slice(0, 12),
  };
  const parts = fc.constantFrom("a", "b", "ab", " ", "  ", "é", "🦙", "漢", "z", "\n", "</s>");
  const words = fc.sample(
    fc.array(parts, { maxLength: 20 }).map((list) => list.join("")),
    { numRuns: 300, seed: 5 },
  );
  for (const vocabulary of [unigram, cut]) {
    const json = tokenizerJsonOfVocabulary(vocabulary);
    const rust = RustTokenizer.fromString(JSON.stringify(json));
    const tokenizer = Tokenizer.fromJson(json);
    // −4.5 − 3 − 3.5 beats −4 − 4.25 − 3.5, −2 − 10 and all else.
    assert.deepEqual([...tokenizer.encode("abab")], [7, 4, 5]);
    for (const text of words) {
      const encoding = await rust.encode(text, null, { addSpecialTokens: true });
      const ids = [...tokenizer.encode(text, { addSpecialTokens: true })];
      assert.deepEqual(ids, encoding.getIds(), JSON.stringify(text));
    }
  }
});

test("what cannot be converted is refused by name", () => {
  const gpt2: GgufVocabulary = { model: "gpt2", tokens: ["a"], merges: [] };
  const refused: readonly (readonly [GgufVocabulary, RegExp])[] = [
    [{ ...gpt2, pre: "viking" }, /one of default, gpt-2, .* got "viking"/],
    [{ ...gpt2, model: "rwkv" }, /must be llama .* got "rwkv"/],
    [{ ...gpt2, tokens: ["a", "a"] }, /token 1 must have a text of its own, got that of token 0/],
    [{ ...gpt2, tokens: [""] }, /token 0 must have a text of its own, got none/],
    [{ ...gpt2, tokens: [] }, /1 to \d+ tokens/],
    [{ ...gpt2, bosId: 1 }, /bosId must be the id of one of 1 tokens, got 1/],
    [
      { ...gpt2, model: "llama", scores: Float32Array.of(1, 2) },
      /as many scores as tokens, 1, got 2/,
    ],
    [
      { ...gpt2, model: "llama", scores: Float32Array.of(Number.NaN) },
      /score of token 0 must be finite/,
    ],
    [{ ...gpt2, model: "t5" }, /must have an unknown token/],
    [{ ...gpt2, model: "llama", tokens: ["a".repeat(300)] }, /at most 256 characters/],
  ];
  for (const [vocabulary, message] of refused) {
    const convert = () => tokenizerJsonOfVocabulary(vocabulary);
    assert.throws(convert, (error) => error instanceof SyntaxError && message.test(error.message));
  }
});

test("a single word of a million characters encodes in seconds", { skip }, () => {
  for (const vocabulary of [
    gpt2Files(),
    readSentencePiece(fixture("llama2_tokenizer/tokenizer.model")),
    { ...unigram },
  ]) {
    const tokenizer = load(vocabulary);
    const begin = performance.now();
    assert.ok(tokenizer.encode("ab".repeat(500_000)).length > 100_000);
    // One to two seconds on an idle machine; tests run beside others.
    assert.ok(performance.now() - begin < 30_000);
  }
});
