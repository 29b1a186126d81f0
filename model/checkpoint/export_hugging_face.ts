import { sizeOf } from "../../engine/tensor.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { configToJson, modelTypeOf } from "./config_json.ts";
import { type ExportedFile, fileOf } from "./exported_file.ts";
import { encodeFloats, type FloatDtype } from "./float_conversion.ts";
import { type Generation, generationToJson } from "./generation_config.ts";
import { tensorBytes } from "./safetensors_header.ts";
import { startSafetensors } from "./safetensors_writer.ts";
import { INDEX_FILE, WEIGHTS_FILE } from "./shards.ts";
import { encodeJson, type JsonObject } from "./strict_json.ts";
import { type TensorLayout, tensorLayouts } from "./tensor_layout.ts";
import { joinParts } from "./tensor_parts.ts";
import { checkTokenizer } from "./tokenizer_check.ts";

export type { ExportedFile };

/** A model to write. */
export interface ModelExport {
  readonly config: ModelConfig;
  /** Reads a weight by its label; each is asked for once, in the order of the files. */
  readonly weights: (label: string) => Promise<Float32Array<ArrayBuffer>>;
  /** Type of the weights in the files. */
  readonly dtype: FloatDtype;
  /** Bytes of tensors that one file holds at most, if it holds more than one. @default {5e9} */
  readonly maxShardBytes?: number;
  /** Content of `tokenizer.json`, nothing but JSON. */
  readonly tokenizer?: object;
  /** Content of `tokenizer_config.json`, nothing but JSON. */
  readonly tokenizerConfig?: object;
  readonly generation?: Generation;
}

const MAX_SHARD_BYTES = 5e9;

/**
 * Writes a model in Hugging Face's layout, under the names of its family. Weights are asked for as
 * the files are drained, so that memory holds a few copies of one tensor, not the model.
 *
 * @param model What to write. Values are rounded to nearest even where the type is narrower.
 * @returns Files in the order to write them: the small ones, the weights, and last the index if
 * there are several files of weights. Drain one after the other. Draining throws a `RangeError`
 * if a weight does not fill its shape or is beyond the range of the type, naming it.
 * @throws {RangeError} If sizes, tokenizer or generation do not fit together.
 * @throws {TypeError} If the tokenizer holds anything but JSON.
 * @example
 * for (const { name, chunks } of exportHuggingFace({ config, weights, dtype: "BF16" })) {
 *   for await (const chunk of chunks) await write(name, chunk);
 * }
 */
export function exportHuggingFace(model: ModelExport): ExportedFile[] {
  const { config, dtype, maxShardBytes = MAX_SHARD_BYTES } = model;
  if (!(maxShardBytes > 0)) {
    throw new RangeError(
      `Cannot export a model: maxShardBytes must be positive, got ${maxShardBytes}`,
    );
  }
  const files = smallFiles(model);
  const layouts = [...tensorLayouts(config, modelTypeOf(config))];
  const shards = intoShards(layouts, { dtype, maxShardBytes });
  const shardOf: [tensor: string, shard: string][] = [];
  for (const [index, shard] of shards.entries()) {
    const name = shards.length === 1 ? WEIGHTS_FILE : shardName(index, shards.length);
    files.push(weightsFile(name, shard, model));
    for (const layout of shard) shardOf.push([layout.name, name]);
  }
  if (shards.length > 1) {
    const total = layouts.reduce((sum, { shape }) => sum + tensorBytes(dtype, shape), 0);
    const map = shardOf.toSorted(([a], [b]) => (a < b ? -1 : 1));
    const json = { metadata: { total_size: total }, weight_map: Object.fromEntries(map) };
    files.push(fileOf(INDEX_FILE, encodeJson(json, INDEX_FILE)));
  }
  return files;
}

function smallFiles(model: ModelExport): ExportedFile[] {
  const { config, dtype, tokenizer, tokenizerConfig, generation } = model;
  const contents: [name: string, json: JsonObject][] = [
    ["config.json", configToJson(config, dtype)],
  ];
  if (generation !== undefined) {
    contents.push(["generation_config.json", generationToJson(generation, config)]);
  }
  // encodeJson() checks that both are JSON.
  if (tokenizer !== undefined) contents.push(["tokenizer.json", tokenizer as JsonObject]);
  if (tokenizerConfig !== undefined) {
    contents.push(["tokenizer_config.json", tokenizerConfig as JsonObject]);
  }
  const files = contents.map(([name, json]) => fileOf(name, encodeJson(json, name)));
  if (tokenizer !== undefined) checkTokenizer(tokenizer as JsonObject, config, "tokenizer.json");
  return files;
}

/** Tensors in the model's order, as many to a file as fit. */
function intoShards(
  layouts: readonly TensorLayout[],
  { dtype, maxShardBytes }: { readonly dtype: FloatDtype; readonly maxShardBytes: number },
): TensorLayout[][] {
  const shards: TensorLayout[][] = [];
  let filled = 0;
  for (const layout of layouts) {
    const size = tensorBytes(dtype, layout.shape);
    if (shards.length === 0 || filled + size > maxShardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(layout);
    filled += size;
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const padded = (n: number) => String(n).padStart(5, "0");
  return `model-${padded(index + 1)}-of-${padded(count)}.safetensors`;
}

function weightsFile(
  name: string,
  shard: readonly TensorLayout[],
  { weights, dtype }: ModelExport,
): ExportedFile {
  const layouts = new Map(shard.map((layout) => [layout.name, layout]));
  const { header, names, size } = startSafetensors(
    new Map(shard.map(({ name: tensor, shape }) => [tensor, { dtype, shape }])),
  );
  async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    yield header;
    for (const tensor of names) yield await encodeTensor(layouts.get(tensor)!, { weights, dtype });
  }
  return { name, size, chunks: chunks() };
}

async function encodeTensor(
  layout: TensorLayout,
  { weights, dtype }: Pick<ModelExport, "weights" | "dtype">,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (const { label, shape } of layout.parts) {
    const values = await weights(label);
    if (values.length !== sizeOf(shape)) {
      throw new RangeError(
        `Cannot export a model: weight "${label}" must have shape [${shape.join(", ")}], got ${values.length} values`,
      );
    }
    try {
      parts.push(encodeFloats(values, dtype));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new RangeError(`Cannot export weight "${label}": ${message}`, { cause: error });
    }
  }
  return joinParts(layout, parts, dtype === "F32" ? 4 : 2);
}
