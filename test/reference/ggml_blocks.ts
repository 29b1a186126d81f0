// What ggml's blocks mean, read bit by bit: each value is asked for by its index, and found in a
// number that holds all bits of its block. Nothing is shared between formats but these words.

import { floatOf, halfOf } from "../float16.ts";

/** Types of blocks, as GGUF names them. */
export type BlockName =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K";

/** A block as one integer, its first byte lowest. */
class Bits {
  readonly #all: bigint;

  constructor(block: Uint8Array) {
    this.#all = block.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  /** `count` bits from bit `begin` on, unsigned. */
  unsigned(begin: number, count: number): number {
    return Number((this.#all >> BigInt(begin)) & ((1n << BigInt(count)) - 1n));
  }

  signedByte(byte: number): number {
    return Number(BigInt.asIntN(8, BigInt(this.unsigned(8 * byte, 8))));
  }

  /** The IEEE 754 binary16 at a byte, from its definition. */
  half(byte: number): number {
    return halfOf(this.unsigned(8 * byte, 16));
  }
}

/** f32 arithmetic, one rounding an operation, as C does it. */
const f32 = {
  times: (a: number, b: number) => Math.fround(a * b),
  plus: (a: number, b: number) => Math.fround(a + b),
  minus: (a: number, b: number) => Math.fround(a - b),
};

/** Bit where the 4-bit number of value `i` of 32 begins, in the 16 bytes from `byte` on. */
function nibble(byte: number, i: number): number {
  return 8 * (byte + (i % 16)) + (i < 16 ? 0 : 4);
}

/** Scale and minimum number `run` (0 to 7) of the 12 packed bytes from `byte` on. */
function packed(bits: Bits, byte: number, run: number): [scale: number, minimum: number] {
  if (run < 4) {
    return [bits.unsigned(8 * (byte + run), 6), bits.unsigned(8 * (byte + 4 + run), 6)];
  }
  const low = 8 * (byte + 4 + run);
  const scaleTop = bits.unsigned(8 * (byte + run - 4) + 6, 2);
  const minimumTop = bits.unsigned(8 * (byte + run) + 6, 2);
  return [bits.unsigned(low, 4) + 16 * scaleTop, bits.unsigned(low + 4, 4) + 16 * minimumTop];
}

/** Bit where the lower 4 bits of value `i` of 256 begin in the 128 bytes from `byte` on. */
function nibbleOf256(byte: number, i: number): number {
  const group = Math.floor(i / 64);
  return 8 * (byte + 32 * group + (i % 32)) + (i % 64 < 32 ? 0 : 4);
}

function kValue(bits: Bits, i: number, q: number): number {
  const [scale, minimum] = packed(bits, 4, Math.floor(i / 32));
  const product = f32.times(f32.times(bits.half(0), scale), q);
  return f32.minus(product, f32.times(bits.half(2), minimum));
}

/** Value `i` of a block of each type. */
const VALUE: Readonly<Record<BlockName, (bits: Bits, i: number) => number>> = {
  F32: (bits) => floatOf({ bits: bits.unsigned(0, 32), exponentBits: 8, fractionBits: 23 }),
  F16: (bits) => bits.half(0),
  BF16: (bits) => floatOf({ bits: bits.unsigned(0, 16), exponentBits: 8, fractionBits: 7 }),
  Q4_0: (bits, i) => f32.times(bits.unsigned(nibble(2, i), 4) - 8, bits.half(0)),
  Q4_1: (bits, i) =>
    f32.plus(f32.times(bits.unsigned(nibble(4, i), 4), bits.half(0)), bits.half(2)),
  Q5_0: (bits, i) => {
    const q = bits.unsigned(nibble(6, i), 4) + 16 * bits.unsigned(16 + i, 1);
    return f32.times(q - 16, bits.half(0));
  },
  Q5_1: (bits, i) => {
    const q = bits.unsigned(nibble(8, i), 4) + 16 * bits.unsigned(32 + i, 1);
    return f32.plus(f32.times(q, bits.half(0)), bits.half(2));
  },
  Q8_0: (bits, i) => f32.times(bits.signedByte(2 + i), bits.half(0)),
  Q4_K: (bits, i) => kValue(bits, i, bits.unsigned(nibbleOf256(16, i), 4)),
  Q5_K: (bits, i) => {
    const fifth = bits.unsigned(8 * (16 + (i % 32)) + Math.floor(i / 32), 1);
    return kValue(bits, i, bits.unsigned(nibbleOf256(48, i), 4) + 16 * fifth);
  },
  Q6_K: (bits, i) => {
    const inHalf = i % 128;
    const half = Math.floor(i / 128);
    const low = 8 * (64 * half + (inHalf % 64)) + (inHalf < 64 ? 0 : 4);
    const high = 8 * (128 + 32 * half + (inHalf % 32)) + 2 * Math.floor(inHalf / 32);
    const q = bits.unsigned(low, 4) + 16 * bits.unsigned(high, 2) - 32;
    const scale = bits.signedByte(192 + Math.floor(i / 16));
    return f32.times(f32.times(bits.half(208), scale), q);
  },
};

/** Values and bytes of a block of each type. */
export const BLOCK_SIZES: Readonly<Record<BlockName, readonly [values: number, bytes: number]>> = {
  F32: [1, 4],
  F16: [1, 2],
  BF16: [1, 2],
  Q4_0: [32, 2 + 16],
  Q4_1: [32, 2 + 2 + 16],
  Q5_0: [32, 2 + 4 + 16],
  Q5_1: [32, 2 + 2 + 4 + 16],
  Q8_0: [32, 2 + 32],
  Q4_K: [256, 2 + 2 + 12 + 128],
  Q5_K: [256, 2 + 2 + 12 + 32 + 128],
  Q6_K: [256, 128 + 64 + 16 + 2],
};

/**
 * Values of one block, from the definition of its format.
 *
 * @see {@link https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c}
 */
export function decodeBlock(name: BlockName, block: Uint8Array): number[] {
  const bits = new Bits(block);
  return Array.from({ length: BLOCK_SIZES[name][0] }, (_, i) => VALUE[name](bits, i));
}

/** A block of Q8_0 of 32 values, in f32 arithmetic: the nearest step, halves away from zero. */
export function encodeQ8Block(values: Float32Array): Uint8Array<ArrayBuffer> {
  const scale = Math.fround(Math.max(...values.map(Math.abs)) / 127);
  const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
  const block = new Uint8Array(34);
  const half = nearestHalf(scale);
  block.set([half % 256, Math.floor(half / 256)]);
  for (const [i, value] of values.entries()) {
    const steps = Math.fround(value * inverse);
    const size = Math.floor(Math.abs(steps));
    const rounded = Math.abs(steps) - size >= 0.5 ? size + 1 : size;
    block[2 + i] = (steps < 0 ? 256 - rounded : rounded) % 256;
  }
  return block;
}

/** The bits of the finite half nearest to a number that is not negative, the even one of two. */
function nearestHalf(value: number): number {
  let [low, high] = [0, 0x7bff];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (halfOf(middle) <= value) low = middle;
    else high = middle;
  }
  const [down, up] = [value - halfOf(low), halfOf(high) - value];
  return down < up || (down === up && low % 2 === 0) ? low : high;
}
