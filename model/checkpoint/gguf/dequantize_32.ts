import { type Blocks, scalesAt } from "./blocks.ts";

// Blocks of 32 values: a scale d in f16, for some a minimum m, then integers q. Two values share a
// byte: value i has its lower half, value i + 16 its upper. Every product of a scale and an integer
// is exact, and so is the sum in float64; what is stored is rounded to f32 once, as ggml's is.

/** `(q − 8) · d`; q has 4 bits. Block: d, 16 bytes of q. */
export function dequantizeQ4_0(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const scales = scalesAt(blocks, 0);
  for (let block = 0; block < scales.length; block++) {
    const d = scales[block]!;
    const at = block * stride + 2;
    const to = block * 32;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      values[to + i] = ((pair & 15) - 8) * d;
      values[to + i + 16] = ((pair >> 4) - 8) * d;
    }
  }
}

/** `q · d + m`; q has 4 bits. Block: d, m, 16 bytes of q. */
export function dequantizeQ4_1(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const scales = scalesAt(blocks, 0);
  const minima = scalesAt(blocks, 2);
  for (let block = 0; block < scales.length; block++) {
    const d = scales[block]!;
    const m = minima[block]!;
    const at = block * stride + 4;
    const to = block * 32;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      values[to + i] = (pair & 15) * d + m;
      values[to + i + 16] = (pair >> 4) * d + m;
    }
  }
}

/** `(q − 16) · d`; q has 5 bits. Block: d, 4 bytes of fifth bits, 16 bytes of lower bits. */
export function dequantizeQ5_0(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const scales = scalesAt(blocks, 0);
  for (let block = 0; block < scales.length; block++) {
    const d = scales[block]!;
    const at = block * stride + 6;
    const to = block * 32;
    const fifths = wordAt(bytes, at - 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      values[to + i] = (((pair & 15) | (((fifths >>> i) & 1) << 4)) - 16) * d;
      values[to + i + 16] = (((pair >> 4) | (((fifths >>> (i + 16)) & 1) << 4)) - 16) * d;
    }
  }
}

/** `q · d + m`; q has 5 bits. Block: d, m, 4 bytes of fifth bits, 16 bytes of lower bits. */
export function dequantizeQ5_1(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const scales = scalesAt(blocks, 0);
  const minima = scalesAt(blocks, 2);
  for (let block = 0; block < scales.length; block++) {
    const d = scales[block]!;
    const m = minima[block]!;
    const at = block * stride + 8;
    const to = block * 32;
    const fifths = wordAt(bytes, at - 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      values[to + i] = ((pair & 15) | (((fifths >>> i) & 1) << 4)) * d + m;
      values[to + i + 16] = ((pair >> 4) | (((fifths >>> (i + 16)) & 1) << 4)) * d + m;
    }
  }
}

/** `q · d`; q is a signed byte. Block: d, 32 bytes of q. */
export function dequantizeQ8_0(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const scales = scalesAt(blocks, 0);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let block = 0; block < scales.length; block++) {
    const d = scales[block]!;
    const at = block * stride + 2;
    const to = block * 32;
    for (let i = 0; i < 32; i++) values[to + i] = signed[at + i]! * d;
  }
}

/** Four bytes, little-endian, as bits of a signed integer. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
