import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import type { WeightDType } from "../../engine/pack.ts";
import { unpack, pack } from "../../engine/pack.ts";
import { encodeGguf } from "../../model/checkpoint/gguf/encode.ts";
import type { FileLike } from "../../model/pretrained/file_sets.ts";
import {
  loadPretrained,
  type LoadPretrainedOptions,
  openPretrained,
  type PretrainedSource,
} from "../../model/pretrained/load_pretrained.ts";
import type { LoadProgress } from "../../model/pretrained/load_transformer.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { type Files, folderOf } from "../checkpoint/memory_files.ts";
import { fullLogits } from "../generate/cached_logits.ts";
import { assertClose, openGpu, openTestAdapter } from "../support.ts";
import { openWithout } from "../engine/without_memory.ts";
import { Gpu } from "../../engine/gpu.ts";
import { SMALL, smallFiles, WEIGHTS } from "./small_model.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const TEXT = Uint32Array.from([5, 17, 200, 3, 44, 44, 270, 1]);
const expected = await fullLogits(gpu, Transformer.create(gpu, SMALL, { values: WEIGHTS }), TEXT);

async function logitsOf(source: PretrainedSource, options: LoadPretrainedOptions = {}) {
  const model = await loadPretrained(source, { gpu, ...options });
  return fullLogits(gpu, model.transformer, TEXT);
}

const filesOf = (files: Files): FileLike[] =>
  Array.from(files, ([name, bytes]) => Object.assign(new Blob([bytes]), { name }));

/** Serves files on this machine, with ranges or without; counts the bytes it sent of each. */
async function serve(files: Files, { ranges }: { ranges: boolean }) {
  const sent = new Map<string, number>();
  const server: Server = createServer((request, response) => {
    const name = decodeURIComponent(request.url!.split("/").pop()!);
    const bytes = files.get(name);
    if (bytes === undefined) return response.writeHead(404).end();
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (!ranges || from === undefined) return response.writeHead(200).end(bytes);
    const part = bytes.subarray(Number(from), Number(to) + 1);
    sent.set(name, (sent.get(name) ?? 0) + part.length);
    const range = `bytes ${from}-${to}/${bytes.length}`;
    return response.writeHead(206, { "content-range": range }).end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { sent, url: `http://127.0.0.1:${port}/models/small`, close: () => server.close() };
}

test("a folder, chosen files and a URL give the model that was written, bit by bit", async () => {
  const files = await smallFiles();
  assert.deepEqual(await logitsOf(folderOf(files)), expected);
  assert.deepEqual(await logitsOf(filesOf(files)), expected);
  for (const ranges of [true, false]) {
    const server = await serve(files, { ranges });
    try {
      assert.deepEqual(await logitsOf(server.url), expected, `ranges: ${ranges}`);
      if (!ranges) continue;
      const { length } = files.get("model.safetensors")!;
      const sent = server.sent.get("model.safetensors")!;
      assert.ok(sent < length + 1000, `${sent} of ${length} bytes must be sent about once`);
    } finally {
      server.close();
    }
  }
});

test("shards and a GGUF file give the same model", async () => {
  const shards = await smallFiles({ maxShardBytes: 20_000 });
  assert.ok(shards.has("model.safetensors.index.json"));
  assert.deepEqual(await logitsOf(folderOf(shards)), expected);
  const chunks: Uint8Array[] = [];
  const weights = (label: string) => Promise.resolve(WEIGHTS.get(label)!);
  for await (const chunk of encodeGguf({ config: SMALL, weights, type: "F32" })) chunks.push(chunk);
  const file = Object.assign(new Blob(chunks as BlobPart[]), { name: "small.gguf" });
  const stored = await openPretrained([file]);
  const { tokenizer } = await openPretrained(folderOf(shards));
  assert.deepEqual(await logitsOf({ ...stored, tokenizer: tokenizer! }), expected);
});

/** Products of unpacked weights differ from ours by rounding alone. */
const ROUNDING = { rtol: 1e-5, atol: 1e-4 };

for (const dtype of ["f16", "bf16", "int8", "int4"] satisfies WeightDType[]) {
  test(`a model held as ${dtype} computes with the weights that ${dtype} can express`, async () => {
    const values = new Map(
      Array.from(WEIGHTS, ([label, weight]) => {
        const shape = [weight.length / 32, 32];
        const isOutside = label.startsWith("model.embed");
        if (label.includes("norm")) return [label, weight] as const;
        const held = dtype === "int4" && isOutside ? "int8" : dtype;
        const width = label.includes("down_proj") ? [32, 64] : shape;
        return [label, unpack(pack(weight, width, held), width, held)] as const;
      }),
    );
    const rounded = await fullLogits(gpu, Transformer.create(gpu, SMALL, { values }), TEXT);
    const logits = await logitsOf(folderOf(await smallFiles()), { dtype });
    assertClose(logits, rounded, { what: "logits", ...ROUNDING });
    assert.notDeepEqual(rounded, expected);
  });
}

test("files of halves are taken over without a change", async () => {
  for (const [stored, dtype] of [
    ["F16", "f16"],
    ["BF16", "bf16"],
  ] as const) {
    const files = await smallFiles({ dtype: stored });
    const model = await loadPretrained(folderOf(files), { gpu, dtype });
    const asFloats = await loadPretrained(folderOf(files), { gpu });
    const logits = await fullLogits(gpu, model.transformer, TEXT);
    const exact = await fullLogits(gpu, asFloats.transformer, TEXT);
    assertClose(logits, exact, { what: `${dtype} logits`, ...ROUNDING });
  }
});

test("loading tells how far it is, and can be stopped", async () => {
  const files = folderOf(await smallFiles());
  const seen: LoadProgress[] = [];
  await loadPretrained(files, { gpu, onProgress: (progress) => seen.push(progress) });
  assert.equal(seen.length, WEIGHTS.size);
  assert.equal(seen.at(-1)!.loadedBytes, seen.at(-1)!.totalBytes);
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("enough"));
  const stopped = loadPretrained(files, { gpu, onProgress, signal: controller.signal });
  const before = gpu.allocatedBytes;
  await assert.rejects(stopped, { message: "enough" });
  assert.equal(gpu.allocatedBytes, before, "what was loaded is freed");
});

test("a context is cut as asked, and to what the device can tabulate; destroy() frees all", async () => {
  const files = folderOf(await smallFiles({ config: { ...SMALL, maxSeqLen: 4_000_000 } }));
  const before = gpu.allocatedBytes;
  const asked = await loadPretrained(files, { gpu, maxSeqLen: 100 });
  assert.equal(asked.transformer.config.maxSeqLen, 100);
  await assert.rejects(asked.score(new Uint32Array(101), [" a"]), {
    message: /model's 100 tokens/,
  });
  const own = await loadPretrained(files, { gpu });
  const bound = gpu.maxBindingBytes / (4 * SMALL.headDim);
  assert.equal(own.transformer.config.maxSeqLen, Math.min(4_000_000, bound));
  assert.deepEqual(await fullLogits(gpu, own.transformer, TEXT), expected);
  await own.score("the", [" cook"]);
  own.destroy();
  asked.destroy();
  assert.equal(gpu.allocatedBytes, before);
});

test("a model that the device cannot hold is refused with the estimate, before it is read", async () => {
  const small = await Gpu.open(await openTestAdapter(), { maxMemoryBytes: 100_000 });
  const files = folderOf(await smallFiles());
  await assert.rejects(loadPretrained(files, { gpu: small }), {
    name: "RangeError",
    message:
      /^Cannot hold the weights of "folder" as f32: it needs 0\.00 GiB, got 0\.00 GiB free on this device; use fewer bits a weight/,
  });
  const read = files.reads.filter(({ name }) => name === "model.safetensors");
  const bytes = read.reduce((sum, part) => sum + part.bytes, 0);
  assert.ok(bytes < 10_000, `only the header may be read, got ${bytes} bytes`);
  assert.equal(small.allocatedBytes, 0);
  small.destroy();
});

test("a model for which memory runs out says so, frees what it had, and may be loaded again", async () => {
  const failing = new Set(["model.layers.0.mlp.up_proj.weight"]);
  const small = await openWithout(failing);
  const files = folderOf(await smallFiles());
  await assert.rejects(loadPretrained(files, { gpu: small }), {
    name: "RangeError",
    message: /^Cannot allocate "model\.layers\.0\.mlp\.up_proj\.weight": the device must have/,
  });
  assert.equal(small.allocatedBytes, 0);
  failing.clear();
  const { transformer } = await loadPretrained(files, { gpu: small });
  await fullLogits(small, transformer, TEXT);
  small.destroy();
});

test("what cannot be loaded is refused with the reason", async () => {
  const files = await smallFiles();
  const without = (name: string) => folderOf(new Map([...files].filter(([key]) => key !== name)));
  await assert.rejects(loadPretrained(without("tokenizer.json"), { gpu }), {
    name: "SyntaxError",
    message: /^Cannot use "folder": it must have a tokenizer/,
  });
  await assert.rejects(loadPretrained(folderOf(files), { gpu, dtype: "f16", trainable: true }), {
    name: "TypeError",
    message: /^Cannot train all weights of "folder": they must be held as f32, got f16/,
  });
  const stranger = Object.assign(new Blob(["abcd"]), { name: "model.gguf" });
  await assert.rejects(openPretrained([stranger]), { name: "SyntaxError" });
  await assert.rejects(openPretrained("http://127.0.0.1:9/model.gguf"));
});
