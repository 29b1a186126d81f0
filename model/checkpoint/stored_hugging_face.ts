import { sizeOf } from "../../engine/tensor.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";
import type { FileSet } from "./byte_source.ts";
import { configFromJson } from "./config_json.ts";
import { type FloatDtype, isFloatDtype, notFloats } from "./float_conversion.ts";
import { generationFromJson, generationOfConfig } from "./generation_config.ts";
import type { SafetensorsSource, TensorInFile } from "./safetensors_file.ts";
import { openWeights, readJson } from "./shards.ts";
import { readTextFile } from "./small_file.ts";
import type { EncodedWeight, StoredModel, StoredWeight } from "./stored_model.ts";
import type { JsonObject } from "./strict_json.ts";
import type { TensorLayout } from "./tensor_layout.ts";
import { matchTensors, OUTPUT_TENSOR, untied, type WeightsFile } from "./tensor_match.ts";
import { type ElementWidth, splitParts } from "./tensor_parts.ts";
import { checkTokenizer } from "./tokenizer_check.ts";

/** Bytes of an element of each type. */
const WIDTHS: Readonly<Record<FloatDtype, ElementWidth>> = { F32: 4, F16: 2, BF16: 2 };

/** Bytes that are compared at a time. */
const COMPARED_BYTES = 2 ** 22;

/** Longest chat template in a file of its own, in bytes; those in use have at most 20,000. */
const MAX_TEMPLATE_BYTES = 2 ** 20;

const EMBEDDING = "model.embed_tokens.weight";

/**
 * A model in Hugging Face's layout: `config.json`, `model.safetensors` or shards with their index,
 * and, where they are there, `generation_config.json`, `tokenizer.json`,
 * `tokenizer_config.json` and `chat_template.jinja`.
 *
 * The configuration is read first, and an unsupported one refused; then the headers of the
 * weights, which must be those of the model: nothing of their data is read before
 * `StoredWeight.read()`. An output layer in the file that the configuration ties to the embedding
 * is compared with it when the embedding is read. A tensor with several matrices in it is read
 * once if those are read one after the other, as `weights` lists them.
 *
 * @param files The folder.
 * @throws {SyntaxError} If a file is missing, malformed or not supported, naming it.
 * @throws {RangeError} If a weight is missing, misshapen or unknown, or a token beyond the
 * vocabulary.
 * @throws {TypeError} If weights are not F32, F16 or BF16.
 * @example
 * const { config, weights } = await storedHuggingFaceModel(folder);
 */
export async function storedHuggingFaceModel(files: FileSet): Promise<StoredModel> {
  const json = await optional(files, "config.json");
  if (json === undefined) {
    throw new SyntaxError(`Cannot read "${files.name}": config.json must be there, got none`);
  }
  const { config, modelType } = configFromJson(json, "config.json");
  const generationJson = await optional(files, "generation_config.json");
  const generation =
    generationJson === undefined
      ? generationOfConfig(json, config)
      : generationFromJson(generationJson, config, "generation_config.json");
  const tokenizer = await optional(files, "tokenizer.json");
  if (tokenizer !== undefined) checkTokenizer(tokenizer, config, "tokenizer.json");
  const tokenizerConfig = await readTokenizerConfig(files);
  const opened = await openWeights(files);
  const weights = storedWeights({ config, modelType, file: opened.name }, opened);
  return {
    name: files.name,
    config,
    weights,
    ...(generation === undefined ? {} : { generation }),
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(tokenizerConfig === undefined ? {} : { tokenizerConfig }),
  };
}

async function optional(files: FileSet, name: string): Promise<JsonObject | undefined> {
  const source = await files.open(name);
  return source === undefined ? undefined : readJson(source);
}

/** The chat template may lie in a file of its own, which goes before the one in the JSON. */
async function readTokenizerConfig(files: FileSet): Promise<JsonObject | undefined> {
  const json = await optional(files, "tokenizer_config.json");
  const source = await files.open("chat_template.jinja");
  if (source === undefined) return json;
  return { ...json, chat_template: await readTextFile(source, MAX_TEMPLATE_BYTES) };
}

/** The weights of a model by label, in the model's order, from the tensors that hold them. */
function storedWeights(
  file: WeightsFile,
  { tensors }: SafetensorsSource,
): Map<string, StoredWeight> {
  const { layouts, hasTiedCopy } = matchTensors(file, tensors);
  const weights = new Map<string, StoredWeight>();
  const transposed = new LastRead();
  for (const [name, layout] of layouts) {
    const tensor = tensors.get(name)!;
    const { dtype } = tensor;
    if (!isFloatDtype(dtype)) throw notFloats(name, dtype, tensor.file);
    for (const [index, { label, shape }] of layout.parts.entries()) {
      const bytes = layout.isTransposed
        ? () => transposed.part(tensor, layout, { index, width: WIDTHS[dtype] })
        : rangeReader(tensor, layout, { index, width: WIDTHS[dtype] });
      weights.set(label, storedWeight({ shape, dtype }, bytes));
    }
  }
  const output = hasTiedCopy ? tensors.get(OUTPUT_TENSOR) : undefined;
  const embedding = weights.get(EMBEDDING);
  if (output !== undefined && embedding !== undefined) {
    if (output.dtype !== embedding.dtype) throw untied(output.file);
    weights.set(EMBEDDING, comparedWeight(embedding, output));
  }
  return new Map(
    Array.from(weightShapes(file.config), ({ label }) => [label, weights.get(label)!]),
  );
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Which part of a tensor, and the bytes of its elements. */
interface Part {
  readonly index: number;
  readonly width: ElementWidth;
}

function storedWeight(
  description: Omit<EncodedWeight, "bytes">,
  bytes: () => Promise<Bytes>,
): StoredWeight {
  return { ...description, read: async () => ({ ...description, bytes: await bytes() }) };
}

/** Reads the rows of one part, which lie together in a tensor that is not transposed. */
function rangeReader(
  tensor: TensorInFile,
  { parts }: TensorLayout,
  { index, width }: Part,
): () => Promise<Bytes> {
  const sizes = parts.map(({ shape }) => sizeOf(shape) * width);
  const begin = sizes.slice(0, index).reduce((sum, size) => sum + size, 0);
  return () => tensor.read(begin, begin + sizes[index]!);
}

/** Keeps the last transposed tensor, so that one with three matrices is read once, not thrice. */
class LastRead {
  #tensor: TensorInFile | undefined;
  #parts: Promise<Bytes[]> | undefined;

  async part(tensor: TensorInFile, layout: TensorLayout, { index, width }: Part): Promise<Bytes> {
    if (layout.parts.length === 1) return (await readParts(tensor, layout, width))[index]!;
    if (this.#tensor !== tensor || this.#parts === undefined) {
      this.#tensor = tensor;
      this.#parts = readParts(tensor, layout, width);
    }
    try {
      return (await this.#parts)[index]!.slice(); // the caller may do with it as it likes
    } catch (error) {
      if (this.#tensor === tensor) this.#tensor = undefined; // the next attempt reads again
      throw error;
    }
  }
}

async function readParts(
  tensor: TensorInFile,
  layout: TensorLayout,
  width: ElementWidth,
): Promise<Bytes[]> {
  return splitParts(layout, await tensor.read(), width);
}

/** The embedding, compared with the output layer that must equal it, a part at a time. */
function comparedWeight(embedding: StoredWeight, output: TensorInFile): StoredWeight {
  return {
    ...embedding,
    async read() {
      const weight = await embedding.read();
      for (let begin = 0; begin < output.size; begin += COMPARED_BYTES) {
        const end = Math.min(begin + COMPARED_BYTES, output.size);
        const expected = weight.bytes.subarray(begin, end);
        const got = await output.read(begin, end);
        if (got.some((byte, i) => byte !== expected[i])) throw untied(output.file);
      }
      return weight;
    },
  };
}
