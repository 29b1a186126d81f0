import assert from "node:assert/strict";
import { test } from "node:test";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { BLOCK_FORMATS, type BlockFormat, packBlocks } from "../../engine/pack_blocks.ts";
import { bytesOf } from "../../engine/tensor.ts";
import { decodeBlock } from "../reference/ggml_blocks.ts";
import { unpackReference } from "../reference/pack.ts";
import { uniform } from "../support.ts";

const DTYPES = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];

/** Sums of twelve uniform deviates: near to normal, of variance 1. */
function normal(length: number, seed: number): Float32Array<ArrayBuffer> {
  const parts = uniform(12 * length, seed);
  return Float32Array.from({ length }, (_, i) =>
    parts.subarray(12 * i, 12 * i + 12).reduce((sum, value) => sum + value / 2, 0),
  );
}

function relativeError(values: Float32Array, expected: Float32Array): number {
  let error = 0;
  let size = 0;
  expected.forEach((value, i) => {
    error += (values[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(error / size);
}

// Of normal deviates; a little above what was measured: int4 without refitting has 0.074.
const ERRORS = { f32: 0, f16: 2.1e-4, bf16: 1.75e-3, int8: 6e-3, int4: 0.0705 } as const;

for (const dtype of DTYPES) {
  test(`pack() as ${dtype} loses little, and unpacking and packing again loses no more`, () => {
    const shape = [100, 70];
    const values = normal(7000, 1);
    const packed = pack(values, shape, dtype);
    assert.ok(packed.byteLength <= bytesOf({ shape, dtype }));
    const unpacked = unpack(packed, shape, dtype);
    const error = relativeError(unpacked, values);
    assert.ok(error <= ERRORS[dtype], `error ${error}`);
    const again = unpack(pack(unpacked, shape, dtype), shape, dtype);
    // int8's scale may differ in its last bit; int4's least and greatest need not be in the block.
    const tolerance = { f32: 0, f16: 0, bf16: 0, int8: 1e-7, int4: 0.03 }[dtype];
    assert.ok(relativeError(again, unpacked) <= tolerance);
  });

  test(`pack() as ${dtype} treats every row on its own`, () => {
    const values = normal(3 * 45, 2);
    const all = unpack(pack(values, [3, 45], dtype), [3, 45], dtype);
    const alone = unpack(pack(values.slice(45, 90), [1, 45], dtype), [1, 45], dtype);
    assert.deepEqual(all.slice(45, 90), alone);
  });
}

for (const dtype of ["int8", "int4"] as const) {
  test(`unpack() of ${dtype} reads blocks as they are defined`, () => {
    for (const width of [1, 31, 32, 33, 70]) {
      const words = pack(normal(3 * width, width), [3, width], dtype) as Uint32Array<ArrayBuffer>;
      const expected = Float32Array.from(unpackReference(words, [3, width], dtype));
      assert.deepEqual(unpack(words, [3, width], dtype), expected);
    }
  });

  test(`pack() as ${dtype} holds zeros, constants and the tiniest values`, () => {
    const shape = [1, 32];
    const of = (value: number) => new Float32Array(32).fill(value);
    assert.deepEqual(unpack(pack(of(0), shape, dtype), shape, dtype), of(0));
    // int4 splits a constant into low and 15 steps, both f16.
    const constant = unpack(pack(of(1 / 3), shape, dtype), shape, dtype);
    assert.ok(relativeError(constant, of(1 / 3)) < 1e-6);
    const tiny = unpack(pack(of(1e-44), shape, dtype), shape, dtype);
    assert.ok(tiny.every((value) => value >= 0 && value <= 1e-44 * 1.3));
  });

  test(`pack() as ${dtype} refuses what it cannot hold`, () => {
    for (const value of [NaN, Infinity, -Infinity, ...(dtype === "int4" ? [70_000] : [])]) {
      const values = new Float32Array(40).fill(0.5).fill(value, 37, 38);
      assert.throws(() => pack(values, [1, 40], dtype), {
        name: "RangeError",
        message: new RegExp(`^Cannot pack weights as ${dtype}: .* got ${value}; hold them as`),
      });
    }
  });
}

test("pack() as int8 keeps the largest magnitude of a block and 127 steps to either side", () => {
  const values = Float32Array.from({ length: 32 }, (_, i) => i * i - 300);
  const words = pack(values, [1, 32], "int8") as Uint32Array<ArrayBuffer>;
  const integers = new Int8Array(words.buffer, 4);
  assert.equal(new Float32Array(words.buffer)[0], Math.fround(661 / 127));
  assert.deepEqual(
    [...integers],
    Array.from(values, (value) => Math.round((value * 127) / 661)),
  );
});

test("pack() and unpack() refuse arrays that do not fill the shape", () => {
  assert.throws(() => pack(new Float32Array(5), [2, 3], "int8"), {
    name: "RangeError",
    message: "Cannot pack weights: [2, 3] must have 6 values, got 5",
  });
  assert.throws(() => unpack(new Uint32Array(17), [2, 3], "int8"), {
    name: "RangeError",
    message: "Cannot unpack weights: [2, 3] int8 must have 18 words, got 17",
  });
  assert.throws(() => unpack(new Float32Array(6), [2, 3], "f16"), { name: "TypeError" });
});

/** Blocks of random integers, with headers of every size that f16 has. */
function randomBlocks(format: BlockFormat, count: number, half: (i: number) => number): Uint8Array {
  const { bytes: bytesEach } = BLOCK_FORMATS[format];
  const noise = uniform(count * bytesEach, 7);
  const bytes = Uint8Array.from(noise, (value) => Math.floor((value + 1) * 128));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < count; block++) {
    view.setUint16(block * bytesEach, half(block), true);
    if (format === "Q4_1") view.setUint16(block * bytesEach + 2, half(count - 1 - block), true);
  }
  return bytes;
}

for (const format of ["Q8_0", "Q4_0", "Q4_1"] as const) {
  test(`packBlocks() takes over blocks of ${format} bit for bit`, () => {
    const count = 2 * 31;
    // Both signs, subnormals included; Q4_0 up to the largest d whose −8 · d is an f16.
    const top = format === "Q4_0" ? 28 : 31;
    const half = (i: number) =>
      ((i % 2) << 15) | (Math.floor(((i >> 1) * top) / 31) << 10) | ((i * 37) % 1024);
    const bytes = randomBlocks(format, count, half);
    const { dtype, values } = packBlocks(bytes, [2, 31 * 32], format);
    const weights = unpack(values, [2, 31 * 32], dtype);
    const { bytes: bytesEach } = BLOCK_FORMATS[format];
    for (let block = 0; block < count; block++) {
      const part = bytes.slice(block * bytesEach, (block + 1) * bytesEach);
      const expected = Float32Array.from(decodeBlock(format, part), (value) => value + 0);
      const actual = weights.slice(block * 32, block * 32 + 32).map((value) => value + 0);
      assert.deepEqual(actual, expected); // but for the sign of zeros
    }
  });
}

test("packBlocks() fits a block of Q4_0 anew whose low is too large for f16", () => {
  const bytes = new Uint8Array(18).fill(0x88).fill(0x89, 10); // no −8 · d among its weights
  new DataView(bytes.buffer).setUint16(0, 0x7200, true); // d = 12288
  const { values } = packBlocks(bytes, [1, 32], "Q4_0");
  const expected = Float32Array.from(decodeBlock("Q4_0", bytes));
  assert.ok(relativeError(unpack(values, [1, 32], "int4"), expected) < 2 ** -11);
});

test("packBlocks() refuses rows of partial blocks, and bytes that do not fill them", () => {
  for (const [length, width] of [
    [34, 33],
    [33, 32],
    [68, 32],
  ] as const) {
    assert.throws(() => packBlocks(new Uint8Array(length), [1, width], "Q8_0"), {
      name: "RangeError",
      message: new RegExp(`^Cannot take over blocks of Q8_0: .* got ${length} bytes$`),
    });
  }
});
