import assert from "node:assert/strict";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { openSafetensors } from "../../model/checkpoint/safetensors_file.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import type { Bytes } from "./changes.ts";

/** Letters, bytes that few vocabularies have, spaces and marks. */
const TEXT = "the cat, ab\n 漢 <s>é\0  x</s> 1996";

/** Reads all weights of a model, which must be those of its configuration, and its tokenizer. */
export async function checkModel(model: StoredModel): Promise<void> {
  let count = 0;
  for (const { label, shape } of weightShapes(model.config)) {
    const weight = model.weights.get(label);
    assert.ok(weight !== undefined, `weight ${label} is missing`);
    assert.deepEqual(weight.shape, shape);
    const encoded = await weight.read();
    assert.deepEqual(encoded.shape, shape);
    const length = shape.reduce((product, n) => product * n, 1);
    assert.equal(toFloat32(encoded).length, length);
    count++;
  }
  assert.equal(model.weights.size, count);
  if (model.tokenizer !== undefined) checkTokenizer(tokenizerOfModel(model));
}

/** Encodes and decodes a text; ids must lie in the vocabulary. */
export function checkTokenizer(tokenizer: Tokenizer): void {
  for (const addSpecialTokens of [false, true]) {
    const ids = tokenizer.encode(TEXT, { addSpecialTokens });
    for (const id of ids) assert.ok(id < tokenizer.vocabSize, `id ${id} is out of bounds`);
    tokenizer.decode(ids);
  }
}

/** Compares every tensor of a file with what its header says, read in the simplest way. */
export async function checkSafetensors(content: Bytes): Promise<void> {
  const bytes = Buffer.from(content);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...entries } = JSON.parse(bytes.toString("utf8", 8, start)) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  const { tensors } = await openSafetensors(bytesSource(content, "model.safetensors"));
  assert.deepEqual([...tensors.keys()].toSorted(), Object.keys(entries).toSorted());
  for (const [name, { shape, data_offsets: offsets }] of Object.entries(entries)) {
    const tensor = tensors.get(name)!;
    assert.deepEqual(tensor.shape, shape);
    const [begin, end] = offsets;
    const expected = bytes.subarray(start + begin, start + end);
    assert.ok(expected.equals(await tensor.read()), `tensor ${name} holds other bytes`);
  }
}
