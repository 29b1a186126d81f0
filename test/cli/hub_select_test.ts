import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { DownloadMeter } from "../../cli/platform/hub_progress.ts";
import { selectFiles } from "../../cli/platform/hub_select.ts";
import { hubSettings } from "../../cli/platform/hub_settings.ts";
import { folder, REPO, WEIGHTS } from "./hub_support.ts";

/** Files by name alone. */
function named(...paths: string[]): Parameters<typeof selectFiles>[1] {
  return paths.map((path) => ({ path, size: 1, digest: path, algorithm: "sha1" }));
}

test("selectFiles() takes weights once, and what goes with them", () => {
  const chosen = (paths: string[], selection = {}): string[] =>
    selectFiles(REPO, named(...paths), selection).files.map(({ path }) => path);
  const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const index = "model.safetensors.index.json";
  assert.deepEqual(chosen(["config.json", index, ...shards, "consolidated.safetensors"]), [
    "config.json",
    index,
    ...shards,
  ]);
  assert.deepEqual(chosen(["config.json", WEIGHTS, index, ...shards]), ["config.json", WEIGHTS]);
  assert.deepEqual(chosen(["config.json", "model.fp16.safetensors", WEIGHTS]), [
    "config.json",
    WEIGHTS,
  ]);
  assert.deepEqual(chosen(["config.json", "other.safetensors", "x/model.safetensors"]), [
    "config.json",
    "other.safetensors",
  ]);
  assert.deepEqual(chosen(["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]), [
    "adapter_config.json",
    "tokenizer.json",
    "adapter_model.safetensors",
  ]);
  assert.deepEqual(chosen(["README.md", "q.gguf"]), ["q.gguf"]);
  assert.deepEqual(chosen(["a-Q4_0.gguf", "a-Q8_0.gguf"], { gguf: "q8_0" }), ["a-Q8_0.gguf"]);
  assert.deepEqual(chosen(["a.gguf", "a.gguf.gguf"], { gguf: "a.gguf" }), ["a.gguf"]);
  assert.deepEqual(chosen(["a/x1.txt", "a/x2.txt", "b.txt"], { include: ["a/x[!2].*", "?.txt"] }), [
    "a/x1.txt",
    "b.txt",
  ]);
  assert.deepEqual(chosen(["a+b.txt", "aab.txt", "[x"], { include: ["a+b.txt", "[x"] }), [
    "a+b.txt",
    "[x",
  ]);
});

test("selectFiles() refuses pickles with the reason, and says what there is", () => {
  const refused = (paths: string[], selection: object, message: RegExp): void => {
    assert.throws(() => selectFiles(REPO, named(...paths), selection), {
      exitCode: EXIT.data,
      message,
    });
  };
  const pickle =
    /weights must be safetensors or GGUF, got only "pytorch_model\.bin".*reading a pickle runs the code in it/;
  refused(["config.json", "pytorch_model.bin"], {}, pickle);
  refused(["pytorch_model.bin"], { include: ["*.bin"] }, pickle);
  for (const name of ["a.pt", "a.PTH", "a.pkl", "a.ckpt"]) {
    refused(["config.json", name], {}, /hold pickles/);
    refused([WEIGHTS, name], { include: [name] }, /hold pickles/);
  }
  refused(["config.json"], {}, /weights must be safetensors or GGUF, got "config\.json"$/);
  refused([], {}, /got no file at all$/);
  refused([WEIGHTS], {}, /a model must have a config\.json, got none; see --include/);
  refused(
    ["a.gguf", "b.gguf"],
    {},
    /--gguf must say which file, got none; it has "a\.gguf", "b\.gguf"$/,
  );
  refused(
    ["a.gguf", "b.gguf"],
    { gguf: "c" },
    /--gguf must name one file, got "c"; it has "a\.gguf"/,
  );
  refused([WEIGHTS], { gguf: "c" }, /got a model without any GGUF/);
  refused(["a-00001-of-00002.gguf"], {}, /must be one file, got a part/);
  refused(["a"], { include: ["b*"] }, /--include must match a file, got b\*; it has "a"/);
  const { files, refused: left } = selectFiles(REPO, named("x.json", "x.bin"), {
    include: ["x.*"],
  });
  assert.deepEqual([files.length, left], [1, ["x.bin"]]);
});

test("hubSettings() reads the environment as Hugging Face's programs do", () => {
  const home = mkdtempSync(join(folder, "home-"));
  const read = (env: NodeJS.ProcessEnv, flags = {}) => hubSettings(flags, { HOME: home, ...env });
  const cache = (env: NodeJS.ProcessEnv): string => read(env).cacheDir;
  assert.deepEqual(read({}), {
    endpoint: "https://huggingface.co",
    cacheDir: join(home, ".cache/huggingface/hub"),
    isOffline: false,
  });
  assert.equal(cache({ XDG_CACHE_HOME: "/x" }), "/x/huggingface/hub");
  assert.equal(cache({ HF_HOME: "/h", XDG_CACHE_HOME: "/x" }), "/h/hub");
  assert.equal(cache({ HUGGINGFACE_HUB_CACHE: "/u", HF_HOME: "/h" }), "/u");
  assert.equal(cache({ HF_HUB_CACHE: "~/c", HUGGINGFACE_HUB_CACHE: "/u" }), join(home, "c"));
  assert.equal(read({ HF_HUB_CACHE: "/c" }, { cacheDir: "/flag" }).cacheDir, "/flag");
  assert.equal(read({ HF_ENDPOINT: "https://m.example/hub/" }).endpoint, "https://m.example/hub");
  assert.equal(
    read({ HF_ENDPOINT: "x" }, { endpoint: "https://f.example" }).endpoint,
    "https://f.example",
  );
  for (const value of ["1", "ON", "yes", "True"])
    assert.equal(read({ HF_HUB_OFFLINE: value }).isOffline, true);
  for (const value of ["0", "", "no"]) assert.ok(!read({ HF_HUB_OFFLINE: value }).isOffline);
  assert.equal(read({ HF_TOKEN: " hf_a\n" }).token, "hf_a");
  assert.equal(read({ HUGGING_FACE_HUB_TOKEN: "hf_b" }).token, "hf_b");
  mkdirSync(join(home, ".cache/huggingface"), { recursive: true });
  writeFileSync(join(home, ".cache/huggingface/token"), "hf_file\n");
  assert.equal(read({}).token, "hf_file");
  assert.equal(read({ HF_TOKEN: "hf_a" }).token, "hf_a");
  for (const endpoint of ["huggingface.co", "ftp://x", "https://u:p@x", "https://x/?q=1"]) {
    assert.throws(() => read({ HF_ENDPOINT: endpoint }), { exitCode: EXIT.usage });
  }
  assert.throws(() => read({ HF_ENDPOINT: "http://m.example" }), {
    exitCode: EXIT.usage,
    message: /Cannot send HF_TOKEN to "http:\/\/m\.example": the endpoint must begin with https/,
  });
  assert.throws(
    () => read({ HF_TOKEN: "hf_a\nb" }),
    (error: Error) => !error.message.includes("hf_a"),
  );
});

test("a meter tells rate and time left of what came over the network", () => {
  let now = 0;
  const meter = new DownloadMeter(1000, () => now);
  meter.add(400, false);
  assert.deepEqual(meter.state(), { bytes: 400, totalBytes: 1000, rate: 0 });
  for (now = 100; now <= 2000; now += 100) meter.add(10, true);
  now = 2000;
  assert.deepEqual(meter.state(), { bytes: 600, totalBytes: 1000, rate: 100, leftMs: 4000 });
  meter.add(-200, true);
  assert.deepEqual(meter.state(), { bytes: 400, totalBytes: 1000, rate: 100, leftMs: 6000 });
  // Silence makes the rate fall.
  now = 4000;
  assert.equal(meter.state().rate, 50);
});
