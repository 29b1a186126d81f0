import { checkConfig, DEFAULT_CONFIG, type ModelConfig } from "../transformer/config.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";
import type { ByteSource } from "./byte_source.ts";
import { reorderRows } from "./rotary_rows.ts";
import type { StoredModel, StoredWeight } from "./stored_model.ts";
import type { JsonObject } from "./strict_json.ts";

/** The numbers that a file begins with, in order, each an int32. */
const FIELDS = ["dim", "hiddenDim", "numLayers", "numHeads", "numKvHeads", "vocabSize", "seqLen"];

const HEADER_BYTES = FIELDS.length * Int32Array.BYTES_PER_ELEMENT;

/** What files of later versions begin with: "ak42". */
const LATER_MAGIC = 0x616b_3432;

/** A part of every block, in the order of the file, which has it of all blocks one by one. */
const MODULES = [
  "input_layernorm",
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "post_attention_layernorm",
  "mlp.gate_proj",
  "mlp.down_proj",
  "mlp.up_proj",
];

/**
 * Opens a model of llama2.c, `.bin` of version 0: seven numbers, then all weights in f32, in an
 * order of its own. Tables of cosines and sines, which old files hold, are stepped over.
 *
 * @param tokenizer Content of a `tokenizer.json`; the file has none.
 * @throws {SyntaxError} If the numbers are not those of a model, or the file is not exactly as
 * long as they say, before any weight is read.
 * @see {@link https://github.com/karpathy/llama2.c}
 */
export async function storedLlama2cModel(
  source: ByteSource,
  tokenizer?: JsonObject,
): Promise<StoredModel> {
  const config = await readConfig(source);
  const weights = new Map<string, StoredWeight>();
  const places = placeWeights(config, source);
  for (const { label, shape } of weightShapes(config)) {
    weights.set(label, storedWeight(source, { label, shape, config, begin: places.get(label)! }));
  }
  return { name: source.name, config, weights, ...(tokenizer !== undefined && { tokenizer }) };
}

async function readConfig(source: ByteSource): Promise<ModelConfig> {
  if (source.size < HEADER_BYTES) {
    throw problem(source, `it must have at least ${HEADER_BYTES} bytes`, `${source.size}`);
  }
  const bytes = await source.read(0, HEADER_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [
    dModel = 0,
    dHidden = 0,
    numBlocks = 0,
    numHeads = 0,
    numKvHeads = 0,
    vocabSize = 0,
    maxSeqLen = 0,
  ] = FIELDS.map((_, i) => view.getInt32(i * Int32Array.BYTES_PER_ELEMENT, true));
  if (dModel === LATER_MAGIC) throw problem(source, "it must be of version 0", "a later one");
  const config: ModelConfig = {
    ...DEFAULT_CONFIG,
    dModel,
    dHidden,
    numBlocks,
    numHeads,
    numKvHeads,
    headDim: dModel / numHeads,
    // A negative one says that the output layer is not the embedding.
    vocabSize: Math.abs(vocabSize),
    tieEmbeddings: vocabSize > 0,
    maxSeqLen,
  };
  try {
    checkConfig(config);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SyntaxError(`Cannot read "${source.name}": ${error.message}`, { cause: error });
  }
  return config;
}

/** First byte of every weight; checks that the file ends with the last one. */
function placeWeights(config: ModelConfig, source: ByteSource): Map<string, number> {
  const { numBlocks, headDim, maxSeqLen } = config;
  /** Bytes of weights, those of the first block standing for every block's. */
  const bytes = new Map<string, number>();
  for (const { label, shape } of weightShapes({ ...config, numBlocks: 1 })) {
    bytes.set(
      label,
      shape.reduce((a, b) => a * b, Float32Array.BYTES_PER_ELEMENT),
    );
  }
  const blockBytes = (module: string): number => bytes.get(`model.layers.0.${module}.weight`)!;
  const perBlock = MODULES.reduce((sum, module) => sum + blockBytes(module), 0);
  const tableBytes = maxSeqLen * headDim * Float32Array.BYTES_PER_ELEMENT;
  const outside = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"];
  const expected = outside.reduce(
    (sum, label) => sum + (bytes.get(label) ?? 0),
    HEADER_BYTES + numBlocks * perBlock + tableBytes,
  );
  if (source.size !== expected) {
    const rule = `it must have the ${expected} bytes of a model of dim ${config.dModel}, ${numBlocks} layers and ${config.vocabSize} tokens`;
    throw problem(source, rule, `${source.size}`);
  }
  const places = new Map<string, number>();
  let next = HEADER_BYTES;
  const place = (label: string, length: number): void => {
    places.set(label, next);
    next += length;
  };
  place("model.embed_tokens.weight", bytes.get("model.embed_tokens.weight")!);
  for (const module of MODULES) {
    for (let block = 0; block < numBlocks; block++) {
      place(`model.layers.${block}.${module}.weight`, blockBytes(module));
    }
  }
  place("model.norm.weight", bytes.get("model.norm.weight")!);
  next += tableBytes;
  place("lm_head.weight", 0);
  return places;
}

function storedWeight(
  source: ByteSource,
  weight: { label: string; shape: readonly number[]; config: ModelConfig; begin: number },
): StoredWeight {
  const { label, shape, config, begin } = weight;
  const bytesOfAll = shape.reduce((a, b) => a * b, Float32Array.BYTES_PER_ELEMENT);
  const rowBytes = bytesOfAll / shape[0]!;
  // Neighbors rotate together in the file, halves of a head in the model.
  const heads = label.endsWith(".q_proj.weight")
    ? config.numHeads
    : label.endsWith(".k_proj.weight")
      ? config.numKvHeads
      : undefined;
  return {
    dtype: "F32",
    shape,
    async read() {
      const rows = await source.read(begin, begin + bytesOfAll);
      const bytes = heads === undefined ? rows : reorderRows(rows, "half", { heads, rowBytes });
      return { dtype: "F32", shape, bytes };
    },
  };
}

function problem(source: ByteSource, rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${source.name}": ${rule}, got ${got}`);
}
