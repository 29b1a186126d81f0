import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BLOCK_FORMATS, type GgufDtype } from "../../model/checkpoint/gguf/block_format.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { BLOCK_SIZES, decodeBlock } from "../reference/ggml_blocks.ts";

const DTYPES = Object.keys(BLOCK_FORMATS) as GgufDtype[];

/** Bytes of a block at which an f16 scales or shifts the others. */
const HALVES: Partial<Record<GgufDtype, readonly number[]>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};

/** Zeros, the smallest and largest of either sign, subnormals, infinities, a not-a-number. */
const EXTREME = [0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e01];

const randomBytes = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Uint8Array.from(bytes));

const arbitraryBlock = (dtype: GgufDtype): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc
    .tuple(
      randomBytes(BLOCK_SIZES[dtype][1]),
      fc.array(fc.option(fc.constantFrom(...EXTREME)), { minLength: 2, maxLength: 2 }),
    )
    .map(([bytes, scales]) => {
      for (const [i, at] of (HALVES[dtype] ?? []).entries()) {
        const scale = scales[i] ?? null;
        if (scale !== null) bytes.set([scale & 255, scale >> 8], at);
      }
      return bytes;
    });

/** Bits of values, all not-a-numbers alike: C does not say which one arithmetic gives. */
function bitsOf(values: Iterable<number>): number[] {
  const floats = Float32Array.from(values);
  const bits = new Uint32Array(floats.buffer);
  return Array.from(floats, (value, i) => (Number.isNaN(value) ? -1 : bits[i]!));
}

for (const dtype of DTYPES) {
  test(`toFloat32() of ${dtype} has the bits of the format's definition`, () => {
    fc.assert(
      fc.property(fc.array(arbitraryBlock(dtype), { minLength: 1, maxLength: 4 }), (blocks) => {
        const [length, stride] = BLOCK_SIZES[dtype];
        // One byte late in its buffer, as a tensor may lie in a file.
        const buffer = new Uint8Array(1 + blocks.length * stride);
        for (const [i, block] of blocks.entries()) buffer.set(block, 1 + i * stride);
        const shape = [blocks.length, length];
        const values = toFloat32({ dtype, shape, bytes: buffer.subarray(1) });
        const expected = blocks.flatMap((block) => decodeBlock(dtype, block));
        assert.deepEqual(bitsOf(values), bitsOf(expected));
      }),
      { numRuns: 300 },
    );
  });
}

test("every half dequantizes to its value", () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const bytes = new Uint8Array(halves.buffer);
  for (const dtype of ["F16", "BF16"] as const) {
    const values = toFloat32({ dtype, shape: [halves.length], bytes });
    const expected = Array.from(
      halves,
      (bits) => decodeBlock(dtype, Uint8Array.of(bits & 255, bits >> 8))[0]!,
    );
    assert.deepEqual(bitsOf(values), bitsOf(expected));
  }
});

test("blocks written out by hand have the values that the formulas give", () => {
  // d = 2: the f16 0x4000. Lower halves are values 0 to 15, upper ones 16 to 31.
  const q4 = Uint8Array.of(0x00, 0x40, ...Array.from({ length: 16 }, (_, i) => i | (15 << 4)));
  const values = toFloat32({ dtype: "Q4_0", shape: [1, 32], bytes: q4 });
  assert.deepEqual([...values.subarray(0, 3), values[15], values[16]], [-16, -14, -12, 14, 14]);
  const q8 = new Uint8Array(34).fill(0x80, 33);
  q8[1] = 0x38; // d = 0.5
  assert.equal(toFloat32({ dtype: "Q8_0", shape: [32], bytes: q8 })[31], -64);
});

test("toFloat32() never gives a view of what it is given", () => {
  const bytes = new Uint8Array(8);
  toFloat32({ dtype: "F32", shape: [2], bytes }).fill(1);
  assert.deepEqual(bytes, new Uint8Array(8));
});

test("toFloat32() refuses integers, and bytes that do not fill the shape", () => {
  const bytes = new Uint8Array(4);
  assert.throws(() => toFloat32({ dtype: "I32", shape: [1], bytes }), {
    name: "TypeError",
    message: /^Cannot read a weight as f32: its type must be one of F32, .*, got I32$/,
  });
  assert.throws(() => toFloat32({ dtype: "F16", shape: [1], bytes }), {
    name: "RangeError",
    message: "Cannot read a weight as f32: its shape takes 2 bytes, got 4 bytes for [1] F16",
  });
  assert.throws(() => toFloat32({ dtype: "Q8_0", shape: [2, 16], bytes: new Uint8Array(34) }), {
    name: "RangeError",
    message: /whole blocks of 32 values, got 34 bytes for \[2, 16\] Q8_0$/,
  });
});
