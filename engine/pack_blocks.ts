import { float16Bits, float16Value } from "./float16.ts";
import { type BlockDType, pack, wordsOf } from "./pack.ts";
import { BLOCK_LENGTH, sizeOf } from "./tensor.ts";

/**
 * Formats of GGUF that our blocks can hold without loss, and the bytes of a block of 32; `d` and
 * `m` are f16, and element `j` of the nibbles is the low half of byte `j`, the high one of `j − 16`.
 *
 *     Q8_0  34 bytes: d, 32 × i8         w = d · i
 *     Q4_0  18 bytes: d, 32 × u4         w = d · (i − 8)
 *     Q4_1  20 bytes: d, m, 32 × u4      w = d · i + m
 *
 * @see {@link https://github.com/ggml-org/ggml/blob/master/docs/gguf.md}
 */
export const BLOCK_FORMATS = {
  Q8_0: { dtype: "int8", bytes: 34 },
  Q4_0: { dtype: "int4", bytes: 18 },
  Q4_1: { dtype: "int4", bytes: 20 },
} as const;

/** One of {@linkcode BLOCK_FORMATS}. */
export type BlockFormat = keyof typeof BLOCK_FORMATS;

/** A weight as a tensor of `dtype` holds it. */
export interface PackedBlocks {
  readonly dtype: BlockDType;
  readonly values: Uint32Array<ArrayBuffer>;
}

/**
 * Takes over the blocks of a GGUF file as ours: the same weights, bit for bit but for the sign of zeros,
 * without quantizing again. Only a block of Q4_0 whose −8 · d is too large for an f16 is fitted anew.
 *
 * @param bytes Blocks, row after row.
 * @param shape Of the weight; its last axis must be a multiple of 32.
 * @param format Of the blocks.
 * @throws {RangeError} If the bytes do not fill the shape, or a block has no int4 that holds it.
 */
export function packBlocks(
  bytes: Uint8Array,
  shape: readonly number[],
  format: BlockFormat,
): PackedBlocks {
  const { dtype, bytes: bytesEach } = BLOCK_FORMATS[format];
  const width = shape.at(-1) ?? 1;
  const count = sizeOf(shape) / BLOCK_LENGTH;
  if (width % BLOCK_LENGTH !== 0 || bytes.length !== count * bytesEach) {
    throw new RangeError(
      `Cannot take over blocks of ${format}: [${shape.join(", ")}] must have rows of whole blocks of ` +
        `${BLOCK_LENGTH}, ${bytesEach} bytes each, got ${bytes.length} bytes`,
    );
  }
  const values = new Uint32Array(wordsOf(shape, dtype));
  const wordsEach = values.length / count;
  const take = { Q8_0: takeQ80, Q4_0: takeQ40, Q4_1: takeQ41 }[format];
  for (let block = 0; block < count; block++) {
    const begin = block * bytesEach;
    take(bytes.subarray(begin, begin + bytesEach), values.subarray(block * wordsEach));
  }
  return { dtype, values };
}

function takeQ80(bytes: Uint8Array, words: Uint32Array): void {
  const scale = Float32Array.of(float16Value(halfAt(bytes, 0)));
  words[0] = new Uint32Array(scale.buffer)[0]!;
  for (let i = 0; i < 8; i++) words[1 + i] = wordAt(bytes, 2 + 4 * i);
}

function takeQ40(bytes: Uint8Array, words: Uint32Array): void {
  const half = halfAt(bytes, 0);
  const scale = float16Value(half);
  const low = float16Bits(-8 * scale);
  if (float16Value(low) === -8 * scale) {
    words[0] = (half | (low << 16)) >>> 0;
    takeNibbles(bytes.subarray(2), words);
    return;
  }
  const weights = Float32Array.from({ length: BLOCK_LENGTH }, (_, i) => {
    return scale * (nibbleOf(bytes.subarray(2), i) - 8);
  });
  words.set(pack(weights, [BLOCK_LENGTH], "int4"));
}

function takeQ41(bytes: Uint8Array, words: Uint32Array): void {
  words[0] = wordAt(bytes, 0);
  takeNibbles(bytes.subarray(4), words);
}

/** 16 bytes whose halves lie 16 elements apart, as 4 words of 8 neighbors each. */
function takeNibbles(nibbles: Uint8Array, words: Uint32Array): void {
  for (let i = 0; i < BLOCK_LENGTH; i++) {
    words[1 + (i >> 3)]! |= nibbleOf(nibbles, i) << (4 * (i & 7));
  }
}

function nibbleOf(nibbles: Uint8Array, i: number): number {
  return i < 16 ? nibbles[i]! & 0xf : nibbles[i - 16]! >> 4;
}

function halfAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (halfAt(bytes, at) | (halfAt(bytes, at + 2) << 16)) >>> 0;
}
