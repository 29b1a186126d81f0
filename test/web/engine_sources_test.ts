import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { predict } from "../../cli/run/predict.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";
import { careersToJsonl } from "../../data/career_json.ts";
import { encodeEntries, MANIFEST_FILE } from "../../model/checkpoint/manifest.ts";
import { openSource } from "../../web/engine/open_source.ts";
import type { ModelFile, ModelSource, Progress } from "../../web/engine/api.ts";
import type { Files } from "../checkpoint/memory_files.ts";
import { exportQuietly } from "../cli/export_support.ts";
import {
  prepareFew,
  temporaryFolder,
  trainTiny,
  WORDING as RUN_WORDING,
} from "../cli/run_support.ts";
import { assertClose } from "../support.ts";
import { failing } from "./engine_cases.ts";
import { CAREER, careerFiles, chosen, dropped, localEngine, WORDING } from "./engine_support.ts";
import { FileServer } from "./file_server.ts";
import { listingOf, textBytes } from "./model_files.ts";

/** The same kernels on the same device; only buffers lie elsewhere. */
const SAME = { rtol: 1e-6, atol: 1e-9 };

const folder = temporaryFolder();
const [dataFolder, runFolder] = [join(folder, "data"), join(folder, "run")];
const files = await careerFiles();

before(async () => {
  await prepareFew(dataFolder);
  await trainTiny({ dataFolder, runFolder });
});

const noStore = () => Promise.reject(new Error("there is no store"));
const open = (source: ModelSource, onProgress?: (progress: Progress) => void) =>
  openSource(source, { openStore: noStore, ...(onProgress && { onProgress }) });

test("a run, its checkpoint and its exports predict as tenure predict does", async () => {
  const career = { ...CAREER, dataset: "SYNTHETIC" };
  const file = join(folder, "careers.jsonl");
  const lines: Uint8Array[] = [];
  for await (const chunk of careersToJsonl([career])) lines.push(chunk);
  writeFileSync(file, Buffer.concat(lines));
  const expected = await predict({ model: runFolder, career: { file }, top: 335 });
  const codes = OCCUPATIONS.map(({ code }) => code);
  const probabilities = new Float64Array(codes.length);
  for (const { code, probability } of expected.occupations) {
    probabilities[codes.indexOf(code)] = probability;
  }
  const [whole, gguf] = [join(folder, "export"), join(folder, "gguf")];
  await exportQuietly({ model: runFolder, folder: whole });
  // No GGUF file can hold how our tokenizers cut text: the tokenizer lies beside it.
  const bare = { format: "gguf", dtype: "f32", withTokenizer: false } as const;
  await exportQuietly({ model: runFolder, folder: gguf, ...bare });
  copyFileSync(join(whole, "tokenizer.json"), join(gguf, "tokenizer.json"));
  const engine = localEngine();
  for (const source of [dropped(runFolder), dropped(whole), dropped(gguf)]) {
    const info = await engine.load(source);
    assert.deepEqual(info.wording, RUN_WORDING);
    assert.ok(info.isWordingKnown);
    const prediction = await engine.predict(career);
    assert.equal(prediction.prompt, expected.prompt);
    assert.equal(prediction.year, expected.year);
    assert.equal(prediction.education, expected.education);
    assertClose(prediction.probabilities, probabilities, { what: "probabilities", ...SAME });
    const { last, stay } = prediction;
    assert.equal(last, career.observations.at(-1)!.occupation);
    assert.equal(stay, prediction.probabilities[codes.indexOf(last)]);
  }
});

test("of a run the best checkpoint is taken, and a damaged latest one passed over", async () => {
  const { files: all } = dropped(runFolder) as { readonly files: readonly ModelFile[] };
  const steps = [...new Set(all.flatMap(({ path }) => /checkpoint-(\d+)/.exec(path)?.[1] ?? []))]
    .map(Number)
    .toSorted((a, b) => a - b);
  assert.ok(steps.length >= 1);
  const latest = `checkpoint-${steps.at(-1)}`;
  const state = JSON.parse(readFileSync(join(runFolder, latest, "trainer_state.json"), "utf8")) as {
    best_model_checkpoint: string;
  };
  const within = all.map(({ path, blob }) => ({ path: `some/run/${path}`, blob }));
  const { name } = await open({ kind: "files", files: within });
  assert.equal(name, `run, ${state.best_model_checkpoint}`);

  // As if the one before had been the best; a number of as many digits keeps lengths the same.
  const number = /\d+$/.exec(latest)![0];
  const better = `checkpoint-${String(Number(number) - 1).padStart(number.length, "0")}`;
  const two = await Promise.all(
    all.flatMap(({ path, blob }) => {
      if (!path.startsWith(`${latest}/`)) return [];
      const copy = Promise.resolve({ path: path.replace(latest, better), blob });
      if (!path.endsWith("trainer_state.json")) return [copy, Promise.resolve({ path, blob })];
      return [
        copy,
        blob.text().then((text) => {
          const json = JSON.parse(text) as Record<string, unknown>;
          const changed = JSON.stringify({ ...json, best_model_checkpoint: better });
          return { path, blob: new Blob([changed.padEnd(blob.size)]) };
        }),
      ];
    }),
  );
  assert.equal((await open({ kind: "files", files: two })).name, better);

  // The same checkpoint as one of a later step whose copying broke off.
  const copied = all
    .filter(({ path }) => path.startsWith(`${latest}/`))
    .map(({ path, blob }) => ({ path: path.replace(latest, "checkpoint-999"), blob }));
  const broken = copied.map(({ path, blob }) => {
    return { path, blob: path.endsWith("model.safetensors") ? blob.slice(0, 99) : blob };
  });
  const { name: other } = await open({ kind: "files", files: [...all, ...broken] });
  assert.match(other, new RegExp(state.best_model_checkpoint));
  const only = [{ path: "run.json", blob: new Blob(["{}"]) }, ...broken];
  await assert.rejects(open({ kind: "files", files: only }), failing("corrupt", /whole/));
});

/** The model with a manifest of these files. */
function withManifest(changes: (all: Files) => void = () => undefined): Files {
  const all = new Map(files);
  const sums = Array.from(all, ([name, bytes]) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return [name, { bytes: bytes.length, sha256 }] as const;
  });
  all.set(MANIFEST_FILE, encodeEntries(new Map(sums)));
  changes(all);
  return all;
}

test("files are compared with the manifest beside them, and the changed one is named", async () => {
  const seen: Progress[] = [];
  await open(chosen(withManifest()), (progress) => seen.push(progress));
  const checked = new Set(seen.filter(({ phase }) => phase === "check").map(({ what }) => what));
  assert.ok(checked.has("model.safetensors") && checked.has("config.json"));

  const flipped = withManifest((all) => {
    const bytes = all.get("model.safetensors")!.slice();
    bytes[bytes.length - 3]! ^= 1;
    all.set("model.safetensors", bytes);
  });
  await assert.rejects(open(chosen(flipped)), failing("corrupt", /model\.safetensors.*SHA-256/));
  const longer = withManifest((all) => {
    all.set("tokenizer.json", new Uint8Array([...all.get("tokenizer.json")!, 32]));
  });
  await assert.rejects(open(chosen(longer)), failing("corrupt", /tokenizer\.json.*bytes/));
  const lost = withManifest((all) => all.delete("generation_config.json"));
  await assert.rejects(open(chosen(lost)), failing("corrupt", /generation_config\.json/));
  const foreign = withManifest((all) => all.set("tokenizer_config.json", new Uint8Array(2)));
  await assert.rejects(
    open(chosen(foreign)),
    failing("corrupt", /tokenizer_config\.json.*unknown/),
  );
});

test("a folder of a web server is fetched once, each file whole", async () => {
  const at = Object.fromEntries(Array.from(files, ([name, bytes]) => [`m/${name}`, bytes]));
  await using server = await FileServer.start(at);
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => seen.push(progress);
  const engine = localEngine();
  const info = await engine.load({ kind: "url", url: `${server.url}m` }, { onProgress });
  assert.deepEqual([info.name, info.wording], ["m", WORDING]);
  assert.equal(server.gets("m/model.safetensors").length, 1);
  const size = files.get("model.safetensors")!.length;
  const last = seen.findLast(({ phase, what }) => phase === "download" && what.includes("model.s"));
  assert.equal(last?.done, size);
  const { length } = server.requests;
  const { probabilities } = await engine.predict(CAREER);
  await engine.loseDevice();
  assert.deepEqual((await engine.predict(CAREER)).probabilities, probabilities);
  assert.equal(server.requests.length, length, "nothing is fetched again, whatever happens");
});

test("a folder that its server lists has the name, and only the files, of the list", async () => {
  const all = Object.fromEntries(files);
  const at = Object.entries({ ...all, "index.json": listingOf(all, "Careers of 1990") });
  const served = Object.fromEntries(at.map(([name, bytes]) => [`m 1%/${name}`, bytes]));
  await using server = await FileServer.start(served);
  const seen: Progress[] = [];
  const url = `${server.url}m%201%25/?key=1`;
  const { name, wording } = await open({ kind: "url", url }, (progress) => seen.push(progress));
  assert.deepEqual([name, wording], ["Careers of 1990", WORDING]);
  const asked = server.requests.map(({ path }) => path);
  assert.deepEqual(
    asked.filter((path) => !server.files.has(path)),
    [],
    "nothing is asked for that is not there",
  );
  assert.equal(asked.length, new Set(asked).size);
  assert.ok(seen.some(({ phase, what }) => phase === "check" && what === "config.json"));

  const weights = "m 1%/tokenizer.json";
  const whole = server.files.get(weights)!;
  server.files.set(weights, whole.slice(1));
  await assert.rejects(open({ kind: "url", url }), failing("corrupt", /tokenizer.*bytes.*index/));
  server.files.set(weights, new Uint8Array(whole.length).fill(32));
  await assert.rejects(open({ kind: "url", url }), failing("corrupt", /tokenizer.*SHA-256.*index/));
  server.files.delete(weights);
  await assert.rejects(open({ kind: "url", url }), failing("corrupt", /tokenizer.*there.*index/));

  server.files.set(weights, whole);
  const outside = { files: [{ path: "../config.json", bytes: 1 }] };
  server.files.set("m 1%/index.json", textBytes(outside));
  await assert.rejects(open({ kind: "url", url }), failing("corrupt", /within the folder/));
  for (const other of [textBytes({ name: "of something else" }), textBytes("[]")]) {
    server.files.set("m 1%/index.json", other);
    assert.equal((await open({ kind: "url", url })).name, "m 1%");
  }
  await assert.rejects(open({ kind: "url", url: "file:///m/" }), failing("bad-input", /http/));
});

test("a run that its server lists is found without fetching its other checkpoints", async () => {
  const { files: all } = dropped(runFolder) as { readonly files: readonly ModelFile[] };
  const bytes = await Promise.all(
    all.map(async ({ path, blob }) => [path, new Uint8Array(await blob.arrayBuffer())] as const),
  );
  const latest = /checkpoint-\d+/.exec(
    all.find(({ path }) => path.includes("checkpoint-"))!.path,
  )![0];
  const older = bytes
    .filter(([path]) => path.startsWith(`${latest}/`))
    .map(([path, content]) => [path.replace(latest, "checkpoint-0"), content] as const);
  const listed = Object.fromEntries([...bytes, ...older]);
  const served = Object.entries({ ...listed, "index.json": listingOf(listed, "small") });
  await using server = await FileServer.start(
    Object.fromEntries(served.map(([path, content]) => [`runs/${path}`, content])),
  );
  const { name } = await open({ kind: "url", url: `${server.url}runs` });
  assert.equal(name, "small");
  const weights = server.requests.filter(({ path }) => path.endsWith("model.safetensors"));
  assert.equal(weights.length, 1);
  assert.ok(!server.requests.some(({ path }) => path.endsWith("optimizer.safetensors")));
});

test("a server that has no model, sends its page instead, or refuses, is told apart", async () => {
  await using server = await FileServer.start({});
  const url = `${server.url}m/`;
  await assert.rejects(open({ kind: "url", url }), failing("unsupported", /config\.json/));
  server.fault = (_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html>");
    return true;
  };
  await assert.rejects(open({ kind: "url", url }), failing("unsupported", /config\.json/));
  for (const [status, remedy] of [
    [403, /access/],
    [500, /later/],
  ] as const) {
    server.fault = (_, response) => {
      response.writeHead(status).end();
      return true;
    };
    await assert.rejects(open({ kind: "url", url }), (error: Error & { remedy: string }) => {
      assert.match(error.remedy, remedy);
      return failing("network", new RegExp(String(status)))(error as never);
    });
  }
  server.fault = (_, response) => {
    response.writeHead(200, { "content-length": "99" }).write("{");
    setTimeout(() => response.destroy(), 5);
    return true;
  };
  await assert.rejects(open({ kind: "url", url }), failing("network"));
});

test("several models are not guessed among, and one in a folder within is found", async () => {
  const of = (name: string) => (chosen(files, name) as { files: readonly ModelFile[] }).files;
  const both = [...of("one"), ...of("two")];
  await assert.rejects(
    open({ kind: "files", files: both }),
    failing("unsupported", /"one", "two"/),
  );
  const nested = [...of("a/b"), ...of("a/b/old/copy")].map(({ path, blob }) => {
    return { path: `./${path.replaceAll("/", "\\")}`, blob };
  });
  assert.equal((await open({ kind: "files", files: nested })).name, "b");
});
