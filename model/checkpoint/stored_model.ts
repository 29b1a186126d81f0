import type { ModelConfig } from "../transformer/config.ts";
import type { Generation } from "./generation_config.ts";
import type { JsonObject } from "./strict_json.ts";

/** Element types that weights of a file may have; the last ones are GGUF's blocks. */
export const WEIGHT_DTYPES = [
  "F32",
  "F16",
  "BF16",
  "I8",
  "U8",
  "I32",
  "I64",
  "Q4_0",
  "Q4_1",
  "Q5_0",
  "Q5_1",
  "Q8_0",
  "Q4_K",
  "Q5_K",
  "Q6_K",
] as const;

/** One of {@linkcode WEIGHT_DTYPES}. */
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

/** Values of one weight, as encoded in a file. */
export interface EncodedWeight {
  readonly dtype: WeightDtype;
  /** `[dOut, dIn]` for matrices, `[length]` for vectors; GGUF's blocks run along `dIn`. */
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One weight of a model in a file, yet to be read. */
export interface StoredWeight extends Omit<EncodedWeight, "bytes"> {
  /** Reads all of it: the layout of the file undone (transposed, fused or permuted matrices). */
  read(): Promise<EncodedWeight>;
}

/**
 * A model in files of whatever format, checked against its configuration; weights are read one at
 * a time, so that host memory holds about the largest of them.
 */
export interface StoredModel {
  /** What was read, for messages. */
  readonly name: string;
  readonly config: ModelConfig;
  /** By our label (`weightShapes()`), in that order: every weight of the model, and no other. */
  readonly weights: ReadonlyMap<string, StoredWeight>;
  readonly generation?: Generation;
  /** Content of `tokenizer.json`, or what a vocabulary in another format amounts to. */
  readonly tokenizer?: JsonObject;
  /** Why a tokenizer that is there could not be taken; another can stand in for it. */
  readonly tokenizerProblem?: string;
  /** Content of `tokenizer_config.json`: the chat template, whether to begin with a token. */
  readonly tokenizerConfig?: JsonObject;
}
