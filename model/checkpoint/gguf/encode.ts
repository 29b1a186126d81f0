import type { GgufVocabulary } from "../../../data/tokenizer/vocabulary_data.ts";
import { checkConfig, type ModelConfig } from "../../transformer/config.ts";
import { encodeFloats } from "../float_conversion.ts";
import { reorderRows } from "../rotary_rows.ts";
import { BLOCK_FORMATS, encodedBytes, type GgufDtype } from "./block_format.ts";
import { aligned, encodeHeader, type TensorToWrite } from "./header_writer.ts";
import { architectureOf, metadataOfConfig, metadataOfVocabulary } from "./metadata_of_model.ts";
import { type WeightPlace, weightPlaces } from "./names.ts";
import { quantizeQ8_0 } from "./quantize.ts";
import { ropeDivisors } from "./rope_scaling.ts";
import { ROPE_FREQS } from "./stored_model.ts";

/** Types that the matrices of a GGUF file are written in. */
export const GGUF_OUTPUT_TYPES = ["F32", "F16", "Q8_0"] as const;

/** One of {@linkcode GGUF_OUTPUT_TYPES}. */
export type GgufOutputType = (typeof GGUF_OUTPUT_TYPES)[number];

/** GGUF's numbers of what most weights of a file are. */
const FILE_TYPES: Readonly<Record<GgufOutputType, number>> = { F32: 0, F16: 1, Q8_0: 7 };

/** A model to be written. */
export interface GgufModel {
  readonly config: ModelConfig;
  /** Gives the values of a weight; each is asked for once, in the order of the file. */
  readonly weights: (label: string) => Promise<Float32Array<ArrayBuffer>>;
  /** Type of matrices. Vectors and GPT-2's positions stay F32. */
  readonly type: GgufOutputType;
  /** What the model is called. @default {"model"} */
  readonly name?: string;
  /** Its tokenizer; without one, the file is for programs that bring their own. */
  readonly vocabulary?: GgufVocabulary;
}

/** A tensor of the file: weights, one below the other, or values that belong to none. */
interface PlannedTensor extends TensorToWrite {
  readonly parts: readonly WeightPlace[];
  readonly values?: Float32Array<ArrayBuffer>;
}

/**
 * Writes a model as a GGUF file of version 3, as llama.cpp reads it: as its family `llama`,
 * `qwen2`, `qwen3` or `gpt2`, Llama's queries and keys permuted for interleaved rotation. Matrices
 * whose rows are not whole blocks of Q8_0 become F16. Dropout is not kept.
 *
 * @returns The file in parts, of which none is larger than the largest weight.
 * @throws {RangeError} By the first part, if llama.cpp has no such family or would leave a sliding
 * window out, the sizes do not fit together or the vocabulary is too large; later, if a weight has another length or values that
 * the type cannot hold, naming it.
 */
export async function* encodeGguf(model: GgufModel): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const { config, type, name = "model", vocabulary } = model;
  checkConfig(config);
  const architecture = architectureOf(config);
  const metadata = new Map([
    ...metadataOfConfig(config, architecture, { name, fileType: FILE_TYPES[type] }),
    ...metadataOfVocabulary(vocabulary, config.vocabSize),
  ]);
  const tensors = [...planTensors(config, weightPlaces(config, architecture), type)];
  yield encodeHeader(metadata, tensors);
  for (const tensor of tensors) {
    if (tensor.values !== undefined) yield encodeFloats(tensor.values, "F32");
    for (const place of tensor.parts) yield await encodeWeight(model, place, tensor.dtype);
    const padding = aligned(tensor.bytes) - tensor.bytes;
    if (padding > 0) yield new Uint8Array(padding);
  }
}

function* planTensors(
  config: ModelConfig,
  places: Iterable<WeightPlace>,
  type: GgufOutputType,
): Generator<PlannedTensor, void> {
  if (config.ropeScaling?.type === "llama3") {
    const values = Float32Array.from(ropeDivisors(config.ropeScaling, config));
    const shape = [values.length];
    yield { name: ROPE_FREQS, dtype: "F32", shape, bytes: values.byteLength, parts: [], values };
  }
  const tensors = new Map<string, WeightPlace[]>();
  for (const place of places) {
    const parts = tensors.get(place.tensor);
    if (parts === undefined) tensors.set(place.tensor, [place]);
    else parts.push(place);
  }
  for (const [name, parts] of tensors) {
    const shape = parts[0]!.tensorShape;
    const dtype = dtypeOf(name, shape, type);
    yield { name, dtype, shape, bytes: encodedBytes(dtype, shape), parts };
  }
}

function dtypeOf(name: string, shape: readonly number[], type: GgufOutputType): GgufDtype {
  if (shape.length === 1 || name.startsWith("position_embd")) return "F32";
  return shape[1]! % BLOCK_FORMATS[type].length === 0 ? type : "F16";
}

async function encodeWeight(
  { weights }: GgufModel,
  { label, shape, permutedHeads: heads }: WeightPlace,
  dtype: GgufDtype,
): Promise<Uint8Array<ArrayBuffer>> {
  const values = await weights(label);
  const length = shape.reduce((product, n) => product * n, 1);
  if (values.length !== length) {
    throw new RangeError(
      `Cannot write a GGUF file: weight "${label}" must have shape [${shape.join(", ")}], got ${values.length} values`,
    );
  }
  const bytes = encode(values, { label, dtype });
  if (heads === undefined) return bytes;
  return reorderRows(bytes, "interleaved", { heads, rowBytes: bytes.length / shape[0]! });
}

function encode(
  values: Float32Array<ArrayBuffer>,
  { label, dtype }: { readonly label: string; readonly dtype: GgufDtype },
): Uint8Array<ArrayBuffer> {
  try {
    return dtype === "Q8_0" ? quantizeQ8_0(values) : encodeFloats(values, dtype as "F32" | "F16");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`Cannot write weight "${label}" as ${dtype}: ${error.message}`, {
      cause: error,
    });
  }
}
