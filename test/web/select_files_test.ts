import assert from "node:assert/strict";
import { test } from "node:test";
import { blobFolder } from "../../web/store/blob_folder.ts";
import { selectFiles } from "../../web/store/select_files.ts";
import { bytesOf, chosen, failure, modelFiles, textBytes } from "./model_files.ts";

/** Names that are copied of some files, and what the model is called. */
async function selected(
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Promise<[name: string, ...paths: string[]]> {
  const { name, files: found } = await selectFiles(await blobFolder(chosen(files)));
  return [name, ...found.map(({ path }) => path).toSorted()];
}

/** Files in a folder. */
function within(
  folder: string,
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): Record<string, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries(
    Object.entries(files).map(([path, each]) => [`${folder}/${path}`, each]),
  );
}

const model = modelFiles({ bytes: 100 });

test("a folder's model is copied without what does not belong to it", async () => {
  const files = {
    ...model,
    "README.md": textBytes("# Model"),
    "optimizer.safetensors": bytesOf(10),
    "pytorch_model.bin": bytesOf(10),
    "onnx/model.onnx": bytesOf(10),
    "tenure.json": textBytes({}),
  };
  const expected = ["config.json", "model.safetensors", "tenure.json", "tokenizer.json"];
  assert.deepEqual(await selected(files), ["model", ...expected]);
  assert.deepEqual(await selected(within("my model", files)), ["my model", ...expected]);
});

test("of a run, the best checkpoint is copied, or else the latest", async () => {
  const state = (best: string | null) =>
    textBytes({
      global_step: 200,
      epoch: 1,
      best_metric: best && 2,
      best_model_checkpoint: best,
      log_history: [],
      tenure: {},
    });
  const run = (best: string | null) =>
    within("run", {
      "run.json": textBytes({}),
      ...within("checkpoint-90", { ...model, "trainer_state.json": state(null) }),
      ...within("checkpoint-200", {
        ...model,
        "trainer_state.json": state(best),
        "optimizer.safetensors": bytesOf(10),
      }),
    });
  const names = ["config.json", "model.safetensors", "tokenizer.json", "trainer_state.json"];
  assert.deepEqual(await selected(run("checkpoint-90")), ["run checkpoint-90", ...names]);
  assert.deepEqual(await selected(run(null)), ["run checkpoint-200", ...names]);
  assert.deepEqual(await selected(run("checkpoint-1")), ["run checkpoint-200", ...names]);
});

test("a model of one file is copied with the tokenizer beside it", async () => {
  assert.deepEqual(await selected({ "my.gguf": bytesOf(9) }), ["my", "my.gguf"]);
  assert.deepEqual(
    await selected({ "a.gguf": bytesOf(9), "config.json": textBytes({}), "x.txt": bytesOf(1) }),
    ["a", "a.gguf"],
  );
  assert.deepEqual(
    await selected(within("stories", { "stories260K.bin": bytesOf(9), "tok512.bin": bytesOf(2) })),
    ["stories", "stories260K.bin", "tok512.bin"],
  );
});

test("shards are copied as their index lists them", async () => {
  const { "model.safetensors": _whole, ...rest } = model;
  const index = { weight_map: { a: "b-1.safetensors", c: "b-2.safetensors" } };
  const sharded = {
    ...rest,
    "model.safetensors.index.json": textBytes(index),
    "b-1.safetensors": bytesOf(3),
    "b-2.safetensors": bytesOf(4),
    "b-3.safetensors": bytesOf(5),
  };
  assert.deepEqual(await selected(sharded), [
    "model",
    "b-1.safetensors",
    "b-2.safetensors",
    "config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
  ]);
  const { "b-2.safetensors": _shard, ...fewer } = sharded;
  const missing = await failure(selected(fewer));
  assert.equal(missing.kind, "corrupt");
  assert.match(missing.message, /"b-2\.safetensors" must be there/);
  const outside = { weight_map: { a: "../b.safetensors" } };
  await assert.rejects(
    selected({ ...sharded, "model.safetensors.index.json": textBytes(outside) }),
    SyntaxError,
  );
});

test("what is no model is refused with the reason", async () => {
  for (const [files, rule, remedy] of [
    [{ "config.json": bytesOf(1), "pytorch_model.bin": bytesOf(1) }, /a pickle/, /safetensors/],
    [
      { "adapter_config.json": bytesOf(1), "adapter_model.safetensors": bytesOf(1) },
      /an adapter/,
      /--merge/,
    ],
    [{ "photo.jpg": bytesOf(1) }, /photo\.jpg/, /config\.json/],
    [{ "model.safetensors": bytesOf(1) }, /model\.safetensors/, /config\.json/],
  ] as const) {
    const error = await failure(selected(files));
    assert.equal(error.kind, "unsupported");
    assert.match(error.message, rule);
    assert.match(error.remedy, remedy);
  }
});

test("no files, or two of one path, are refused", async () => {
  assert.equal((await failure(blobFolder([]))).kind, "bad-input");
  const twice = [...chosen(model), ...chosen({ "config.json": bytesOf(1) })];
  assert.equal((await failure(blobFolder(twice))).kind, "bad-input");
});
