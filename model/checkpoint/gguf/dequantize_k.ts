import { type Blocks, scalesAt } from "./blocks.ts";

// ggml's K-quants: blocks of 256 values, whose scales and minima per 32 (or 16) values are integers
// themselves, scaled by f16 numbers of the whole block. As with the smaller blocks, float64 holds
// every term exactly, so that one rounding to f32 gives ggml's bits.

/** Scales and minima of the eight runs of 32 values, reused from block to block. */
interface Runs {
  readonly scales: Float64Array;
  readonly minima: Float64Array;
}

/**
 * `q · (d · scale) − dMin · minimum`; q has 4 bits. Block: d, dMin, 12 bytes of scales and minima,
 * 128 bytes of q; of each 32 bytes, the lower halves are one run of values and the upper the next.
 */
export function dequantizeQ4K(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const d = scalesAt(blocks, 0);
  const dMin = scalesAt(blocks, 2);
  const { scales, minima } = newRuns();
  for (let block = 0; block < d.length; block++) {
    const begin = block * stride;
    unpackRuns(bytes, begin + 4, { scales, minima });
    for (let run = 0; run < 8; run++) {
      const scale = d[block]! * scales[run]!;
      const minimum = dMin[block]! * minima[run]!;
      const at = begin + 16 + (run >> 1) * 32;
      const shift = (run & 1) * 4;
      const to = block * 256 + run * 32;
      for (let i = 0; i < 32; i++) {
        values[to + i] = ((bytes[at + i]! >> shift) & 15) * scale - minimum;
      }
    }
  }
}

/**
 * As {@linkcode dequantizeQ4K} with q of 5 bits. Block: d, dMin, 12 bytes of scales and minima,
 * 32 bytes whose bit `run` is the fifth bit of a value of that run, 128 bytes of lower bits.
 */
export function dequantizeQ5K(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const d = scalesAt(blocks, 0);
  const dMin = scalesAt(blocks, 2);
  const { scales, minima } = newRuns();
  for (let block = 0; block < d.length; block++) {
    const begin = block * stride;
    unpackRuns(bytes, begin + 4, { scales, minima });
    for (let run = 0; run < 8; run++) {
      const scale = d[block]! * scales[run]!;
      const minimum = dMin[block]! * minima[run]!;
      const at = begin + 48 + (run >> 1) * 32;
      const shift = (run & 1) * 4;
      const to = block * 256 + run * 32;
      for (let i = 0; i < 32; i++) {
        const fifth = ((bytes[begin + 16 + i]! >> run) & 1) << 4;
        values[to + i] = (((bytes[at + i]! >> shift) & 15) | fifth) * scale - minimum;
      }
    }
  }
}

/**
 * `(q − 32) · (d · scale)`; q has 6 bits. Block: 128 bytes of lower four bits, 64 bytes of upper
 * two, 16 scales (signed bytes, for 16 values each), d. Each half of a block is four runs of 32
 * values: the lower bits of runs 0 and 2 share bytes, as do those of 1 and 3; all four share the
 * bytes of upper bits.
 */
export function dequantizeQ6K(blocks: Blocks): void {
  const { bytes, stride, values } = blocks;
  const d = scalesAt(blocks, 208);
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let block = 0; block < d.length; block++) {
    for (let run = 0; run < 8; run++) {
      const half = run >> 2;
      const quarter = run & 3;
      const low = block * stride + half * 64 + (quarter & 1) * 32;
      const high = block * stride + 128 + half * 32;
      const scaleAt = block * stride + 192 + run * 2;
      const first = d[block]! * signed[scaleAt]!;
      const second = d[block]! * signed[scaleAt + 1]!;
      const lowShift = (quarter >> 1) * 4;
      const highShift = quarter * 2;
      const to = block * 256 + run * 32;
      for (let i = 0; i < 32; i++) {
        const q =
          ((bytes[low + i]! >> lowShift) & 15) | (((bytes[high + i]! >> highShift) & 3) << 4);
        values[to + i] = (q - 32) * (i < 16 ? first : second);
      }
    }
  }
}

function newRuns(): Runs {
  return { scales: new Float64Array(8), minima: new Float64Array(8) };
}

/**
 * Unpacks 12 bytes into eight scales and eight minima of 6 bits. Bytes 0 to 3 hold scales 0 to 3,
 * bytes 4 to 7 minima 0 to 3, in their lower 6 bits; bytes 8 to 11 hold the lower 4 bits of scales
 * and of minima 4 to 7, whose upper 2 bits are the upper bits of bytes 0 to 7.
 */
function unpackRuns(bytes: Uint8Array, at: number, { scales, minima }: Runs): void {
  for (let i = 0; i < 4; i++) {
    const scale = bytes[at + i]!;
    const minimum = bytes[at + i + 4]!;
    const lower = bytes[at + i + 8]!;
    scales[i] = scale & 63;
    minima[i] = minimum & 63;
    scales[i + 4] = (lower & 15) | ((scale >> 6) << 4);
    minima[i + 4] = (lower >> 4) | ((minimum >> 6) << 4);
  }
}
