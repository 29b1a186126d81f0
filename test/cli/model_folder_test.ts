import assert from "node:assert/strict";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkpointName, saveCheckpoint } from "../../cli/platform/checkpoints.ts";
import { EXIT } from "../../cli/platform/errors.ts";
import {
  adapterFolder,
  fileSource,
  folderFiles,
  openModelPath,
} from "../../cli/platform/model_folder.ts";
import { DEFAULT_LORA } from "../../model/lora/config.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import { trainedAdapter } from "../lora/adapted_model.ts";
import { fileOf } from "../../model/checkpoint/exported_file.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { countingWeights, FAMILIES, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { ggufFile, LLAMA as GGUF_LLAMA, MODELS, randomWeights } from "../checkpoint/gguf_files.ts";
import { drain, type Files, filesOf } from "../checkpoint/memory_files.ts";
import { encodeCheckpoint } from "../checkpoint/whole_checkpoint.ts";
import { COMMIT, HubServer } from "./hub_server.ts";
import { temporaryFolder } from "./run_support.ts";

const FIXTURES = fileURLToPath(new URL("../../../shared/fixtures/stories260K/", import.meta.url));
const skip = existsSync(FIXTURES)
  ? false
  : "needs ../shared/fixtures/stories260K beside the repository, which is not there";

const root = temporaryFolder();

function newFolder(): string {
  return mkdtempSync(join(root, "model-"));
}

function write(files: Files, folder = newFolder()): string {
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** All values of a model, by label. */
async function valuesOf({ weights }: StoredModel): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [label, weight] of weights) values.set(label, toFloat32(await weight.read()));
  return values;
}

/** A checkpoint of ours; its first weight tells it from others. */
async function saveStep(folder: string, step: number, best?: number): Promise<void> {
  const weights = countingWeights(LLAMA);
  weights.get("model.embed_tokens.weight")![0] = step;
  const optimizer = { m: countingWeights(LLAMA), v: countingWeights(LLAMA) };
  const name = best === undefined ? undefined : checkpointName(best);
  const trainer = {
    step,
    state: {},
    optimizer,
    ...(name !== undefined && { best: { metric: 1, checkpoint: name } }),
  };
  const files = await encodeCheckpoint({ config: LLAMA, weights, trainer });
  const exported = Array.from(files, ([file, bytes]) => fileOf(file, bytes));
  await saveCheckpoint(folder, checkpointName(step), exported);
}

async function firstWeight(path: string): Promise<number> {
  const { weights } = await openModelPath(path);
  return toFloat32(await weights.get("model.embed_tokens.weight")!.read())[0]!;
}

test("fileSource() reads ranges, and leaves no file open", async () => {
  const path = join(newFolder(), "bytes");
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
  writeFileSync(path, bytes);
  const source = await fileSource(path);
  assert.deepEqual([source.name, source.size], [path, bytes.length]);
  for (const [begin, end] of [
    [0, 0],
    [0, 1],
    [65_535, 65_537],
    [0, bytes.length],
    [bytes.length, bytes.length],
  ] as const) {
    assert.deepEqual(await source.read(begin, end), bytes.slice(begin, end));
  }
  for (const [begin, end] of [
    [-1, 1],
    [2, 1],
    [0, bytes.length + 1],
    [Number.NaN, 1],
  ] as const) {
    await assert.rejects(source.read(begin, end), { name: "RangeError" });
  }
  if (process.platform !== "linux") return;
  const { ino } = statSync(path);
  const open = readdirSync("/proc/self/fd").map(
    (fd) => statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false })?.ino,
  );
  assert.equal(open.length > 0 && !open.includes(ino), true);
});

test("fileSource() refuses what is no file, naming the path", async () => {
  const folder = newFolder();
  for (const [path, reason] of [
    [join(folder, "none"), /the file must exist, got no such file$/],
    [folder, /it must be a file, got a folder$/],
    ["/dev/null", /it must be a file, got a pipe or a device$/],
  ] as const) {
    await assert.rejects(fileSource(path), { exitCode: EXIT.checkpoint, message: reason });
  }
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  assert.deepEqual(await (await fileSource(empty)).read(0, 0), new Uint8Array());
});

test("fileSource() refuses a file that changes while it is loaded", async () => {
  const folder = newFolder();
  const path = join(folder, "weights");
  const changes: (() => void)[] = [
    () => appendFileSync(path, "more"),
    () => {
      writeFileSync(join(folder, "other"), "weights");
      renameSync(join(folder, "other"), path);
    },
  ];
  for (const change of changes) {
    writeFileSync(path, "weights");
    const source = await fileSource(path);
    assert.equal((await source.read(0, 7)).length, 7);
    change();
    await assert.rejects(source.read(0, 7), {
      exitCode: EXIT.checkpoint,
      message: `Cannot read "${path}": it must stay as it is while it is loaded, got a change; load it again`,
    });
  }
});

test("folderFiles() opens plain names only, and says so of none", async () => {
  const folder = newFolder();
  writeFileSync(join(folder, "a.json"), "{}");
  symlinkSync(join(folder, "gone"), join(folder, "dangling"));
  const files = folderFiles(folder);
  assert.equal(files.name, folder);
  assert.equal((await files.open("a.json"))?.name, join(folder, "a.json"));
  assert.equal(await files.open("b.json"), undefined);
  assert.equal(await files.open("dangling"), undefined);
  for (const name of ["", ".", "..", "../a.json", "x/a.json", "x\\a.json", "a\0.json"]) {
    await assert.rejects(files.open(name), { name: "TypeError" }, JSON.stringify(name));
  }
});

for (const [family, config] of FAMILIES) {
  test(`openModelPath() opens a folder of ${family}, in one file and in shards`, async () => {
    const weights = countingWeights(config);
    for (const options of [{}, { maxShardBytes: 100 }]) {
      const folder = write(await filesOf(config, options, weights));
      const stored = await openModelPath(folder);
      assert.deepEqual(stored.config, config);
      assert.deepEqual(await valuesOf(stored), weights);
    }
  });
}

test("a tokenizer that is given is read, whatever the model is", async () => {
  const folder = write(await filesOf(LLAMA, {}, countingWeights(LLAMA)));
  const none = join(folder, "none.json");
  await assert.rejects(openModelPath(folder, { tokenizer: none }), {
    exitCode: EXIT.checkpoint,
    message: /none\.json": .* got no such file$/,
  });
  const tokenizer = join(newFolder(), "tokenizer.json");
  const json = { model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] } };
  writeFileSync(tokenizer, JSON.stringify(json));
  const stored = await openModelPath(folder, { tokenizer });
  assert.deepEqual(stored.tokenizer, json);
});

test("a revision of a path or a URL is refused", async () => {
  const folder = write(await filesOf(LLAMA, {}, countingWeights(LLAMA)));
  for (const [path, got] of [
    [folder, "a path that exists"],
    [join(folder, "config.json"), "a path that exists"],
    ["https://localhost:1/model", "a URL"],
  ] as const) {
    await assert.rejects(openModelPath(path, { revision: "v1" }), {
      exitCode: EXIT.usage,
      message: `Cannot read revision "v1" of "${path}": --revision must come with org/name in the cache, got ${got}; leave it out`,
    });
  }
});

test("an adapter is refused with the way to use it, in a folder or in a run", async () => {
  const lora = { ...DEFAULT_LORA, rank: 2, alpha: 4 };
  const exported = exportPeft(LLAMA, trainedAdapter(LLAMA, lora), { baseModel: "org/base" });
  const folder = write(await drain(exported));
  const message = `Cannot read "${folder}": it must be a whole model, got an adapter of "org/base": use tenure generate "org/base" --adapter "${folder}", and score and embed alike`;
  await assert.rejects(openModelPath(folder), { exitCode: EXIT.checkpoint, message });
  assert.equal(await adapterFolder(folder), folder);
  assert.equal(await adapterFolder(newFolder()), undefined);
});

test("openModelPath() opens a checkpoint, and the best or latest one of a run", async () => {
  const run = newFolder();
  await saveStep(run, 1);
  await saveStep(run, 2);
  assert.equal(await firstWeight(join(run, "checkpoint-1")), 1);
  assert.equal(await firstWeight(run), 2);
  writeFileSync(join(run, "run.json"), "{}");
  await saveStep(run, 3, 1);
  assert.equal(await firstWeight(run), 1);
  const empty = newFolder();
  writeFileSync(join(empty, "run.json"), "{}");
  await assert.rejects(openModelPath(empty), { exitCode: EXIT.checkpoint });
});

test("openModelPath() opens a GGUF file, and a folder with one", async () => {
  const folder = newFolder();
  const weights = randomWeights(GGUF_LLAMA, 3);
  writeFileSync(join(folder, "model.gguf"), await ggufFile(GGUF_LLAMA, { weights }));
  for (const path of [join(folder, "model.gguf"), folder]) {
    assert.deepEqual(await valuesOf(await openModelPath(path)), weights);
  }
  writeFileSync(join(folder, "other.gguf"), await ggufFile(MODELS["qwen2"]!));
  await assert.rejects(openModelPath(folder), {
    exitCode: EXIT.checkpoint,
    message:
      /must hold config\.json or one GGUF file, got 2 GGUF files; name one, as in ".*\.gguf"$/,
  });
});

test(
  "openModelPath() opens llama2.c's files, with the tokenizer beside or named",
  { skip },
  async () => {
    const model = join(FIXTURES, "stories260K.bin");
    const beside = await openModelPath(model);
    assert.equal(beside.config.vocabSize, 512);
    assert.notEqual(beside.tokenizer, undefined);
    const alone = join(newFolder(), "alone.bin");
    copyFileSync(model, alone);
    assert.equal((await openModelPath(alone)).tokenizer, undefined);
    const named = await openModelPath(alone, { tokenizer: join(FIXTURES, "tok512.bin") });
    assert.deepEqual(named.tokenizer, beside.tokenizer);
    await assert.rejects(openModelPath(alone, { tokenizer: join(root, "none.bin") }), {
      exitCode: EXIT.checkpoint,
      message: /none\.bin": the file must exist/,
    });
  },
);

test("openModelPath() finds a model in the cache by its name", async () => {
  const cacheDir = newFolder();
  const weights = countingWeights(LLAMA);
  const files = await filesOf(LLAMA, { maxShardBytes: 100 }, weights);
  const repo = join(cacheDir, "models--org--name");
  const snapshot = join(repo, "snapshots", COMMIT);
  for (const folder of [join(repo, "blobs"), join(repo, "refs"), snapshot]) {
    mkdirSync(folder, { recursive: true });
  }
  for (const [index, [name, bytes]] of [...files].entries()) {
    writeFileSync(join(repo, "blobs", `${index}`), bytes);
    symlinkSync(`../../blobs/${index}`, join(snapshot, name));
  }
  writeFileSync(join(repo, "refs", "main"), COMMIT);
  for (const options of [{ cacheDir }, { cacheDir, revision: COMMIT }]) {
    assert.deepEqual(await valuesOf(await openModelPath("org/name", options)), weights);
  }
  for (const [name, options, hint] of [
    ["org/other", { cacheDir }, "tenure pull org/other"],
    ["org/name", { cacheDir, revision: "v2" }, "tenure pull org/name --revision v2"],
  ] as const) {
    await assert.rejects(openModelPath(name, options), {
      exitCode: EXIT.checkpoint,
      message: `Cannot read "${name}": it must be a path that exists, or a model in the cache "${cacheDir}", got neither; to download it: ${hint}`,
    });
  }
  for (const name of ["./none", "/none/at/all", "a/b/c", "org/name/../x"]) {
    await assert.rejects(openModelPath(name, { cacheDir }), {
      exitCode: EXIT.checkpoint,
      message: `Cannot read "${name}": a model must be a path that exists, org/name, or a URL, got none of them`,
    });
  }
});

test("openModelPath() opens a URL of a folder", async () => {
  const weights = countingWeights(LLAMA);
  const files = await filesOf(LLAMA, {}, weights);
  const served = Array.from(files, ([name, bytes]) => [name, { bytes, isLarge: false }] as const);
  const repo = "org/name";
  await using server = await HubServer.start({ repo, files: Object.fromEntries(served) });
  const url = `${server.endpoint}/${repo}/resolve/${COMMIT}`;
  assert.deepEqual(await valuesOf(await openModelPath(url)), weights);
  await assert.rejects(openModelPath(`${server.endpoint}/${repo}/resolve/none`), {
    exitCode: EXIT.checkpoint,
    message:
      /^Cannot read "http:\/\/127\.0\.0\.1:\d+\/org\/name\/resolve\/none": config\.json must be there/,
  });
});

test("openModelPath() refuses pickles with the reason", async () => {
  const reason = /got a pickle; reading one runs the code in it, so save the model again/;
  const folder = newFolder();
  for (const [name, bytes] of [
    ["a.pt", [1, 2, 3, 4]],
    ["a.ckpt", []],
    ["zip.bin", [0x50, 0x4b, 3, 4]],
    ["old.bin", [0x80, 2, 0x8a, 0x0a]],
  ] as const) {
    writeFileSync(join(folder, name), Uint8Array.from(bytes));
    await assert.rejects(openModelPath(join(folder, name)), {
      exitCode: EXIT.checkpoint,
      message: reason,
    });
  }
  // llama2.c's, 640 wide: not a pickle of protocol 2.
  writeFileSync(join(folder, "wide.bin"), Uint8Array.of(0x80, 2, 0, 0));
  await assert.rejects(openModelPath(join(folder, "wide.bin")), { message: /must have at least/ });
  const files = await filesOf(LLAMA);
  files.delete("model.safetensors");
  files.set("pytorch_model.bin", Uint8Array.of(0x80, 2));
  await assert.rejects(openModelPath(write(files)), {
    exitCode: EXIT.checkpoint,
    message: /must be safetensors, got only "pytorch_model\.bin"/,
  });
});

test("errors of a model's files name the path, and have the code of checkpoints", async () => {
  const whole = await filesOf(LLAMA);
  for (const [name, bytes] of [
    ["config.json", Buffer.from("{")],
    ["config.json", Buffer.from('{"model_type":"mamba"}')],
    ["model.safetensors", Buffer.from("x")],
  ] as const) {
    const folder = write(new Map([...whole, [name, Uint8Array.from(bytes)]]));
    const error = await openModelPath(folder).then(
      () => assert.fail("it must be refused"),
      (reason: Error & { exitCode: number }) => reason,
    );
    assert.ok(error.message.startsWith(`Cannot read "${join(folder, name)}"`), error.message);
    assert.equal(error.exitCode, EXIT.checkpoint);
  }
  const folder = newFolder();
  writeFileSync(join(folder, "notes.txt"), "no model");
  await assert.rejects(openModelPath(folder), { message: /or one GGUF file, got neither$/ });
  await assert.rejects(openModelPath(join(folder, "notes.txt")), {
    exitCode: EXIT.checkpoint,
    message: /notes\.txt": a model of one file must be GGUF or llama2\.c's \.bin, got neither/,
  });
});
