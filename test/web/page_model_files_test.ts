import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError } from "../../web/engine/errors.ts";
import { chosenModel } from "../../web/page/model/chosen_model.ts";
import { droppedFiles, listedFiles } from "../../web/page/model/dropped_files.ts";
import { findSiteModel, parseSiteModel } from "../../web/page/model/site_model.ts";

const ADDRESS = "http://127.0.0.1:8080/page/model/index.json";

const files = (...paths: string[]) => paths.map((path) => ({ path, blob: new Blob(["four"]) }));

/** A file, or a folder whose reader hands out two entries at a time, as browsers do in hundreds. */
function entry(name: string, children?: readonly object[]): object {
  if (children === undefined) {
    return {
      name,
      isFile: true,
      file: (take: (file: File) => void) => take(new File(["x"], name)),
    };
  }
  return {
    name,
    isFile: false,
    createReader() {
      const left = [...children];
      return { readEntries: (take: (some: object[]) => void) => take(left.splice(0, 2)) };
    },
  };
}

function transfer(...entries: (object | null)[]): DataTransfer {
  const items = entries.map((one) => ({ webkitGetAsEntry: () => one }));
  return { items, files: [new File(["x"], "plain.gguf")] } as unknown as DataTransfer;
}

const paths = (found: readonly { readonly path: string }[]) =>
  found.map(({ path }) => path).toSorted();

test("a dropped folder is walked whole, however many times its reader must be asked", async () => {
  const many = ["a", "b", "c", "d", "e"].map((name) => entry(name));
  const found = await droppedFiles(transfer(entry("run", [...many, entry("deep", [entry("f")])])));
  assert.deepEqual(paths(found), ["run/a", "run/b", "run/c", "run/d", "run/deep/f", "run/e"]);
});

test("several dropped things come together; a drop without entries gives its files", async () => {
  const found = await droppedFiles(transfer(entry("a.gguf"), null, entry("b", [entry("c")])));
  assert.deepEqual(paths(found), ["a.gguf", "b/c"]);
  assert.deepEqual(paths(await droppedFiles(transfer(null))), ["plain.gguf"]);
});

test("a file that cannot be read makes the drop fail", async () => {
  const broken = {
    name: "a",
    isFile: true,
    file: (_: unknown, fail: (error: Error) => void) => fail(new Error("gone")),
  };
  await assert.rejects(droppedFiles(transfer(entry("b", [broken]))), /gone/);
});

test("files of a chosen folder carry their paths", () => {
  const file = Object.assign(new File(["x"], "a"), { webkitRelativePath: "run/a" });
  assert.deepEqual(paths(listedFiles([file, new File(["x"], "b")])), ["b", "run/a"]);
});

test("what was chosen is named by its folder, its GGUF file, or its largest file", () => {
  assert.equal(chosenModel(files("smol/config.json", "smol/a.safetensors")).name, "smol");
  assert.equal(chosenModel(files("smol-q8.gguf")).name, "smol-q8");
  assert.equal(chosenModel(files("tokenizer.bin", "stories.v2.gguf")).name, "stories.v2");
  const large = { path: "stories260K.bin", blob: new Blob(["larger than four"]) };
  assert.equal(chosenModel([...files("tok512.bin"), large]).name, "stories260K");
  assert.equal(chosenModel(files("config.json", "model.safetensors")).name, "model");
  assert.equal(chosenModel(files("smol/config.json", "other/config.json")).name, "model");
});

test("hidden files are left out, and nothing else", () => {
  const chosen = chosenModel(files("m/.git/config", "m/.DS_Store", "m/config.json", "m/a.b/c"));
  assert.deepEqual(paths(chosen.files), ["m/a.b/c", "m/config.json"]);
  assert.equal(chosen.bytes, 8);
  assert.throws(() => chosenModel(files(".DS_Store")), { kind: "bad-input" });
});

const list = (some: object = {}) =>
  JSON.stringify({ name: "small", files: [{ path: "config.json", bytes: 3 }], ...some });

test("a site's list gives name, folder, size and sums; nothing loads unasked unless it says so", () => {
  const sum = "0f".repeat(32);
  const text = list({
    files: [
      { path: "config.json", bytes: 3 },
      { path: "sub/model.safetensors", bytes: 39, sha256: sum },
    ],
  });
  assert.deepEqual(parseSiteModel(text, ADDRESS), {
    choice: {
      name: "small",
      source: { kind: "url", url: "http://127.0.0.1:8080/page/model/" },
      sha256: { "sub/model.safetensors": sum },
    },
    bytes: 42,
    autoload: false,
  });
  assert.equal(parseSiteModel(list({ autoload: true }), ADDRESS).autoload, true);
});

test("a list of one GGUF file leads to that file", () => {
  const text = list({ files: [{ path: "my model.gguf", bytes: 3 }] });
  assert.deepEqual(parseSiteModel(text, ADDRESS).choice.source, {
    kind: "url",
    url: "http://127.0.0.1:8080/page/model/my%20model.gguf",
  });
});

test("a list that leads out of its folder is refused", () => {
  for (const path of [
    "../a",
    "a/../b",
    "/a",
    "a//b",
    "https://example.org/a",
    "a\\b",
    "",
    ".",
    "a?b",
  ]) {
    assert.throws(
      () => parseSiteModel(list({ files: [{ path, bytes: 1 }] }), ADDRESS),
      (error) => error instanceof EngineError && /"path" must stay/.test(error.message),
      path,
    );
  }
});

test("any other list is one, or an error of kind corrupt that names the file", () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const some = fc.record({
    name: value,
    autoload: value,
    files: fc.oneof(value, fc.array(fc.record({ path: value, bytes: value, sha256: value }))),
  });
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    some.map((one) => JSON.stringify(one)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        assert.ok(parseSiteModel(text, ADDRESS).bytes >= 0);
      } catch (error) {
        assert.ok(error instanceof EngineError, String(error));
        assert.equal(error.kind, "corrupt");
        assert.match(error.message, /model\/index\.json/);
      }
    }),
  );
});

test("a site without a list, or one that answers with its page, or nobody, offers nothing", async (t) => {
  const json = { "content-type": "application/json" };
  const answers: readonly (() => Response)[] = [
    () => new Response("", { status: 404, headers: json }),
    () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
    () => {
      throw new TypeError("no network");
    },
  ];
  for (const answer of answers) {
    t.mock.method(globalThis, "fetch", async () => answer());
    assert.equal(await findSiteModel("http://127.0.0.1:8080/page/"), undefined);
  }
  const asked: string[] = [];
  t.mock.method(globalThis, "fetch", async (url: string) => {
    asked.push(url);
    return new Response(list(), { headers: json });
  });
  assert.equal((await findSiteModel("http://127.0.0.1:8080/page/#model"))!.choice.name, "small");
  assert.deepEqual(asked, [ADDRESS]);
});
