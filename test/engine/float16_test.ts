import assert from "node:assert/strict";
import { test } from "node:test";
import {
  float16Bits,
  float16Value,
  fromBfloat16,
  fromFloat16,
  toBfloat16,
  toFloat16,
} from "../../engine/float16.ts";
import { halfOf } from "../float16.ts";

const ALL = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

test("fromFloat16() gives every half its value, and toFloat16() its bits back", () => {
  const values = fromFloat16(ALL);
  ALL.forEach((bits) => assert.ok(Object.is(values[bits], halfOf(bits)), `${bits}`));
  assert.deepEqual(toFloat16(values), ALL);
});

test("toFloat16() rounds to nearest, ties to even, between all neighbors", () => {
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [below, above] = [halfOf(bits), halfOf(bits + 1)];
    const middle = (below + above) / 2;
    const ulp = middle * 2 ** -22;
    const even = bits % 2 === 0 ? bits : bits + 1;
    const inputs = Float32Array.of(middle - ulp, middle, middle + ulp, -middle);
    assert.deepEqual([...toFloat16(inputs)], [bits, even, bits + 1, even | 0x8000], `${bits}`);
  }
});

test("toFloat16() overflows to infinity from 65520 on, and underflows to a zero of its sign", () => {
  const inputs = Float32Array.of(65519.99609375, 65520, -1e38, 2 ** -25, -(2 ** -26), 1e-45);
  assert.deepEqual([...toFloat16(inputs)], [0x7bff, 0x7c00, 0xfc00, 0, 0x8000, 0]);
});

test("toFloat16() and toBfloat16() keep a not-a-number whose payload they cannot hold", () => {
  const low = new Float32Array(Uint32Array.of(0x7f80_0001, 0xff80_0001).buffer);
  assert.deepEqual([...toFloat16(low)], [0x7e00, 0xfe00]);
  assert.deepEqual([...toBfloat16(low)], [0x7fc0, 0xffc0]);
});

test("fromBfloat16() is exact, and toBfloat16() gives the bits back", () => {
  const values = fromBfloat16(ALL);
  assert.equal(values[0x3f80], 1);
  assert.equal(values[0xc2f7], -123.5);
  assert.equal(values[1], 2 ** -133);
  assert.deepEqual(toBfloat16(values), ALL);
});

test("toBfloat16() rounds to nearest, ties to even", () => {
  const inputs = new Float32Array(
    Uint32Array.of(0x3f80_7fff, 0x3f80_8000, 0x3f80_8001, 0x3f81_8000, 0x7f7f_ffff).buffer,
  );
  assert.deepEqual([...toBfloat16(inputs)], [0x3f80, 0x3f80, 0x3f81, 0x3f82, 0x7f80]);
});

test("conversions of whole arrays begin where a view begins", () => {
  const view = Float32Array.of(9, 9, 0.5, -2).subarray(2);
  assert.deepEqual([...toFloat16(view)], [0x3800, 0xc000]);
  assert.deepEqual([...toBfloat16(view)], [0x3f00, 0xc000]);
});

test("float16Bits() and float16Value() convert one number", () => {
  assert.equal(float16Bits(1 / 3), 0x3555);
  assert.equal(float16Value(0x3555), 0.333251953125);
});
