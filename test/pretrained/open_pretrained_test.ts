import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import type { FileLike } from "../../model/pretrained/file_sets.ts";
import { fileListSet } from "../../model/pretrained/file_sets.ts";
import { openPretrained, tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { openFile } from "../../model/pretrained/open_model.ts";
import { ggufFile } from "../checkpoint/gguf_files.ts";
import { type Files, jsonBytes, jsonOf } from "../checkpoint/memory_files.ts";
import { SMALL, smallFiles, TOKENIZER } from "./small_model.ts";

/** Files as an `<input type="file">` gives them: chosen one by one, or as a folder. */
const chosen = (files: Files, folder?: string): FileLike[] =>
  Array.from(files, ([path, bytes]) =>
    Object.assign(new Blob([bytes]), {
      name: path.split("/").pop()!,
      webkitRelativePath: folder === undefined ? "" : `${folder}/${path}`,
    }),
  );

const OTHER = jsonBytes({ model_type: "another" });

test("of a chosen folder, only the files at its top are the model's", async () => {
  const files = await smallFiles();
  files.set("1_Pooling/config.json", OTHER).set("original/tokenizer.json", OTHER);
  files.set("onnx/model.bin", OTHER);
  const stored = await openPretrained(chosen(files, "small"));
  assert.deepEqual(stored.config, SMALL);
  assert.deepEqual(stored.tokenizer, jsonOf(files, "tokenizer.json"));
});

test("two chosen files of one name are refused", async () => {
  const files = chosen(await smallFiles());
  const twin = Object.assign(new Blob([OTHER]), { name: "config.json" });
  const refused = {
    name: "SyntaxError",
    message:
      'Cannot read the chosen files: each must have a name of its own, got two of "config.json"; choose those of one folder',
  };
  await assert.rejects(openPretrained([...files, twin]), refused);
  assert.throws(() => fileListSet([twin, ...files]), refused);
  const folders = [...chosen(await smallFiles(), "a"), ...chosen(await smallFiles(), "b")];
  await assert.rejects(openPretrained(folders), { name: "SyntaxError", message: /got two of / });
});

test("a .bin among the files of a folder is not taken for the model", async () => {
  const files = await smallFiles();
  const training = new Map([["training_args.bin", OTHER], ...files]);
  assert.deepEqual((await openPretrained(chosen(training))).config, SMALL);
  const only = new Map([
    ["config.json", files.get("config.json")!],
    ["model.bin", OTHER],
  ]);
  await assert.rejects(openPretrained(chosen(only)), { message: /must be safetensors, got only/ });
});

test("a GGUF file is the model though a config.json lies beside it, unless weights do, too", async () => {
  const gguf = await ggufFile(SMALL);
  const config = ["config.json", OTHER] as const;
  const { config: read } = await openPretrained(chosen(new Map([config, ["x.gguf", gguf]])));
  assert.deepEqual(read, SMALL);
  const both = new Map([...(await smallFiles()), ["x.gguf", OTHER]]);
  assert.deepEqual((await openPretrained(chosen(both))).config, SMALL);
});

test("a URL is a file's or a folder's by its last part alone", async () => {
  const files = await smallFiles();
  const asked: string[] = [];
  const serve = (input: string | URL | Request) => {
    const url = String(input instanceof Request ? input.url : input);
    asked.push(url);
    const bytes = files.get(url.split("/").pop()!);
    return Promise.resolve(bytes ? new Response(bytes) : new Response(null, { status: 404 }));
  };
  const folder = "https://example.org/model.bin/small";
  assert.deepEqual((await openPretrained(folder, { fetch: serve })).config, SMALL);
  assert.equal(asked[0], `${folder}/config.json`);
  asked.length = 0;
  const file = "https://example.org/tokenizers/pytorch_model/stories.bin";
  await assert.rejects(openPretrained(file, { fetch: serve }), { message: /it must be there/ });
  assert.deepEqual(asked, [file]);
});

/** The small model as a GGUF file whose text is cut in a way that is not known. */
async function foreignGguf() {
  const vocabulary = { ...vocabularyOf(), pre: "another-cut" };
  return bytesSource(await ggufFile(SMALL, { vocabulary }), "small.gguf");
}

function vocabularyOf() {
  const { model } = TOKENIZER;
  const tokens = Object.entries(model.vocab).toSorted(([, a], [, b]) => a - b);
  return { model: "gpt2", tokens: tokens.map(([token]) => token), merges: [...model.merges] };
}

test("a GGUF file whose tokenizer is not known loads, and says why when it is asked for", async () => {
  const stored = await openFile(await foreignGguf());
  assert.deepEqual(stored.config, SMALL);
  assert.equal(stored.weights.size > 0, true);
  assert.throws(() => tokenizerOfModel(stored), {
    name: "SyntaxError",
    message:
      /^Cannot use "small\.gguf": it must have a tokenizer .*, got none that can be taken: Cannot read "small\.gguf": .* pre-tokenizer must be one of .*, got "another-cut"/,
  });
});

test("a tokenizer that is given replaces the one of a GGUF file", async () => {
  const gguf = await foreignGguf();
  const json = bytesSource(jsonBytes(JSON.parse(JSON.stringify(TOKENIZER))), "tokenizer.json");
  const stored = await openFile(gguf, json);
  assert.deepEqual([...tokenizerOfModel(stored).encode("the")], encodeOwn("the"));
  const files = new Map([
    ["small.gguf", await gguf.read(0, gguf.size)],
    ["tokenizer.json", await json.read(0, json.size)],
  ]);
  const picked = await openPretrained(chosen(files));
  assert.deepEqual([...tokenizerOfModel(picked).encode("the")], encodeOwn("the"));
  const beyond = { model: { type: "BPE", merges: [], vocab: { a: SMALL.vocabSize } } };
  await assert.rejects(openFile(gguf, bytesSource(jsonBytes(beyond), "mine.json")), {
    name: "RangeError",
    message: new RegExp(`^Cannot read "mine\\.json": .*got ${SMALL.vocabSize} for "a"$`),
  });
});

function encodeOwn(text: string): number[] {
  const stored = { name: "own", config: SMALL, weights: new Map() };
  const tokenizer = JSON.parse(JSON.stringify(TOKENIZER));
  return [...tokenizerOfModel({ ...stored, tokenizer }).encode(text)];
}

test("a tokenizer.bin that is too long is refused before it is read", async () => {
  const read = () => Promise.reject(new Error("must not be read"));
  const huge = { name: "tokenizer.bin", size: 100_000_001, read };
  await assert.rejects(openFile(await foreignGguf(), huge), {
    name: "SyntaxError",
    message: 'Cannot read "tokenizer.bin": it must have at most 100000000 bytes, got 100000001',
  });
});
