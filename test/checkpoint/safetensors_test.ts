import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeSafetensors,
  encodeSafetensors,
  type FloatTensor,
  floatTensor,
} from "../../model/checkpoint/safetensors.ts";

const FILE = "model.safetensors";

/** Written by the Rust library, safetensors 0.8.0: `a.weight` [[1.5, −2]] and `b` [0, 1, 2]. */
const GOLDEN =
  "mAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJhLndlaWdodCI6eyJkdHlwZSI6IkYzMiIs" +
  "InNoYXBlIjpbMSwyXSwiZGF0YV9vZmZzZXRzIjpbMCw4XX0sImIiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzNd" +
  "LCJkYXRhX29mZnNldHMiOls4LDIwXX19ICAgIAAAwD8AAADAAAAAAAAAgD8AAABA";

const goldenBytes = Uint8Array.from(atob(GOLDEN), (character) => character.charCodeAt(0));

/** A file with any header and any number of bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes = 0): Uint8Array<ArrayBuffer> {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function entry(begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32"): string {
  return JSON.stringify({ dtype, shape, data_offsets: [begin, end] });
}

function bitsOf({ values }: FloatTensor): number[] {
  return [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
}

test("encodeSafetensors() writes the bytes of the Rust library", () => {
  const tensors = new Map<string, FloatTensor>([
    ["b", { shape: [3], values: Float32Array.of(0, 1, 2) }],
    ["a.weight", { shape: [1, 2], values: Float32Array.of(1.5, -2) }],
  ]);
  assert.deepEqual(encodeSafetensors(tensors), goldenBytes);
});

test("encodeSafetensors() sorts names by code point, as the Rust library does", () => {
  const scalar = (value: number) => ({ shape: [], values: Float32Array.of(value) });
  const names = ["\u{1F600}", "\uFFEE", "z", 'é"\n', "0"];
  const bytes = encodeSafetensors(new Map(names.map((name, i) => [name, scalar(i)])), new Map());
  const { tensors } = decodeSafetensors(bytes, FILE);
  assert.deepEqual([...tensors.keys()], ["0", "z", 'é"\n', "\uFFEE", "\u{1F600}"]);
  assert.match(new TextDecoder().decode(bytes), /\{"0":\{/); // in this order in the header, too
});

test("decodeSafetensors() reads the Rust library's file in place", () => {
  const { tensors, metadata } = decodeSafetensors(goldenBytes, FILE);
  assert.deepEqual([...metadata], [["format", "pt"]]);
  const weight = tensors.get("a.weight")!;
  assert.deepEqual(weight.shape, [1, 2]);
  assert.equal(weight.bytes.buffer, goldenBytes.buffer);
  assert.deepEqual(floatTensor(weight, "a.weight", FILE).values, Float32Array.of(1.5, -2));
});

test("floatTensor() reads data at any alignment", () => {
  const shifted = new Uint8Array(goldenBytes.length + 1);
  shifted.set(goldenBytes, 1);
  const { tensors } = decodeSafetensors(shifted.subarray(1), FILE);
  assert.deepEqual(floatTensor(tensors.get("b")!, "b", FILE).values, Float32Array.of(0, 1, 2));
});

test("floatTensor() of another type names the tensor and the remedy", () => {
  const { tensors } = decodeSafetensors(fileOf(`{"x":${entry(0, 24, [3], "F64")}}`, 24), FILE);
  assert.deepEqual(tensors.get("x")!.shape, [3]);
  assert.throws(() => floatTensor(tensors.get("x")!, "x", FILE), {
    name: "TypeError",
    message: `Cannot read "${FILE}": tensor "x" must be one of F32, F16, BF16, got F64; save the model again with float32 weights`,
  });
});

const arbitraryTensor = fc.array(fc.nat(3), { maxLength: 4 }).chain((shape) =>
  fc
    .array(fc.nat(0xffff_ffff), {
      minLength: shape.reduce((product, n) => product * n, 1),
      maxLength: shape.reduce((product, n) => product * n, 1),
    })
    .map((bits) => ({ shape, values: new Float32Array(Uint32Array.from(bits).buffer) })),
);

const arbitraryTensors = fc
  .array(fc.tuple(fc.string({ unit: "binary", maxLength: 8 }), arbitraryTensor), { maxLength: 6 })
  .map((list) => new Map(list.filter(([name]) => !name.startsWith("__"))));

test("decodeSafetensors() gives back what encodeSafetensors() was given, bit by bit", () => {
  fc.assert(
    fc.property(arbitraryTensors, (tensors) => {
      const bytes = encodeSafetensors(tensors);
      const read = decodeSafetensors(bytes, FILE);
      assert.deepEqual([...read.tensors.keys()].toSorted(), [...tensors.keys()].toSorted());
      for (const [name, tensor] of tensors) {
        const found = floatTensor(read.tensors.get(name)!, name, FILE);
        assert.deepEqual(found.shape, tensor.shape);
        assert.deepEqual(bitsOf(found), bitsOf(tensor));
      }
    }),
  );
});

/** Fails unless the bytes are refused with a typed error or describe data within them. */
function assertSafe(bytes: Uint8Array<ArrayBuffer>): void {
  try {
    let end = 0;
    for (const [name, tensor] of decodeSafetensors(bytes, FILE).tensors) {
      const { byteOffset, byteLength, buffer } = tensor.bytes;
      assert.equal(buffer, bytes.buffer);
      assert.ok(byteOffset + byteLength <= bytes.byteOffset + bytes.byteLength);
      end = Math.max(end, byteOffset + byteLength);
      if (tensor.dtype === "F32") {
        const { shape, values } = floatTensor(tensor, name, FILE);
        assert.equal(
          values.length,
          shape.reduce((product, n) => product * n, 1),
        );
      }
    }
    assert.ok(end === 0 || end === bytes.byteOffset + bytes.byteLength);
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error));
    assert.match(error.message, /^Cannot read "model\.safetensors": .*, got /s);
  }
}

test("decodeSafetensors() of a file with changed bytes is a typed error or data within it", () => {
  const changes = fc.array(fc.tuple(fc.nat(goldenBytes.length - 1), fc.nat(255)), { minLength: 1 });
  fc.assert(
    fc.property(changes, fc.nat(goldenBytes.length), fc.nat(20), (list, length, extra) => {
      const bytes = goldenBytes.slice();
      for (const [at, byte] of list) bytes[at] = byte;
      assertSafe(bytes);
      assertSafe(bytes.slice(0, length));
      assertSafe(Uint8Array.from([...bytes, ...new Uint8Array(extra)]));
    }),
    { numRuns: 2000 },
  );
});

test("decodeSafetensors() of a file with a number or bracket of its header changed is safe", () => {
  const header = new TextDecoder().decode(goldenBytes.subarray(8, 8 + 152));
  const places = Array.from(header.matchAll(/\d+|[{}[\],:"]|F32/g));
  const replacement = fc.oneof(
    fc.integer().map(String),
    fc.double().map(String),
    fc.constantFrom("9007199254740991", "1e308", "-0", "null", "[", "}", '"', "F64", "U8", ""),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places), replacement, (place, text) => {
      const changed =
        header.slice(0, place.index) + text + header.slice(place.index + place[0].length);
      assertSafe(fileOf(changed, goldenBytes.length - 160));
    }),
    { numRuns: 2000 },
  );
});

/** What breaks a rule, and what the error must say. */
const REFUSED: readonly (readonly [string, Uint8Array<ArrayBuffer>, RegExp])[] = [
  ["an empty file", new Uint8Array(0), /at least 8 bytes, got 0$/],
  [
    "a header of 2^63 bytes",
    fileOf("{}").fill(0x80, 7, 8),
    /2 to 2 bytes, got 9223372036854775810$/,
  ],
  ["a header past the end", fileOf("{}").fill(3, 0, 1), /2 to 2 bytes, got 3$/],
  ["a header with a leading space", fileOf(" {}"), /begin with "\{", got byte 32$/],
  ["invalid UTF-8", fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /must be UTF-8/],
  ["half of a JSON text", fileOf('{"a":'), /must be JSON, got /],
  ["deep JSON", fileOf(`{"a":${"[".repeat(10_000)}${"]".repeat(10_000)}}`), /nested 64 deep/],
  ["a tensor twice", fileOf(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4), /unique, got "a"$/],
  ["a tensor twice, once escaped", fileOf(`{"a":${entry(0, 4)},"\\u0061":1}`, 4), /got "a"$/],
  ["a key twice inside", fileOf('{"a":{"dtype":"F32","dtype":"U8"}}'), /unique, got "dtype"$/],
  ["a tensor __proto__", fileOf(`{"__proto__":${entry(0, 4)}}`, 4), /got "__proto__"$/],
  ["a gap", fileOf(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), /"b" must begin at byte 4/],
  [
    "an overlap",
    fileOf(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12),
    /"b" must begin at byte 8/,
  ],
  ["a late start", fileOf(`{"a":${entry(4, 8)}}`, 8), /"a" must begin at byte 0/],
  ["data past the end", fileOf(`{"a":${entry(0, 8)}}`, 4), /"a" must end within 4 bytes/],
  [
    "bytes after the data",
    fileOf(`{"a":${entry(0, 8)}}`, 9),
    /end with the last tensor, at byte 8/,
  ],
  ["a shape of other size", fileOf(`{"a":${entry(0, 8, [3])}}`, 8), /12 bytes, .* tensor "a"/],
  ["backward offsets", fileOf(`{"a":${entry(8, 0, [2])}}`, 8), /8 bytes, .* tensor "a"/],
  ["negative offsets", fileOf(`{"a":${entry(-4, 0, [1])}}`, 4), /offsets of tensor "a"/],
  ["a negative length", fileOf(`{"a":${entry(0, 4, [-1])}}`, 4), /shape of tensor "a"/],
  ["a fractional length", fileOf(`{"a":${entry(0, 4, [1.5])}}`, 4), /shape of tensor "a"/],
  ["an offset beyond 2^53", fileOf(`{"a":${entry(0, 2 ** 53)}}`, 4), /of tensor "a"/],
  ["an overflow", fileOf(`{"a":${entry(0, 0, [2 ** 40, 2 ** 40, 0])}}`), /2\^53 bytes .* "a"/],
  [
    "an unknown type",
    fileOf(`{"a":${entry(0, 4, [1], "F31")}}`, 4),
    /types of tensor "a", got "F31"$/,
  ],
  ["a type from Object", fileOf(`{"a":${entry(0, 4, [1], "toString")}}`, 4), /types of tensor "a"/],
  ["an unknown key", fileOf('{"a":{"dtype":"F32","x":1}}'), /only keys of tensor "a", got "x"$/],
  ["no description", fileOf('{"a":null}'), /description of tensor "a", got null$/],
  ["metadata of numbers", fileOf('{"__metadata__":{"a":1}}'), /strings to strings, got 1 for "a"$/],
  ["metadata of a list", fileOf('{"__metadata__":[]}'), /strings to strings, got \[\]$/],
];

for (const [what, bytes, message] of REFUSED) {
  test(`decodeSafetensors() refuses ${what}`, () => {
    assert.throws(() => decodeSafetensors(bytes, FILE), { name: "SyntaxError", message });
  });
}

test("encodeSafetensors() refuses values that do not fill their shape, and bad names", () => {
  const values = Float32Array.of(1, 2);
  assert.throws(() => encodeSafetensors(new Map([["a", { shape: [3], values }]])), {
    name: "RangeError",
    message: 'Cannot write tensor "a": values must fill its shape [3], got 2 values',
  });
  for (const name of ["__metadata__", "__proto__", "\uD800"]) {
    assert.throws(() => encodeSafetensors(new Map([[name, { shape: [2], values }]])), TypeError);
  }
});
