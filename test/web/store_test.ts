import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "../../web/engine/api.ts";
import { openModelStore } from "../../web/store/model_store.ts";
import { MemoryOrigin } from "./memory_origin.ts";
import {
  bytesOf,
  chosen,
  failure,
  manifestOf,
  modelFiles,
  sha256Of,
  textBytes,
} from "./model_files.ts";

/** Saves files into a store of their own tab. */
function saveIn(origin: MemoryOrigin, files = modelFiles(), name = "mine") {
  return openModelStore(origin.options).save({ kind: "files", files: chosen(files) }, { name });
}

/** A promise to wait on, and what ends the wait. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => {};
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

test("a model is saved, listed and read back byte for byte", async () => {
  const origin = new MemoryOrigin();
  const files = modelFiles();
  const info = await saveIn(origin, files);
  assert.match(info.id, /^[\da-f]{16}$/);
  assert.deepEqual(
    info.files,
    Object.entries(files).map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha256: sha256Of(bytes),
    })),
  );
  const store = openModelStore(origin.options);
  const { models, usage, quota, isPersistent, damaged } = await store.list();
  assert.deepEqual(models, [info]);
  assert.deepEqual([quota, isPersistent, damaged], [2 ** 30, false, undefined]);
  assert.ok(usage! > info.bytes);
  const opened = await store.files(info.id);
  const weights = (await opened.open("model.safetensors"))!;
  assert.equal(weights.size, 3_000_000);
  assert.deepEqual(
    await weights.read(1_048_570, 1_048_590),
    files["model.safetensors"]!.slice(1_048_570, 1_048_590),
  );
  assert.equal(await opened.open("pytorch_model.bin"), undefined);
  for (const { path, blob } of opened.files) {
    assert.equal(sha256Of(new Uint8Array(await blob.arrayBuffer())), sha256Of(files[path]!));
  }
  await assert.rejects(weights.read(0, 3_000_001), RangeError);
});

test("the same model has the same id, and is kept once", async () => {
  const origin = new MemoryOrigin();
  const first = await saveIn(origin);
  const before = origin.files();
  const other = Object.fromEntries(Object.entries(modelFiles()).toReversed());
  const second = await saveIn(origin, other, "another name");
  assert.deepEqual([second.id, second.name], [first.id, "mine"]);
  assert.deepEqual(origin.files(), before);
  const third = await saveIn(origin, modelFiles({ seed: 2 }));
  assert.notEqual(third.id, first.id);
  assert.equal((await openModelStore(origin.options).list()).models.length, 2);
});

test("files that are not what MANIFEST.json says are refused by name, and nothing is kept", async () => {
  const files = modelFiles();
  const manifest = manifestOf(files);
  const flipped = files["model.safetensors"]!.slice();
  flipped[2_999_999]! ^= 1;
  const { "tokenizer.json": _left, ...fewer } = files;
  for (const [wrong, rule] of [
    [{ ...files, "model.safetensors": flipped }, /"model\.safetensors".*SHA-256.*MANIFEST\.json/],
    [{ ...files, "config.json": textBytes("{ }") }, /"config\.json".*bytes.*MANIFEST\.json/],
    [fewer, /"tokenizer\.json".*MANIFEST\.json lists it/],
    [{ ...files, "MANIFEST.json": textBytes("{}") }, /"MANIFEST\.json"/],
  ] as const) {
    const origin = new MemoryOrigin();
    const error = await failure(saveIn(origin, { "MANIFEST.json": manifest, ...wrong }));
    assert.equal(error.kind, "corrupt");
    assert.match(error.message, rule);
    assert.deepEqual([origin.files(), origin.usage, origin.locks.held()], [{}, 0, []]);
  }
  await saveIn(new MemoryOrigin(), { ...files, "MANIFEST.json": manifest });
});

test("files must have the sums that the caller gives", async () => {
  const origin = new MemoryOrigin();
  const store = openModelStore(origin.options);
  const files = modelFiles();
  const source = { kind: "files", files: chosen(files) } as const;
  const sum = sha256Of(files["config.json"]!);
  const error = await failure(store.save(source, { sha256: { "tokenizer.json": sum } }));
  assert.equal(error.kind, "corrupt");
  assert.match(error.message, new RegExp(`"tokenizer.json".*${sum}, as the caller says`));
  const missing = await failure(store.save(source, { sha256: { "vocab.json": sum } }));
  assert.match(missing.message, /"vocab\.json"/);
  assert.deepEqual(origin.files(), {});
  // A site lists sums of more than is copied.
  const readme = textBytes("# Model");
  const more = { ...source, files: [...source.files, ...chosen({ "README.md": readme })] };
  const sums = { "config.json": sum.toUpperCase(), "README.md": sha256Of(readme) };
  assert.equal((await store.save(more, { sha256: sums })).files.length, 3);
});

test("a model that does not fit is refused before a byte is written, with what to remove", async () => {
  const origin = new MemoryOrigin(5_000_000);
  await saveIn(origin, modelFiles(), "large one");
  origin.onWrite = () => assert.fail("nothing may be written");
  const error = await failure(saveIn(origin, modelFiles({ seed: 2 })));
  assert.equal(error.kind, "quota");
  assert.match(error.message, /"mine".*3\.0 MB.*free, got 2\.0 MB/);
  assert.match(error.remedy, /"large one" \(3\.0 MB\)/);
});

test("room is tried for where the browser's estimate is wrong, before a byte is written", async () => {
  const origin = new MemoryOrigin(2_000_000);
  origin.onWrite = () => assert.fail("nothing may be written");
  const storage = { estimate: async () => ({ quota: 10 * 2 ** 30, usage: 0 }) };
  const store = openModelStore({ ...origin.options, storage });
  const source = { kind: "files", files: chosen(modelFiles()) } as const;
  const error = await failure(store.save(source));
  assert.equal(error.kind, "quota");
  assert.match(error.message, /"model".*3\.0 MB.*free, got less$/);
  assert.deepEqual([origin.files(), origin.usage], [{}, 0]);
});

test("storage that fills up in the middle is given back", async () => {
  const origin = new MemoryOrigin();
  const kept = await saveIn(origin, modelFiles({ bytes: 1000 }), "small one");
  const before = origin.files();
  origin.onWrite = (_name, position) => {
    // Others of the origin take the room meanwhile.
    if (position >= 2 ** 20) origin.quota = origin.usage;
  };
  const error = await failure(saveIn(origin, modelFiles({ seed: 2 })));
  assert.equal(error.kind, "quota");
  assert.match(error.message, /"mine".*3\.0 MB.*got 1\.0 MB/);
  assert.match(error.remedy, /"small one"/);
  assert.deepEqual([origin.files(), origin.locks.held()], [before, []]);
  origin.quota = 2 ** 30;
  origin.onWrite = () => {};
  assert.deepEqual((await openModelStore(origin.options).list()).models, [kept]);
});

test("a tab that dies at any write leaves nothing behind", async () => {
  let writes = 0;
  for (let deadly = 0; ; deadly++) {
    const origin = new MemoryOrigin();
    const { locks, ...rest } = origin.options;
    const dead = gate();
    writes = 0;
    origin.onWrite = () => {
      if (writes++ !== deadly) return undefined;
      dead.open();
      return new Promise<void>(() => {});
    };
    const store = openModelStore({ locks, ...rest });
    const saved = store.save({ kind: "files", files: chosen(modelFiles()) });
    const outcome = await Promise.race([saved, dead.passed]);
    (locks as ReturnType<typeof origin.locks.tab>).close();
    const next = openModelStore(origin.options);
    const { models, damaged = [] } = await next.list();
    if (outcome !== undefined) {
      assert.equal(models.length, 1);
      break;
    }
    assert.deepEqual([models, damaged, origin.files()], [[], [], {}], `write ${deadly}`);
    origin.onWrite = () => {};
    await saveIn(origin);
  }
  // Two small files, three parts of the weights, and the record.
  assert.equal(writes, 6);
});

test("what another tab is writing is not swept, and not written twice", async () => {
  const origin = new MemoryOrigin();
  const [reached, finish] = [gate(), gate()];
  origin.onWrite = async (name) => {
    if (name !== "file-2") return;
    reached.open();
    await finish.passed;
  };
  const saving = saveIn(origin);
  await reached.passed;
  const before = origin.files();
  const other = openModelStore(origin.options);
  assert.deepEqual((await other.list()).models, []);
  assert.deepEqual(origin.files(), before);
  const error = await failure(saveIn(origin));
  assert.equal(error.kind, "busy");
  assert.match(error.message, /"mine".*no other tab/);
  // A model of the same names and lengths is another one.
  const different = saveIn(origin, modelFiles({ seed: 7 }), "different");
  finish.open();
  const [one, two] = await Promise.all([saving, different]);
  assert.deepEqual(
    (await other.list()).models.map(({ id }) => id).toSorted(),
    [one.id, two.id].toSorted(),
  );
});

test("a model in use in another tab cannot be removed until it is released", async () => {
  const origin = new MemoryOrigin();
  const { id } = await saveIn(origin);
  const [here, there] = [openModelStore(origin.options), openModelStore(origin.options)];
  const [opened, too] = [await there.files(id), await here.files(id)];
  const error = await failure(here.remove(id));
  assert.equal(error.kind, "busy");
  assert.match(error.remedy, /other tabs/);
  opened.release();
  assert.equal((await failure(here.remove(id))).kind, "busy");
  too.release();
  await here.remove(id);
  assert.deepEqual([origin.files(), origin.locks.held()], [{}, []]);
  assert.equal((await failure(here.remove(id))).kind, "bad-input");
  assert.equal((await failure(there.files(id))).kind, "bad-input");
});

test("a file of another length is found out when models are listed, and when one is opened", async () => {
  const origin = new MemoryOrigin();
  const { id } = await saveIn(origin);
  for (const damage of [
    ({ folder, name }: ReturnType<MemoryOrigin["file"]>) => folder.contents.set(name, bytesOf(10)),
    ({ folder, name }: ReturnType<MemoryOrigin["file"]>) => folder.contents.delete(name),
  ]) {
    damage(origin.file(/file-2$/));
    const store = openModelStore(origin.options);
    const { models, damaged } = await store.list();
    assert.deepEqual([models, damaged!.map((each) => each.id)], [[], [id]]);
    const error = await failure(store.files(id));
    assert.equal(error.kind, "corrupt");
    assert.equal(error.message, damaged![0]!.message);
    assert.match(error.message, /"mine"/);
    assert.deepEqual(origin.locks.held(), []);
    // Saving it again mends it.
    assert.equal((await saveIn(origin)).id, id);
    const mended = await store.list();
    assert.deepEqual([mended.models.length, mended.damaged], [1, undefined]);
  }
});

test("a damaged record is no model, and can be removed", async () => {
  const origin = new MemoryOrigin();
  await saveIn(origin);
  const { folder, name } = origin.file(/model\.json$/);
  const text = new TextDecoder().decode(folder.contents.get(name));
  for (const wrong of ["{", text.replace("3000000", "3000001"), text.replace("tenure", "other")]) {
    folder.contents.set(name, textBytes(wrong));
    const store = openModelStore(origin.options);
    const { models, damaged } = await store.list();
    assert.deepEqual([models, damaged!.length], [[], 1]);
    assert.match(damaged![0]!.message, /Cannot read "model\.json"/);
    assert.equal((await failure(store.files(damaged![0]!.id))).kind, "corrupt");
  }
  const store = openModelStore(origin.options);
  await store.remove((await store.list()).damaged![0]!.id);
  assert.deepEqual(origin.files(), {});
});

test("verify() reads everything, and names the file in which a bit has flipped", async () => {
  const origin = new MemoryOrigin();
  const { id, bytes } = await saveIn(origin);
  const store = openModelStore(origin.options);
  const seen: Progress[] = [];
  await store.verify(id, { onProgress: (progress) => seen.push(progress) });
  assert.deepEqual([seen.at(-1)!.done, seen.at(-1)!.total], [bytes, bytes]);
  assert.ok(seen.every(({ phase }) => phase === "check"));
  const { folder, name } = origin.file(/file-2$/);
  folder.contents.get(name)![1_500_000]! ^= 4;
  const error = await failure(store.verify(id));
  assert.equal(error.kind, "corrupt");
  assert.match(error.message, /"model\.safetensors"/);
  assert.deepEqual(origin.locks.held(), []);
});

test("saving tells how far it is, and can be ended", async () => {
  const origin = new MemoryOrigin();
  const store = openModelStore(origin.options);
  const source = { kind: "files", files: chosen(modelFiles()) } as const;
  const controller = new AbortController();
  const { signal } = controller;
  const onWrite = (_name: string, position: number) => {
    if (position > 0) controller.abort();
  };
  origin.onWrite = onWrite;
  const error = await failure(store.save(source, { signal }));
  assert.equal(error.kind, "aborted");
  assert.deepEqual([origin.files(), origin.locks.held()], [{}, []]);
  assert.equal((await failure(store.save(source, { signal }))).kind, "aborted");
  origin.onWrite = () => {};
  const seen: Progress[] = [];
  const info = await store.save(source, { onProgress: (progress) => seen.push(progress) });
  const done = seen.map((progress) => progress.done);
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
  assert.equal(done.at(-1), info.bytes);
  assert.ok(seen.every(({ total }) => total === info.bytes));
});

test("a stored model as the source of saving is itself", async () => {
  const origin = new MemoryOrigin();
  const info = await saveIn(origin);
  const store = openModelStore(origin.options);
  assert.deepEqual(await store.save({ kind: "stored", id: info.id }), info);
  assert.equal((await failure(store.save({ kind: "stored", id: "none" }))).kind, "bad-input");
});

test("without files of the origin or locks, every call says what is missing", async () => {
  const { locks, ...rest } = new MemoryOrigin().options;
  for (const store of [openModelStore(rest), openModelStore({ locks, storage: rest.storage })]) {
    const error = await failure(store.list());
    assert.equal(error.kind, "unsupported");
    assert.match(error.remedy, /https/);
  }
});

test("a browser without createWritable() writes through a handle of its own", async () => {
  const { FileWriter } = await import("../../web/store/file_writer.ts");
  let content = bytesOf(20);
  const calls: string[] = [];
  const access = {
    write(bytes: Uint8Array, { at }: { readonly at: number }) {
      // Part of what it is given, as it may.
      const part = bytes.subarray(0, 700_000);
      const grown = new Uint8Array(Math.max(content.length, at + part.length));
      grown.set(content);
      grown.set(part, at);
      content = grown;
      return part.length;
    },
    truncate(size: number) {
      content = content.slice(0, size);
    },
    flush: () => void calls.push("flush"),
    close: () => void calls.push("close"),
  };
  const writer = await FileWriter.open({ createSyncAccessHandle: async () => access });
  await writer.append(bytesOf(1_500_000, 9));
  await writer.restart();
  const expected = bytesOf(2_500_000);
  await writer.append(expected.subarray(0, 10));
  await writer.append(expected.subarray(10));
  await writer.close();
  assert.equal(sha256Of(content), sha256Of(expected));
  assert.deepEqual(calls, ["flush", "close"]);
  await assert.rejects(FileWriter.open({}), TypeError);
});
