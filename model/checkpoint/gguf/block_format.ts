import type { WeightDtype } from "../stored_model.ts";

/** How values of one type lie in a file: in blocks, each of so many values in so many bytes. */
export interface BlockFormat {
  /** Number by which GGUF names the type. */
  readonly id: number;
  /** Values in a block. */
  readonly length: number;
  /** Bytes of a block. */
  readonly bytes: number;
}

/** Types of weights that ggml and we know. */
export type GgufDtype = Exclude<WeightDtype, "U8" | "I8" | "I32" | "I64">;

/**
 * Layout of every type of weight that a GGUF file may hold here.
 *
 * @see {@link https://github.com/ggml-org/ggml/blob/master/docs/gguf.md}
 */
export const BLOCK_FORMATS: Readonly<Record<GgufDtype, BlockFormat>> = {
  F32: { id: 0, length: 1, bytes: 4 },
  F16: { id: 1, length: 1, bytes: 2 },
  BF16: { id: 30, length: 1, bytes: 2 },
  Q4_0: { id: 2, length: 32, bytes: 18 },
  Q4_1: { id: 3, length: 32, bytes: 20 },
  Q5_0: { id: 6, length: 32, bytes: 22 },
  Q5_1: { id: 7, length: 32, bytes: 24 },
  Q8_0: { id: 8, length: 32, bytes: 34 },
  Q4_K: { id: 12, length: 256, bytes: 144 },
  Q5_K: { id: 13, length: 256, bytes: 176 },
  Q6_K: { id: 14, length: 256, bytes: 210 },
};

/** Types by their number. */
export const DTYPE_OF_ID: ReadonlyMap<number, GgufDtype> = new Map(
  Object.entries(BLOCK_FORMATS).map(([dtype, { id }]) => [id, dtype as GgufDtype]),
);

/** Names of types that other programs write and that are not read here, for errors. */
export const OTHER_TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    9: "Q8_1",
    10: "Q2_K",
    11: "Q3_K",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
  }).map(([id, name]) => [Number(id), name]),
);

/** Whether a type is a float or one of ggml's blocks. */
export function isGgufDtype(dtype: string): dtype is GgufDtype {
  return Object.hasOwn(BLOCK_FORMATS, dtype);
}

/**
 * Bytes that a weight takes.
 *
 * @param shape `[dOut, dIn]` or `[length]`; blocks run along the last axis.
 * @returns NaN if the last axis is no multiple of the block, or the bytes are more than a number
 * counts exactly.
 */
export function encodedBytes(dtype: GgufDtype, shape: readonly number[]): number {
  const { length, bytes } = BLOCK_FORMATS[dtype];
  let blocks = (shape.at(-1) ?? 1) / length;
  for (const size of shape.slice(0, -1)) blocks *= size;
  const total = blocks * bytes;
  return Number.isInteger((shape.at(-1) ?? 1) / length) && Number.isSafeInteger(total)
    ? total
    : Number.NaN;
}
