import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeFloats, encodeFloats } from "../../model/checkpoint/float_conversion.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  floatTensor,
  type SafetensorsDtype,
  type StoredTensor,
} from "../../model/checkpoint/safetensors.ts";
import { openSafetensors } from "../../model/checkpoint/safetensors_file.ts";
import { uniform } from "../support.ts";
import { type Read, sourceOf } from "./memory_files.ts";

const FILE = "model.safetensors";

/** Types that are written, and bytes of an element. */
const DTYPES: readonly (readonly [SafetensorsDtype, number])[] = [
  ["F32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["I8", 1],
  ["U8", 1],
  ["I32", 4],
  ["I64", 8],
];

const arbitraryTensor: fc.Arbitrary<StoredTensor> = fc
  .tuple(fc.constantFrom(...DTYPES), fc.array(fc.nat(3), { maxLength: 3 }), fc.nat())
  .map(([[dtype, width], shape, seed]) => {
    const length = shape.reduce((product, n) => product * n, width);
    const bytes = Uint8Array.from(uniform(length, seed), (x) => (x + 1) * 128);
    return { dtype, shape, bytes };
  });

const arbitraryTensors = fc
  .dictionary(fc.string({ minLength: 1, maxLength: 6 }), arbitraryTensor, { maxKeys: 8 })
  .map((tensors) => new Map(Object.entries(tensors).filter(([name]) => !name.startsWith("__"))));

const SMALL = encodeSafetensors(
  new Map(
    DTYPES.map(([dtype, width]): [string, StoredTensor] => [
      dtype,
      { dtype, shape: [3], bytes: new Uint8Array(3 * width).fill(width) },
    ]),
  ),
);

test("openSafetensors() gives back every type that encodeSafetensors() was given", async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryTensors, async (tensors) => {
      const bytes = encodeSafetensors(tensors);
      const { tensors: inMemory } = decodeSafetensors(bytes, FILE);
      const opened = await openSafetensors(sourceOf(bytes, FILE));
      assert.deepEqual([...opened.tensors.keys()], [...inMemory.keys()]);
      assert.deepEqual([...opened.tensors.keys()].toSorted(), [...tensors.keys()].toSorted());
      for (const [name, tensor] of opened.tensors) {
        const { shape, dtype, size } = tensor;
        assert.deepEqual({ shape, dtype, bytes: await tensor.read() }, tensors.get(name));
        assert.equal(size, tensors.get(name)!.bytes.length);
      }
    }),
  );
});

test("encodeSafetensors() puts wide types first, so that each is aligned", () => {
  const { tensors } = decodeSafetensors(SMALL, FILE);
  assert.deepEqual([...tensors.keys()], ["I64", "F32", "I32", "BF16", "F16", "I8", "U8"]);
  for (const [dtype, width] of DTYPES) {
    assert.equal(tensors.get(dtype)!.bytes.byteOffset % width, 0, dtype);
  }
});

test("encodeSafetensors() refuses bytes that do not fill their shape", () => {
  const tensor: StoredTensor = { dtype: "BF16", shape: [3], bytes: new Uint8Array(4) };
  assert.throws(() => encodeSafetensors(new Map([["a", tensor]])), {
    name: "RangeError",
    message: 'Cannot write tensor "a": values must fill its shape [3], got 2 values',
  });
});

test("openSafetensors() reads the header alone, and then what is asked for", async () => {
  const reads: Read[] = [];
  const { tensors, metadata } = await openSafetensors(sourceOf(SMALL, FILE, reads));
  const header = reads.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(header, SMALL.length - 3 * DTYPES.reduce((sum, [, width]) => sum + width, 0));
  assert.deepEqual([...metadata], [["format", "pt"]]);
  const tensor = tensors.get("I64")!;
  assert.deepEqual(await tensor.read(8, 17), new Uint8Array(9).fill(8));
  assert.deepEqual(reads.at(-1), { name: FILE, bytes: 9 });
  for (const [begin, end] of [
    [-1, 1],
    [0, 25],
    [2, 1],
  ] as const) {
    await assert.rejects(tensor.read(begin, end), {
      name: "RangeError",
      message: `Cannot read "${FILE}" tensor "I64": bytes must lie within its 24, got [${begin}, ${end})`,
    });
  }
});

/** Fails unless a file is refused with a typed error, by both readers alike, or reads the same. */
async function assertAlike(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const refusal = (error: unknown): string => {
    assert.ok(error instanceof SyntaxError, String(error));
    assert.match(error.message, /^Cannot read "model\.safetensors": .*, got /s);
    return error.message;
  };
  const opened = await openSafetensors(sourceOf(bytes, FILE)).catch(refusal);
  try {
    const { tensors } = decodeSafetensors(bytes, FILE);
    assert.ok(typeof opened !== "string", "only one of both refuses the file");
    assert.deepEqual([...opened.tensors.keys()], [...tensors.keys()]);
    for (const [name, tensor] of opened.tensors) {
      const { shape, dtype } = tensor;
      assert.deepEqual({ shape, dtype, bytes: await tensor.read() }, tensors.get(name));
    }
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    assert.equal(opened, error.message);
    return false;
  }
}

test("openSafetensors() refuses what decodeSafetensors() does, however a file is changed", async () => {
  const change = fc.tuple(fc.nat(SMALL.length - 1), fc.nat(255));
  let numRead = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat(SMALL.length)),
      async (changes, length) => {
        const bytes = SMALL.slice(0, length ?? SMALL.length);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        if (await assertAlike(bytes)) numRead++;
      },
    ),
    { numRuns: 3000, seed: 3 },
  );
  assert.ok(numRead > 5 && numRead < 2970, `${numRead} of 3000 were read`);
});

test("openSafetensors() of an absurd header length reads no more than 8 bytes", async () => {
  for (const last of [0x80, 0x00]) {
    const bytes = SMALL.slice();
    bytes.fill(0xff, 2, 7);
    bytes[7] = last;
    const reads: Read[] = [];
    await assert.rejects(openSafetensors(sourceOf(bytes, FILE, reads)), /must have 2 to \d+ bytes/);
    assert.deepEqual(reads, [{ name: FILE, bytes: 8 }]);
  }
});

test("floatTensor() widens halves exactly, at any alignment", () => {
  const values = Float32Array.of(1.5, -0, 2 ** -24, -65504, Infinity, 3.140625);
  for (const dtype of ["F16", "BF16"] as const) {
    const exact = dtype === "F16" ? values : Float32Array.of(1.5, -0, 2 ** -24, -65280, 2 ** 100);
    const encoded = encodeFloats(exact, dtype);
    const shifted = new Uint8Array(encoded.length + 1);
    shifted.set(encoded, 1);
    const tensor = { dtype, shape: [exact.length], bytes: shifted.subarray(1) };
    assert.deepEqual(floatTensor(tensor, "x", FILE).values, exact);
  }
});

test("encodeFloats() of decodeFloats() gives every half its bits back", () => {
  const halves = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const bytes = new Uint8Array(halves.buffer);
  for (const dtype of ["F16", "BF16"] as const) {
    assert.deepEqual(encodeFloats(decodeFloats(bytes, dtype), dtype), bytes);
  }
});

test("encodeFloats() refuses values beyond the range, and keeps those that are infinite", () => {
  const encode = (x: number, dtype: "F16" | "BF16") => encodeFloats(Float32Array.of(x), dtype);
  assert.deepEqual(encode(-Infinity, "F16"), Uint8Array.of(0x00, 0xfc));
  assert.deepEqual(encode(65519, "F16"), Uint8Array.of(0xff, 0x7b));
  assert.throws(() => encode(65520, "F16"), {
    name: "RangeError",
    message:
      "Cannot encode values: each must be within the range of F16, got 65520; use BF16 or F32",
  });
  assert.throws(() => encode(-3.4028234e38, "BF16"), /range of BF16, got -3\.40\S*; use F32$/);
});
