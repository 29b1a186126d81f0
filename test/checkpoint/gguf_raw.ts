import { BLOCK_FORMATS } from "../../model/checkpoint/gguf/block_format.ts";
import { BLOCK_SIZES, type BlockName } from "../reference/ggml_blocks.ts";
import { seeded } from "./gguf_files.ts";

/** A key, GGUF's number of its type, its value. */
export type Pair = readonly [key: string, type: number, value: number | string | readonly string[]];

/** A tensor as it is to stand in a file. */
export interface RawTensor {
  readonly name: string;
  /** GGUF's order: the contiguous axis first. */
  readonly dims: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
  readonly offset?: number;
}

/** A file written out by hand, so that it may break any rule. */
export function rawFile(
  pairs: readonly Pair[],
  tensors: readonly RawTensor[] = [],
  { version = 3, padding = 0 } = {},
): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const bytes = (values: Iterable<number>) => out.push(...values);
  const u32 = (n: number) => bytes(new Uint8Array(Uint32Array.of(n).buffer));
  const u64 = (n: number) => bytes(new Uint8Array(BigUint64Array.of(BigInt(n)).buffer));
  const text = (s: string) => {
    const encoded = new TextEncoder().encode(s);
    u64(encoded.length);
    bytes(encoded);
  };
  bytes(new TextEncoder().encode("GGUF"));
  u32(version);
  u64(tensors.length);
  u64(pairs.length);
  for (const [key, type, value] of pairs) {
    text(key);
    u32(type);
    if (typeof value === "string") text(value);
    else if (typeof value !== "number") {
      u32(8);
      u64(value.length);
      for (const element of value) text(element);
    } else if (type === 6) bytes(new Uint8Array(Float32Array.of(value).buffer));
    else if (type === 7 || type === 0) bytes([value]);
    else u32(value);
  }
  let next = 0;
  for (const { name, dims, type, data, offset = next } of tensors) {
    text(name);
    u32(dims.length);
    for (const n of dims) u64(n);
    u32(type);
    u64(offset);
    next = offset + Math.ceil(data.length / 32) * 32;
  }
  while (out.length % 32 !== 0) out.push(0);
  const file = new Uint8Array(out.length + next + padding);
  file.set(out);
  let at = out.length;
  for (const { data } of tensors) {
    if (at + data.length <= file.length) file.set(data, at);
    at += Math.ceil(data.length / 32) * 32;
  }
  return file;
}

export const string = (key: string, value: string): Pair => [key, 8, value];
export const uint32 = (key: string, value: number): Pair => [key, 4, value];
export const float32 = (key: string, value: number): Pair => [key, 6, value];

/** Metadata of a Llama of one block, four heads of 64 and two of keys. */
export const PAIRS: readonly Pair[] = [
  string("general.architecture", "llama"),
  uint32("llama.block_count", 1),
  uint32("llama.context_length", 16),
  uint32("llama.embedding_length", 256),
  uint32("llama.feed_forward_length", 256),
  uint32("llama.attention.head_count", 4),
  uint32("llama.attention.head_count_kv", 2),
  float32("llama.attention.layer_norm_rms_epsilon", 1e-5),
];

/** Tensors of that model, matrices in random blocks of one type. */
export function rawTensors(dtype: BlockName, seed = 3): RawTensor[] {
  const random = seeded(seed);
  const [length, stride] = BLOCK_SIZES[dtype];
  const matrix = (name: string, rows: number): RawTensor => {
    const data = Uint8Array.from({ length: (rows * 256 * stride) / length }, () => 256 * random());
    return { name: `${name}.weight`, dims: [256, rows], type: BLOCK_FORMATS[dtype].id, data };
  };
  const vector = (name: string): RawTensor => {
    const values = Float32Array.from({ length: 256 }, random);
    return { name: `${name}.weight`, dims: [256], type: 0, data: new Uint8Array(values.buffer) };
  };
  return [
    matrix("token_embd", 3),
    vector("blk.0.attn_norm"),
    matrix("blk.0.attn_q", 256),
    matrix("blk.0.attn_k", 128),
    matrix("blk.0.attn_v", 128),
    matrix("blk.0.attn_output", 256),
    vector("blk.0.ffn_norm"),
    matrix("blk.0.ffn_gate", 256),
    matrix("blk.0.ffn_up", 256),
    matrix("blk.0.ffn_down", 256),
    vector("output_norm"),
  ];
}
