import { fromFloat16 } from "../../../engine/float16.ts";

/** Blocks of one type, one after another, and what their values are to be written to. */
export interface Blocks {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of one block. */
  readonly stride: number;
  /** As many as the blocks hold. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** The f16 that every block has at byte `offset` of it, as values. */
export function scalesAt({ bytes, stride }: Blocks, offset: number): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(bytes.length / stride);
  for (let i = 0, at = offset; i < halves.length; i++, at += stride) {
    halves[i] = bytes[at]! | (bytes[at + 1]! << 8);
  }
  return fromFloat16(halves);
}
