import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { GgufVocabulary } from "../../data/tokenizer/vocabulary_data.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import { vocabularyOfTokenizerJson } from "../../data/tokenizer/vocabulary_of_json.ts";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { storedGgufModel } from "../../model/checkpoint/gguf/stored_model.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import { FILE, ggufFile, LLAMA } from "./gguf_files.ts";

const FIXTURES = new URL("../../../shared/fixtures/gguf_vocab/", import.meta.url);
const skip = existsSync(FIXTURES)
  ? false
  : "needs ../shared/fixtures/gguf_vocab beside the repository, which is not there";

async function fixture(name: string): Promise<GgufVocabulary> {
  const bytes = Uint8Array.from(await readFile(new URL(name, FIXTURES)));
  return readGgufVocabulary(bytesSource(bytes, name));
}

const BYTE_LEVEL: GgufVocabulary = {
  model: "gpt2",
  pre: "llama-bpe",
  tokens: ["a", "b", "Ġ", "ab", "Ġab", "<|begin|>", "<|end|>"],
  tokenTypes: [1, 1, 1, 1, 1, 3, 3],
  merges: ["a b", "Ġ ab"],
  bosId: 5,
  eosId: 6,
  addBos: true,
  addEos: false,
};
const CONFIG = { bos_token: "<|begin|>", eos_token: { content: "<|end|>" } };

test("a byte-level vocabulary survives tokenizer.json, for every way to cut text", () => {
  for (const pre of ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"]) {
    const vocabulary = { ...BYTE_LEVEL, pre };
    const json = tokenizerJsonOfVocabulary(vocabulary);
    assert.deepEqual(vocabularyOfTokenizerJson(json, CONFIG), vocabulary);
  }
});

test("a tokenizer.json becomes a GGUF file's vocabulary, and that the same tokenizer.json", async () => {
  const json = tokenizerJsonOfVocabulary(BYTE_LEVEL);
  const vocabulary = vocabularyOfTokenizerJson(json, { ...CONFIG, chat_template: "{{ x }}" });
  const bytes = await ggufFile(LLAMA, { vocabulary });
  const stored = await storedGgufModel(bytesSource(bytes, FILE), {
    tokenizerOf: tokenizerJsonOfVocabulary,
  });
  assert.deepEqual(stored.tokenizer, json);
  assert.equal(stored.tokenizerConfig?.["chat_template"], "{{ x }}");
  assert.deepEqual(stored.generation, { beginToken: 5, endTokens: [6] });
});

test("GPT-2's vocabulary survives tokenizer.json", { skip }, async () => {
  const vocabulary = await fixture("ggml-vocab-gpt-2.gguf");
  const config = { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" };
  const again = vocabularyOfTokenizerJson(tokenizerJsonOfVocabulary(vocabulary), config);
  assert.deepEqual(again, { ...vocabulary, addBos: false, addEos: false });
});

test("scores of Llama 2's tokens keep their order through tokenizer.json", { skip }, async () => {
  const vocabulary = await fixture("ggml-vocab-llama-spm.gguf");
  const config = { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" };
  const json = tokenizerJsonOfVocabulary(vocabulary);
  const { scores, ...again } = vocabularyOfTokenizerJson(json, config);
  const { scores: first, ...expected } = vocabulary;
  assert.deepEqual(again, { ...expected, addSpacePrefix: true });
  // Characters aside, which come of no merge.
  const merged = vocabulary.tokens
    .map((token, id) => ({ token, id }))
    .filter(({ token, id }) => vocabulary.tokenTypes![id] === 1 && Array.from(token).length > 1)
    .map(({ id }) => id);
  const order = (of: Float32Array) => merged.toSorted((a, b) => of[b]! - of[a]!);
  assert.ok(merged.length > 20_000);
  assert.deepEqual(order(scores!), order(first!));
});

test("ids without a token become unused tokens", () => {
  const json = tokenizerJsonOfVocabulary(BYTE_LEVEL);
  const added_tokens = [{ id: 9, content: "<x>", special: false }];
  const { tokens, tokenTypes } = vocabularyOfTokenizerJson({ ...json, added_tokens });
  assert.deepEqual(tokens.slice(5), ["<|begin|>", "<|end|>", "[PAD7]", "[PAD8]", "<x>"]);
  assert.deepEqual(tokenTypes, [1, 1, 1, 1, 1, 1, 1, 5, 5, 4]);
});

test("a tokenizer that llama.cpp cannot follow is refused, saying what it can", () => {
  const json = tokenizerJsonOfVocabulary(BYTE_LEVEL);
  const refuse = (change: object, message: RegExp) =>
    assert.throws(
      () => vocabularyOfTokenizerJson({ ...json, ...change }),
      (error: Error) => {
        assert.equal(error.name, "SyntaxError");
        assert.match(error.message, /^Cannot convert a tokenizer\.json: .*, got /);
        assert.match(error.message, message);
        return true;
      },
    );
  const split = { type: "Split", pattern: { Regex: "\\w+" }, behavior: "Isolated", invert: false };
  refuse({ pre_tokenizer: split }, /for one of gpt-2, smollm, .*; write the model without/);
  refuse({ pre_tokenizer: { type: "Whitespace" } }, /must be Split, Digits or ByteLevel, got "W/);
  refuse({ model: { type: "WordPiece" } }, /its model must be BPE, got "WordPiece"$/);
  refuse({ model: { type: "BPE", merges: [], vocab: { a: 1e9 } } }, /id of "a" must be/);
  refuse({ model: { type: "BPE", vocab: {} } }, /must be arrays, got nothing$/);
});
