import assert from "node:assert/strict";
import { test } from "node:test";
import { fromFloat16, toFloat16 } from "./float16.ts";

test("toFloat16() gives back the bits of every half that is a number", () => {
  const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter(
    (value) => (value & 0x7c00) !== 0x7c00 || (value & 0x3ff) === 0,
  );
  assert.deepEqual(toFloat16(fromFloat16(bits.buffer, bits.length)), bits);
});

test("toFloat16() rounds to the nearest half, ties to even, and beyond the largest to infinity", () => {
  const cases: [value: number, bits: number][] = [
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 - 2 ** -12, 0x4000],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [-Infinity, 0xfc00],
  ];
  for (const [value, bits] of cases) {
    assert.equal(toFloat16(new Float32Array([value]))[0], bits, `of ${value}`);
  }
});
