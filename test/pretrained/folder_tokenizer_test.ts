import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTE_ALPHABET } from "../../data/tokenizer/byte_level.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { openFolder } from "../../model/pretrained/open_model.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { type Files, filesOf, folderOf, jsonBytes } from "../checkpoint/memory_files.ts";
import { type Field, message, piece } from "../data/sentencepiece_file.ts";

const LLAMA: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: 10,
  dModel: 4,
  dHidden: 4,
  numBlocks: 1,
  numHeads: 1,
  numKvHeads: 1,
  headDim: 4,
  maxSeqLen: 8,
};

const GPT2: ModelConfig = {
  ...LLAMA,
  vocabSize: 260,
  norm: "layerNorm",
  position: "learned",
  mlp: "geluTanh",
  bias: "all",
  tieEmbeddings: true,
};

const PIECES = [
  piece("<unk>", 0, 2),
  piece("<s>", 0, 3),
  piece("</s>", 0, 3),
  piece("▁", -1),
  piece("a", -2),
  piece("b", -3),
];

function sentencePiece(pieces: readonly Field[] = PIECES): Uint8Array<ArrayBuffer> {
  const bpe = message([[3, 2]]);
  return Uint8Array.from(message([...pieces, [2, bpe], [3, message([[4, 0]])]]));
}

/** Opens a model with more files, which may be JSON. */
async function open(
  config: ModelConfig,
  more: Readonly<Record<string, Uint8Array<ArrayBuffer> | JsonObject>>,
): Promise<StoredModel> {
  const files: Files = await filesOf(config);
  for (const [name, content] of Object.entries(more)) {
    files.set(name, content instanceof Uint8Array ? content : jsonBytes(content));
  }
  return openFolder(folderOf(files));
}

const text = (content: string) => new TextEncoder().encode(content);

test("tokenizer.model serves where there is no tokenizer.json", async () => {
  const tokenizer = tokenizerOfModel(await open(LLAMA, { "tokenizer.model": sentencePiece() }));
  assert.deepEqual([...tokenizer.encode("ab")], [3, 4, 5]);
  assert.equal(tokenizer.vocabSize, 6);
});

test("a tokenizer.model with more tokens than the embedding has rows is refused", async () => {
  const others = Array.from({ length: 5 }, (_, i) => piece(`x${i}`, -4 - i));
  const large = { "tokenizer.model": sentencePiece([...PIECES, ...others]) };
  await assert.rejects(open(LLAMA, large), {
    name: "RangeError",
    message: /^Cannot read "tokenizer\.model": .* vocabSize 10, got 10 for "x4"$/,
  });
});

const decoder = (entries: Readonly<Record<string, JsonObject>>) => ({
  "tokenizer_config.json": { added_tokens_decoder: entries },
});

test("added tokens are found in text, printed and left out as their files say", async () => {
  const tokenizer = tokenizerOfModel(
    await open(LLAMA, {
      "tokenizer.model": sentencePiece(),
      "added_tokens.json": { "<pad>": 6, "<think>": 7, "<|im_end|>": 8 },
      "tokenizer_config.json": {
        pad_token: "<pad>",
        added_tokens_decoder: {
          1: { content: "<s>", special: true, normalized: true, lstrip: false, rstrip: false },
          8: { content: "<|im_end|>", special: true, single_word: false },
        },
      },
    }),
  );
  assert.deepEqual([...tokenizer.encode("<think>a<|im_end|>")], [7, 3, 4, 8]);
  assert.equal(tokenizer.decode([1, 7, 4, 8, 6]), "<s><think>a<|im_end|><pad>");
  assert.equal(tokenizer.decode([1, 7, 4, 8, 6], { skipSpecialTokens: true }), "<think>a");
  assert.equal(tokenizer.padId, 6);
  assert.equal(tokenizer.vocabSize, 9);
});

test("an added token takes spaces around it along where its file says so", async () => {
  const more = decoder({ 6: { content: "<x>", lstrip: true, rstrip: true } });
  const stored = await open(LLAMA, { "tokenizer.model": sentencePiece(), ...more });
  assert.deepEqual((stored.tokenizer!["added_tokens"] as readonly JsonObject[]).at(-1), {
    id: 6,
    content: "<x>",
    single_word: false,
    lstrip: true,
    rstrip: true,
    normalized: false,
    special: false,
  });
});

test("added tokens that contradict the vocabulary or the model are refused", async () => {
  const list = (json: JsonObject) => ({ "added_tokens.json": json });
  const entry = (id: string, change: JsonObject) => decoder({ [id]: change });
  const refused: readonly (readonly [Record<string, JsonObject>, RegExp])[] = [
    [list({ "<x>": 10 }), /^Cannot read "added_tokens\.json": .*vocabSize 10, got 10 for "<x>"$/],
    [list({ "<x>": -1 }), /"<x>" must be a non-negative integer, got -1$/],
    [list({ "<x>": "6" }), /the id of "<x>" must be as .*, got "6"$/],
    [list({ "<x>": 5 }), /those of the vocabulary, or new: "<x>" as 5, got "b" there$/],
    [list({ b: 7 }), /those of the vocabulary, or new: "b" as 7, got "b" as 5 there$/],
    [list({ "<x>": 6, "<y>": 6 }), /"<y>" as 6, got "<x>" there$/],
    [entry("10", { content: "<x>" }), /^Cannot read "tokenizer_config\.json": .*got 10 for "<x>"$/],
    [entry("x", { content: "<x>" }), /added_tokens_decoder\["x"\] must be as/],
    [entry("6", { content: 6 }), /added_tokens_decoder\["6"\]\.content must be as .*, got 6$/],
    [entry("6", { content: "<x>", special: 1 }), /\["6"\]\.special must be true or false, got 1$/],
    [{ "tokenizer_config.json": { added_tokens_decoder: [] } }, /decoder must be as .*, got \[\]$/],
  ];
  for (const [more, message_] of refused) {
    await assert.rejects(open(LLAMA, { "tokenizer.model": sentencePiece(), ...more }), {
      message: message_,
    });
  }
});

/** The ids of bytes, two merges and a token that no merge yields. */
const VOCAB: JsonObject = Object.fromEntries(
  [...BYTE_ALPHABET, "Ġa", "Ġab", "<|endoftext|>"].map((token, id) => [token, id]),
);
const MERGES = text("#version: 0.2\nĠ a\nĠa b\n");

for (const [vocabFile, mergesFile] of [
  ["vocab.json", "merges.txt"],
  ["encoder.json", "vocab.bpe"],
] as const) {
  test(`${vocabFile} and ${mergesFile} serve where there is no tokenizer.json`, async () => {
    const files = { [vocabFile]: VOCAB, [mergesFile]: MERGES };
    const tokenizer = tokenizerOfModel(await open(GPT2, files));
    const { Ġab: ab, a, "<|endoftext|>": end } = VOCAB;
    assert.deepEqual([...tokenizer.encode("a ab<|endoftext|>")], [a, ab, end]);
    assert.equal(tokenizer.endId, end);
    const alone = await open(GPT2, { [vocabFile]: VOCAB });
    assert.equal(alone.tokenizer, undefined);
    await assert.rejects(open({ ...GPT2, vocabSize: 258 }, files), {
      name: "RangeError",
      message: new RegExp(`^Cannot read "${vocabFile}": .*vocabSize 258, got 258 for`),
    });
    await assert.rejects(open(GPT2, { ...files, [mergesFile]: text("a b c") }), {
      message: new RegExp(`^Cannot read "${mergesFile}": merge 0 must be two tokens`),
    });
    await assert.rejects(open(GPT2, { ...files, [vocabFile]: { a: 1 } }), {
      message: new RegExp(`^Cannot read "${vocabFile}": ids must be 0 to 0`),
    });
    await assert.rejects(open(GPT2, { ...files, [mergesFile]: Uint8Array.of(0xff) }), {
      name: "SyntaxError",
      message: `Cannot read "${mergesFile}": it must be UTF-8, got other bytes`,
    });
  });
}

test("byte-level text is cut as the tokenizer's class or the model's family cuts it", async () => {
  const files = { "vocab.json": VOCAB, "merges.txt": MERGES };
  const qwen: ModelConfig = { ...LLAMA, vocabSize: 260, bias: "qkv" };
  const llama: ModelConfig = { ...LLAMA, vocabSize: 260 };
  const normalizer = async (config: ModelConfig, tokenizer_class?: string) => {
    const named = tokenizer_class && { "tokenizer_config.json": { tokenizer_class } };
    return (await open(config, { ...files, ...named })).tokenizer?.["normalizer"];
  };
  assert.deepEqual(await normalizer(qwen), { type: "NFC" });
  assert.deepEqual(await normalizer(llama, "Qwen2TokenizerFast"), { type: "NFC" });
  assert.equal(await normalizer(llama, "GPT2Tokenizer"), null);
  assert.equal(await normalizer(GPT2), null);
  const unknown = await open(llama, files);
  assert.equal(unknown.tokenizer, undefined);
  assert.throws(() => tokenizerOfModel(unknown), {
    name: "SyntaxError",
    message: /got none that can be taken: Cannot read "vocab\.json": text must be cut as by GPT2/,
  });
});

test("files of tokenizers that are too long or no text are refused before they are read", async () => {
  const files = await filesOf(LLAMA);
  for (const [name, size, limit] of [
    ["tokenizer.model", 100_000_001, 100_000_000],
    ["chat_template.jinja", 2 ** 20 + 1, 2 ** 20],
  ] as const) {
    const folder = folderOf(files);
    const read = () => Promise.reject(new Error("must not be read"));
    const huge = {
      name: "folder",
      open: (file: string) =>
        file === name ? Promise.resolve({ name, size, read }) : folder.open(file),
    };
    await assert.rejects(openFolder(huge), {
      name: "SyntaxError",
      message: `Cannot read "${name}": it must have at most ${limit} bytes, got ${size}`,
    });
  }
  await assert.rejects(open(LLAMA, { "chat_template.jinja": Uint8Array.of(0x7b, 0xe4) }), {
    name: "SyntaxError",
    message: 'Cannot read "chat_template.jinja": it must be UTF-8, got other bytes',
  });
  const { tokenizerConfig } = await open(LLAMA, { "chat_template.jinja": text("{{ ä }}") });
  assert.equal(tokenizerConfig?.["chat_template"], "{{ ä }}");
});
