import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bestCheckpoint, loadCheckpoint } from "../../cli/platform/checkpoints.ts";
import { EXIT } from "../../cli/platform/errors.ts";
import { folderFiles, openModelPath } from "../../cli/platform/model_folder.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { quantizeQ8_0 } from "../../model/checkpoint/gguf/quantize.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { DEFAULT_LORA } from "../../model/lora/config.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import { mergedModel } from "../../model/lora/merge.ts";
import { readPeft } from "../../model/lora/read_peft.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { bitsOf, FAMILIES, GPT2, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { drain, filesOf, jsonOf } from "../checkpoint/memory_files.ts";
import { trainedAdapter } from "../lora/adapted_model.ts";
import { missing } from "../pretrained/stories.ts";
import { arbitraryBits, exportQuietly, readFiles, WEIGHTS, writeFiles } from "./export_support.ts";
import { prepareFew, temporaryFolder, trainTiny } from "./run_support.ts";

const STORIES = fileURLToPath(
  new URL("../../../shared/fixtures/stories260K/stories260K.bin", import.meta.url),
);

const folder = temporaryFolder();
let count = 0;
const fresh = () => join(folder, `${++count}`);

/** Weights of a model as f32, by label. */
async function valuesOf({ weights }: StoredModel): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [label, weight] of weights) values.set(label, toFloat32(await weight.read()));
  return values;
}

test("weights of 32 and 16 bits are exported bit by bit, whatever they are", async () => {
  for (const [, config] of FAMILIES) {
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const files = await arbitraryBits(config, dtype);
      const out = fresh();
      const summary = await exportQuietly({ model: writeFiles(fresh(), files), folder: out });
      assert.equal(summary.dtype, dtype.toLowerCase());
      const written = readFiles(out);
      assert.deepEqual(written, new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1))));
      assert.deepEqual(
        summary.files,
        Array.from(files, ([name, bytes]) => ({ name, bytes: bytes.length })),
      );
    }
  }
});

test("a model becomes shards, and one file again", async () => {
  const files = await filesOf(GPT2);
  const [shards, whole] = [fresh(), fresh()];
  await exportQuietly({ model: writeFiles(fresh(), files), folder: shards, maxShardBytes: 300 });
  assert.ok(readdirSync(shards).length > 4);
  await exportQuietly({ model: shards, folder: whole });
  assert.deepEqual(readFiles(whole), readFiles(writeFiles(fresh(), files)));
});

test("a model becomes GGUF of each type, and comes back", async () => {
  const config = { ...LLAMA, dModel: 32, headDim: 16, dHidden: 64 };
  const model = writeFiles(join(folder, "my model"), await filesOf(config));
  const values = await valuesOf(await openModelPath(model));
  for (const dtype of ["f32", "f16", "q8_0"] as const) {
    const [gguf, back] = [fresh(), fresh()];
    const { files } = await exportQuietly({ model, folder: gguf, format: "gguf", dtype });
    assert.deepEqual(
      files.map(({ name }) => name),
      [`my-model-${dtype.toUpperCase()}.gguf`],
    );
    const { dtype: own } = await exportQuietly({ model: gguf, folder: back });
    assert.equal(own, dtype === "q8_0" ? "f16" : dtype);
    const read = await valuesOf(await openModelPath(dtype === "q8_0" ? gguf : back));
    const expected = new Map(
      Array.from(values, ([label, x]) => {
        if (dtype !== "q8_0" || label.endsWith("norm.weight")) return [label, x];
        const shape = [x.length];
        return [label, toFloat32({ dtype: "Q8_0", shape, bytes: quantizeQ8_0(x) })];
      }),
    );
    assert.deepEqual(bitsOf(read), bitsOf(expected));
  }
});

test(
  "the small Llama of llama2.c keeps its bits and its tokenizer",
  { skip: missing },
  async () => {
    const out = fresh();
    const { hasTokenizer } = await exportQuietly({ model: STORIES, folder: out });
    assert.ok(hasTokenizer);
    const [before, now] = [await openModelPath(STORIES), await openModelPath(out)];
    assert.deepEqual(bitsOf(await valuesOf(now)), bitsOf(await valuesOf(before)));
    const files = readFiles(out);
    assert.deepEqual(jsonOf(files, "generation_config.json"), {
      bos_token_id: 1,
      eos_token_id: 2,
      pad_token_id: 2,
    });
    const { bos_token, eos_token, tokenizer_class } = jsonOf(files, "tokenizer_config.json");
    assert.deepEqual(
      [bos_token, eos_token, tokenizer_class],
      ["<s>", "</s>", "PreTrainedTokenizerFast"],
    );
    const text = "Once upon a time, Lily's cat 🐈 sat.";
    assert.deepEqual(tokenizerOfModel(now).encode(text), tokenizerOfModel(before).encode(text));

    const gguf = fresh();
    await exportQuietly({ model: out, folder: gguf, format: "gguf" });
    const again = await openModelPath(gguf);
    assert.deepEqual(bitsOf(await valuesOf(again)), bitsOf(await valuesOf(before)));
    assert.deepEqual(tokenizerOfModel(again).encode(text), tokenizerOfModel(before).encode(text));
    assert.deepEqual(again.generation?.endTokens, [2]);
  },
);

test("the best checkpoint of a run is exported with its tokenizer", async () => {
  const [dataFolder, runFolder, out] = [fresh(), fresh(), fresh()];
  await prepareFew(dataFolder);
  await trainTiny({ dataFolder, runFolder });
  await exportQuietly({ model: runFolder, folder: out });
  const { model } = await loadCheckpoint(await bestCheckpoint(runFolder));
  const [weights, { tokenizer }] = [await valuesOf(model), model];
  const stored = await openModelPath(out);
  assert.deepEqual(bitsOf(await valuesOf(stored)), bitsOf(weights));
  assert.deepEqual(stored.tokenizer, tokenizer);
  assert.ok(!readdirSync(out).some((name) => /optimizer|trainer|MANIFEST/.test(name)));

  const gguf = { model: runFolder, folder: fresh(), format: "gguf" } as const;
  await assert.rejects(exportQuietly(gguf), {
    exitCode: EXIT.checkpoint,
    message: /^Cannot write a GGUF file .*; or leave the tokenizer out with --no-tokenizer$/,
  });
  const { hasTokenizer, dtype } = await exportQuietly({ ...gguf, withTokenizer: false });
  assert.deepEqual([hasTokenizer, dtype], [false, "f32"]);
  assert.deepEqual(bitsOf(await valuesOf(await openModelPath(gguf.folder))), bitsOf(weights));
});

test("a run of adapters is exported like the folder of an adapter", async () => {
  const [dataFolder, base, runFolder, alone, merged, named] = Array.from({ length: 6 }, fresh);
  await prepareFew(dataFolder!);
  await trainTiny({ dataFolder: dataFolder!, runFolder: base! });
  const lora = { ...DEFAULT_LORA, rank: 2, alpha: 4 };
  const pretrained = { path: base!, baseDtype: "f32", lora } as const;
  await trainTiny({ dataFolder: dataFolder!, runFolder: runFolder! }, { pretrained });
  const { kind } = await exportQuietly({ model: runFolder!, folder: alone! });
  assert.equal(kind, "adapter");
  const written = readFiles(alone!);
  assert.deepEqual([...written.keys()], ["adapter_config.json", "adapter_model.safetensors"]);
  const checkpoint = readFiles(await bestCheckpoint(runFolder!));
  for (const [name, bytes] of written) assert.deepEqual(checkpoint.get(name), bytes);
  await exportQuietly({ model: runFolder!, folder: merged!, merge: true });
  await exportQuietly({ model: base!, adapter: alone!, folder: named!, merge: true });
  // A run says how careers were worded, which PEFT's files do not.
  const files = readFiles(merged!);
  assert.ok(files.delete("tenure.json"));
  assert.deepEqual(files, readFiles(named!));

  // Of the same sizes and tokenizer, but of other values.
  const other = writeFiles(fresh(), readFiles(merged!));
  for (const request of [
    { model: other, adapter: runFolder! },
    { model: other, adapter: await bestCheckpoint(runFolder!) },
  ]) {
    await assert.rejects(exportQuietly({ ...request, folder: fresh(), merge: true }), {
      exitCode: EXIT.checkpoint,
      message: /must be the one it was trained on, got another .*; name it as in tenure export </,
    });
  }
  writeFiles(await bestCheckpoint(base!), readFiles(merged!));
  await assert.rejects(exportQuietly({ model: runFolder!, folder: fresh(), merge: true }), {
    exitCode: EXIT.checkpoint,
    message: /must be the one it was trained on, got another or a changed one/,
  });
});

test("an adapter names the revision of its base in the cache; --revision goes before", async (t) => {
  const cache = fresh();
  const commit = "1".repeat(40);
  const root = join(cache, "models--org--name");
  writeFiles(join(root, "snapshots", commit), await filesOf(LLAMA));
  mkdirSync(join(root, "refs"));
  writeFileSync(join(root, "refs", "v1"), commit);
  const before = process.env["HF_HUB_CACHE"];
  process.env["HF_HUB_CACHE"] = cache;
  t.after(() => {
    if (before === undefined) delete process.env["HF_HUB_CACHE"];
    else process.env["HF_HUB_CACHE"] = before;
  });
  const lora = trainedAdapter(LLAMA, { ...DEFAULT_LORA, rank: 2 });
  const peft = exportPeft(LLAMA, lora, { baseModel: "org/name", revision: "v1" });
  const adapter = writeFiles(fresh(), await drain(peft));
  for (const request of [{ model: adapter }, { model: "org/name", adapter }]) {
    await exportQuietly({ ...request, folder: fresh(), merge: true });
    await assert.rejects(
      exportQuietly({ ...request, folder: fresh(), merge: true, revision: "v2" }),
      { exitCode: EXIT.checkpoint, message: /tenure pull org\/name --revision v2$/ },
    );
  }
});

test("an adapter is written alone as PEFT's, or merged", async () => {
  for (const config of [LLAMA, GPT2]) {
    const model = writeFiles(fresh(), await filesOf(config));
    const lora = trainedAdapter(config, { ...DEFAULT_LORA, rank: 2, dropout: 0.1 });
    const peft = await drain(exportPeft(config, lora, { baseModel: model, revision: "v1" }));
    const adapter = writeFiles(fresh(), peft);

    const alone = fresh();
    const { kind, base, dtype } = await exportQuietly({ model, folder: alone, adapter });
    assert.deepEqual([kind, base, dtype], ["adapter", model, "f32"]);
    assert.deepEqual(readFiles(alone), readFiles(adapter));
    const half = fresh();
    await exportQuietly({ model: adapter, folder: half, dtype: "bf16" });
    assert.equal((await readPeft(folderFiles(half), config)).values.size, lora.values.size);

    const expected = await valuesOf(mergedModel(await openModelPath(model), lora));
    // The folder of an adapter names its model itself.
    for (const request of [{ model, adapter }, { model: adapter }]) {
      const merged = fresh();
      await exportQuietly({ ...request, folder: merged, merge: true });
      assert.deepEqual(bitsOf(await valuesOf(await openModelPath(merged))), bitsOf(expected));
    }
    const gguf = fresh();
    await exportQuietly({
      model,
      adapter,
      folder: gguf,
      merge: true,
      format: "gguf",
      dtype: "f32",
    });
    assert.deepEqual(bitsOf(await valuesOf(await openModelPath(gguf))), bitsOf(expected));
  }
});

test("an export never replaces what it reads, links followed", async () => {
  const model = writeFiles(fresh(), await filesOf(LLAMA));
  const lora = trainedAdapter(LLAMA, { ...DEFAULT_LORA, rank: 2 });
  const adapter = writeFiles(fresh(), await drain(exportPeft(LLAMA, lora, { baseModel: model })));
  const [link, linked] = [fresh(), fresh()];
  symlinkSync(model, link);
  mkdirSync(linked);
  for (const name of readdirSync(model)) symlinkSync(join(model, name), join(linked, name));
  const [before, adapterBefore] = [readFiles(model), readFiles(adapter)];
  for (const changes of [
    { model, folder: model },
    { model, folder: link },
    { model: link, folder: model },
    { model: linked, folder: model },
    { model, folder: join(model, "new", "er") },
    { model: adapter, folder: model, merge: true },
    { model: adapter, folder: adapter },
    { model, adapter, folder: adapter },
  ]) {
    await assert.rejects(exportQuietly({ ...changes, overwrite: true }), {
      exitCode: EXIT.usage,
      message: /the folder must lie apart from what is exported, got ".*"; /,
    });
  }
  assert.deepEqual(readFiles(model), before);
  assert.deepEqual(readFiles(adapter), adapterBefore);
});

test("a GGUF file is replaced by one of another type, and beside one it is read", async () => {
  const model = writeFiles(fresh(), await filesOf(LLAMA));
  const out = fresh();
  await exportQuietly({ model, folder: out, format: "gguf", dtype: "f32" });
  const again = { model, folder: out, format: "gguf", dtype: "f16", overwrite: true } as const;
  await exportQuietly(again);
  const [name, ...others] = readdirSync(out);
  assert.match(name!, /-F16\.gguf$/);
  assert.deepEqual(others, []);
  const gguf = join(out, name!);
  await assert.rejects(exportQuietly({ model: gguf, folder: out, overwrite: true }), {
    exitCode: EXIT.usage,
  });
  await exportQuietly({ model: gguf, folder: join(out, "beside") });
  writeFileSync(join(out, "another-F16.gguf"), "");
  await assert.rejects(exportQuietly(again), { exitCode: EXIT.usage });
});

test("flags that do not go together are refused", async () => {
  const model = writeFiles(fresh(), await filesOf(LLAMA));
  for (const [changes, message] of [
    [
      { dtype: "q8_0" },
      /--dtype of safetensors must be f32, f16 or bf16, got q8_0; use --format gguf$/,
    ],
    [{ format: "gguf", dtype: "bf16" }, /--dtype of GGUF must be f32, f16 or q8_0, got bf16$/],
    [{ format: "gguf", maxShardBytes: 1 }, /GGUF must be one file, got --max-shard-bytes$/],
    [
      { format: "gguf", adapter: "x" },
      /an adapter must be merged to become GGUF, got --adapter without --merge$/,
    ],
    [{ merge: true }, /--merge must come with an adapter, got none/],
  ] as const) {
    await assert.rejects(exportQuietly({ model, folder: fresh(), ...changes }), {
      exitCode: EXIT.usage,
      message,
    });
  }
});

test("the command prints files, sizes and how to load them; errors are one line", async () => {
  const command = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));
  const tenure = (...args: string[]) =>
    spawnSync(process.execPath, [command, "export", ...args], { encoding: "utf8" });
  const model = writeFiles(fresh(), await filesOf(LLAMA));
  const out = fresh();
  const { status, stdout, stderr } = tenure(model, "-o", out, "--dtype", "bf16");
  assert.equal(status, EXIT.ok, stderr);
  const size = readFiles(out).get(WEIGHTS)!.length;
  assert.ok(stdout.startsWith(`Wrote ${out}:\n  config.json `), stdout);
  assert.match(stdout, new RegExp(`^  ${WEIGHTS} +${(size / 1024).toFixed(1)} KiB$`, "m"));
  assert.ok(stdout.includes(`AutoModelForCausalLM.from_pretrained(${JSON.stringify(out)})`));
  assert.match(stdout, /^It has no tokenizer/m);

  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "adapter_model.bin"), "");
  for (const [exitCode, args, line] of [
    [
      EXIT.usage,
      [model, "-o", out],
      /must be new or empty, got 2 files in it; replace them with --overwrite$/m,
    ],
    [EXIT.usage, [model], /required option '-o, --output <folder>' not specified/],
    [EXIT.usage, [model, "-o", out, "--dtype", "int4"], /Allowed choices are f32, f16, bf16, q8_0/],
    [
      EXIT.checkpoint,
      [join(folder, "empty"), "-o", fresh()],
      /must hold config.json or one GGUF file, got an empty folder$/m,
    ],
    [
      EXIT.checkpoint,
      [model, "-o", fresh(), "--adapter", join(folder, "empty")],
      /adapter_config.json must be there, got none$/m,
    ],
  ] as const) {
    const failed = tenure(...args);
    assert.equal(failed.status, exitCode, failed.stderr);
    assert.match(failed.stderr, line);
  }
});
