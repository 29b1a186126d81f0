import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { EXIT } from "../../cli/platform/errors.ts";
import { folderFiles } from "../../cli/platform/model_folder.ts";
import {
  embed,
  type EmbeddedText,
  type EmbeddingInfo,
  type EmbedRequest,
} from "../../cli/run/embed.ts";
import { parquetSink, safetensorsSink } from "../../cli/run/embedding_files.ts";
import { decodeSafetensors, floatTensor } from "../../model/checkpoint/safetensors.ts";
import type { EmbedOptions } from "../../model/generate/embed.ts";
import { loadPretrained } from "../../model/pretrained/load_pretrained.ts";
import { SMALL } from "../pretrained/small_model.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { modelAt, tenure, writeSmallModel } from "./model_support.ts";
import { temporaryFolder } from "./run_support.ts";

const folder = temporaryFolder();
const small = await writeSmallModel(join(folder, "small"));
const gpu = await openGpu();
after(() => gpu.destroy());
const model = await loadPretrained(folderFiles(small), { gpu });

/** A text's place in a pass decides the order of sums, but not what is summed. */
const ROUNDING = { rtol: 1e-5, atol: 1e-5 };

/** Vectors of the library, of one text after the other. */
async function expected(texts: readonly string[], options: EmbedOptions = {}) {
  const vectors: Float32Array[] = [];
  for (const text of texts) {
    for await (const vector of model.embed([text], options)) vectors.push(vector);
  }
  return vectors;
}

async function run(changes: Partial<EmbedRequest> & Pick<EmbedRequest, "input">) {
  return embed({ ...modelAt(small), ...changes }, async (info, vectors) => {
    const texts: EmbeddedText[] = [];
    for await (const text of vectors) texts.push(text);
    return { info, texts };
  });
}

function assertVectors(actual: Iterable<ArrayLike<number>>, vectors: readonly Float32Array[]) {
  const flat = Array.from(actual, (vector) => Array.from(vector)).flat();
  const all = vectors.flatMap((vector) => Array.from(vector));
  assertClose(flat, all, { what: "vectors", ...ROUNDING });
}

/** More than a group of 64, of several lengths, some with ids. */
const TEXTS = Array.from({ length: 70 }, (_, index) => ({
  ...(index % 3 > 0 && { id: index % 3 === 1 ? `t${index}` : index }),
  text: `the ${"cook cooks the ".repeat(index % 5)}baker`,
}));
const BARE = TEXTS.map(({ text }) => text);

test("vectors are those of the library, of any layer and pooling", async () => {
  const texts = BARE.slice(0, 4);
  for (const options of [
    {},
    { pooling: "mean" },
    { layer: 0, pooling: "mean" },
    { layer: 1 },
  ] as const) {
    const { info, texts: embedded } = await run({ input: { texts }, ...options });
    const vectors = embedded.map(({ vector }) => vector);
    assertVectors(vectors, await expected(texts, options));
    const { layer = SMALL.numBlocks, pooling = "last" }: EmbedOptions = options;
    assert.deepEqual(info, { count: 4, dModel: 32, model: small, layer, pooling });
  }
});

test("a .safetensors has one tensor, and ids among its metadata", async () => {
  const file = join(folder, "texts.jsonl");
  writeFileSync(file, TEXTS.map((text) => JSON.stringify(text)).join("\n\n"));
  const output = join(folder, "texts.safetensors");
  const flags = ["--pooling", "mean", "--layer", "1"];
  const { status, stderr } = tenure(["embed", small, "--input", file, "-o", output, ...flags]);
  assert.equal(status, EXIT.ok, stderr);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(output)), output);
  assert.deepEqual([...tensors.keys()], ["embeddings"]);
  const { shape, values } = floatTensor(tensors.get("embeddings")!, "embeddings", output);
  assert.deepEqual(shape, [TEXTS.length, SMALL.dModel]);
  assertVectors([values], await expected(BARE, { pooling: "mean", layer: 1 }));
  const { ids, ...rest } = Object.fromEntries(metadata);
  assert.deepEqual(rest, { format: "pt", layer: "1", model: small, pooling: "mean" });
  assert.deepEqual(
    JSON.parse(ids!),
    TEXTS.map(({ id }) => id ?? null),
  );
});

test("a .parquet has a row for each text, with ids or numbers of lines", async () => {
  const file = join(folder, "rows.jsonl");
  writeFileSync(file, TEXTS.map((text) => JSON.stringify(text)).join("\n"));
  const output = join(folder, "rows.parquet");
  const args = ["embed", small, "--input", file, "-o", output, "--with-text"];
  const { status, stderr } = tenure(args);
  assert.equal(status, EXIT.ok, stderr);
  const buffer = await asyncBufferFromFile(output);
  const rows = await parquetReadObjects({ file: buffer });
  assert.deepEqual(
    rows.map(({ id, text }) => ({ id: id as string, text: text as string })),
    TEXTS.map(({ id, text }, index) => ({ id: String(id ?? index + 1), text })),
  );
  assertVectors(
    rows.map(({ embedding }) => embedding as number[]),
    await expected(BARE),
  );
  const { key_value_metadata: metadata } = await parquetMetadataAsync(buffer);
  const entries = metadata!.map(({ key, value }) => [key, value]);
  assert.deepEqual(Object.fromEntries(entries), { model: small, layer: "2", pooling: "last" });
});

/** Vectors that no model has made. */
async function* made(count: number, dModel: number): AsyncGenerator<EmbeddedText, void, undefined> {
  for (let line = 1; line <= count; line++) {
    yield { line, text: `text "${line}" ä😀`, vector: uniform(dModel, line) };
  }
}

const INFO: EmbeddingInfo = { count: 23, dModel: 7, model: "m", layer: 1, pooling: "last" };

test("Parquet keeps every bit over several row groups", async () => {
  const path = join(folder, "groups.parquet");
  const sink = parquetSink(path, { withText: true, groupNumbers: 5 * INFO.dModel + 1 });
  await sink(INFO, made(INFO.count, INFO.dModel));
  const file = await asyncBufferFromFile(path);
  const { row_groups: groups } = await parquetMetadataAsync(file);
  assert.deepEqual(
    groups.map(({ num_rows: numRows }) => Number(numRows)),
    [5, 5, 5, 5, 3],
  );
  const rows = await parquetReadObjects({ file });
  assert.equal(rows.length, INFO.count);
  for (const [index, { id, text, embedding }] of rows.entries()) {
    assert.equal(id, String(index + 1));
    assert.equal(text, `text "${index + 1}" ä😀`);
    assert.deepEqual(Float32Array.from(embedding as number[]), uniform(INFO.dModel, index + 1));
  }
  const without = join(folder, "without.parquet");
  await parquetSink(without, { withText: false })(INFO, made(INFO.count, INFO.dModel));
  const [first] = await parquetReadObjects({ file: await asyncBufferFromFile(without) });
  assert.deepEqual(Object.keys(first!), ["id", "embedding"]);
});

test("a file that is not whole leaves nothing, and the old one as it was", async () => {
  const path = join(folder, "broken.safetensors");
  writeFileSync(path, "old");
  const before = readdirSync(folder).toSorted();
  const short = safetensorsSink(path)(INFO, made(INFO.count - 1, INFO.dModel));
  await assert.rejects(short, {
    exitCode: EXIT.data,
    message: /must stay as it is.* got 22 texts/,
  });
  const failing = async function* () {
    yield* made(2, INFO.dModel);
    throw new Error("enough");
  };
  await assert.rejects(safetensorsSink(path)(INFO, failing()), { message: "enough" });
  const parquet = join(folder, "broken.parquet");
  const sink = parquetSink(parquet, { withText: false });
  await assert.rejects(sink(INFO, failing()), { message: "enough" });
  assert.deepEqual(readdirSync(folder).toSorted(), before);
  assert.equal(readFileSync(path, "utf8"), "old");
});

test("without -o, vectors are JSON lines that keep every bit; lines of text need no JSON", async () => {
  const lines = "the cook\nthe baker\r\nthe teacher";
  const { status, stdout, stderr } = tenure(["embed", small, "--input", "-"], lines);
  assert.equal(status, EXIT.ok, stderr);
  const printed = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { line: number; embedding: number[] });
  const texts = ["the cook", "the baker", "the teacher"];
  const { texts: embedded } = await run({ input: { texts } });
  assert.deepEqual(
    printed.map(({ line, embedding }) => ({ line, vector: Float32Array.from(embedding) })),
    embedded.map(({ line, vector }) => ({ line, vector })),
  );
});

test("what cannot be embedded is refused, naming the place and the remedy", async () => {
  const refused = async (
    changes: Parameters<typeof run>[0],
    exitCode: number,
    message: RegExp,
  ): Promise<void> => {
    await assert.rejects(run(changes), { exitCode, message });
  };
  const input = { texts: ["a"] };
  await refused({ input, layer: 3 }, EXIT.usage, /--layer must be from 0 .* to 2 .*, got 3$/);
  await refused(
    { input: { texts: ["a", ""] } },
    EXIT.data,
    /^Cannot embed text 2: .* got 0; leave it out$/,
  );
  const file = join(folder, "lines.txt");
  writeFileSync(file, "the cook\n\nthe baker\n");
  await refused(
    { input: { file } },
    EXIT.data,
    /^Cannot embed .*lines\.txt, line 2: .* got 0; leave it out$/,
  );
  writeFileSync(file, `the cook\n${"the ".repeat(SMALL.maxSeqLen)}\n`);
  await refused(
    { input: { file } },
    EXIT.data,
    /lines\.txt, line 2: .* 1 to 64 tokens .*, got \d+; shorten it, or embed it in parts$/,
  );
  writeFileSync(file, "");
  await refused({ input: { file } }, EXIT.data, /at least one text, got none$/);
  const bad = join(folder, "bad.jsonl");
  writeFileSync(bad, '{"text": "a"}\n{"id": true, "text": "a"}');
  await refused({ input: { file: bad } }, EXIT.data, /bad\.jsonl, line 2: id must be/);
});

test("an interruption leaves no file", async () => {
  const controller = new AbortController();
  const signal = controller.signal;
  const path = join(folder, "interrupted.parquet");
  const input = { texts: Array.from({ length: 65 }, () => "the cook") };
  const work = embed({ ...modelAt(small), input, signal }, (info, vectors) => {
    const aborting = async function* () {
      for await (const vector of vectors) {
        controller.abort();
        yield vector;
      }
    };
    return parquetSink(path, { withText: false })(info, aborting());
  });
  await assert.rejects(work, { name: "AbortError" });
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("interrupted")),
    [],
  );
});

test("impossible combinations of flags are refused before anything is loaded", () => {
  for (const [args, exitCode, line] of [
    [["a", "--input", "b"], EXIT.usage, /either texts or --input, got both$/m],
    [["a", "-o", "b.csv"], EXIT.usage, /its name must end in \.safetensors or \.parquet/],
    [["a", "-o", join(folder, "none", "b.parquet")], EXIT.failure, /the folder must exist/],
  ] as const) {
    const { status, stderr } = tenure(["embed", small, ...args]);
    assert.match(stderr, line);
    assert.equal(status, exitCode);
    assert.doesNotMatch(stderr, /loaded/);
  }
});
