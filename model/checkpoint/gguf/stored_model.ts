import type { GgufVocabulary } from "../../../data/tokenizer/vocabulary_data.ts";
import type { ModelConfig } from "../../transformer/config.ts";
import type { ByteSource } from "../byte_source.ts";
import { isFloatDtype } from "../float_conversion.ts";
import type { Generation } from "../generation_config.ts";
import { reorderRows } from "../rotary_rows.ts";
import type { StoredModel, StoredWeight } from "../stored_model.ts";
import type { JsonObject } from "../strict_json.ts";
import { encodedBytes } from "./block_format.ts";
import { readArchitecture, readConfig } from "./config.ts";
import { type GgufHeader, type GgufTensor, readGgufHeader } from "./header.ts";
import { quote } from "./metadata.ts";
import { type Architecture, type WeightPlace, weightPlaces } from "./names.ts";
import { scalingOfDivisors } from "./rope_scaling.ts";
import { toFloat32 } from "./to_float32.ts";
import { endOfTurn, vocabularyOf } from "./vocabulary.ts";

/** Divisors of rotary frequencies. */
export const ROPE_FREQS = "rope_freqs.weight";

/** Tensors of old files that hold no weights. */
const DERIVED = /(^|\.)(attn_rot_embd|rope_freqs_cis)(\.weight)?$/;

/** Options of {@linkcode storedGgufModel}. */
export interface GgufOptions {
  /**
   * What a vocabulary amounts to as a `tokenizer.json`: `tokenizerJsonOfVocabulary()` of the data
   * folder. Without it, the model comes without a tokenizer; so it does where this throws a
   * `SyntaxError`, which becomes `tokenizerProblem`.
   */
  readonly tokenizerOf?: (vocabulary: GgufVocabulary) => JsonObject;
}

/**
 * Opens a GGUF file of a Llama (Mistral among them), Qwen2, Qwen3 or GPT-2. Only the header is
 * read, of which nothing stays but the configuration, the places of the weights and the tokenizer.
 *
 * @throws {SyntaxError} If the file is not valid, of another family, asks for what is not
 * supported, or if its tensors are not exactly those of its configuration, naming file and field.
 */
export async function storedGgufModel(
  source: ByteSource,
  { tokenizerOf }: GgufOptions = {},
): Promise<StoredModel> {
  const header = await readGgufHeader(source);
  const { metadata } = header;
  const architecture = readArchitecture(metadata);
  const config = await scaleRope(source, header, readConfig(header, architecture));
  const weights = placeWeights(source, header, { config, architecture });
  const vocabulary = vocabularyOf(metadata);
  if (vocabulary === undefined) return { name: source.name, config, weights };
  const { length } = vocabulary.tokens;
  if (length !== config.vocabSize) {
    const rule = `must be the ${config.vocabSize} tokens of the embedding`;
    metadata.refuse("tokenizer.ggml.tokens", rule, `${length}`);
  }
  return {
    name: source.name,
    config,
    weights,
    generation: generationOf(vocabulary, endOfTurn(metadata, length)),
    tokenizerConfig: tokenizerConfigOf(vocabulary),
    ...(tokenizerOf !== undefined && convert(vocabulary, { tokenizerOf, file: source.name })),
  };
}

/** The configuration with the scaling that the file's divisors of frequencies stand for. */
async function scaleRope(
  source: ByteSource,
  { metadata, tensors }: GgufHeader,
  config: ModelConfig,
): Promise<ModelConfig> {
  const tensor = tensors.get(ROPE_FREQS);
  if (tensor === undefined) return config;
  const fail = (rule: string, got: string): never => {
    throw new SyntaxError(
      `Cannot read "${metadata.file}": tensor "${ROPE_FREQS}" ${rule}, got ${got}`,
    );
  };
  const { dtype, shape } = tensor;
  if (dtype !== "F32" || shape.length !== 1 || shape[0] !== config.headDim / 2) {
    fail(`must have shape [${config.headDim / 2}] F32`, `[${shape.join(", ")}] ${dtype}`);
  }
  if (config.position !== "rotary" || config.ropeScaling !== null) {
    fail("must be absent from a model without rotary positions, or scaled in another way", "both");
  }
  const bytes = await source.read(tensor.begin, tensor.end);
  const scaling = scalingOfDivisors(toFloat32({ dtype, shape, bytes }), config);
  if (scaling !== undefined) return { ...config, ropeScaling: scaling };
  return fail("must hold the divisors of Llama 3's scaling", "others");
}

/** Every weight of the model, in its order; checks that the file has all of them and no others. */
function placeWeights(
  source: ByteSource,
  { tensors }: GgufHeader,
  model: { readonly config: ModelConfig; readonly architecture: Architecture },
): Map<string, StoredWeight> {
  const weights = new Map<string, StoredWeight>();
  const used = new Set([ROPE_FREQS]);
  for (const place of weightPlaces(model.config, model.architecture)) {
    const tensor = tensors.get(place.tensor);
    if (tensor === undefined || !isSameShape(tensor.shape, place.tensorShape)) {
      const got = tensor === undefined ? "none" : `[${tensor.shape.join(", ")}]`;
      throw new SyntaxError(
        `Cannot read "${source.name}": tensor "${place.tensor}" must have shape ` +
          `[${place.tensorShape.join(", ")}] in this ${model.architecture} model, got ${got}`,
      );
    }
    if (place.shape.length === 1 && !isFloatDtype(tensor.dtype)) {
      throw new SyntaxError(
        `Cannot read "${source.name}": tensor "${place.tensor}" must be F32, F16 or BF16, ` +
          `as vectors are, got ${tensor.dtype}`,
      );
    }
    used.add(place.tensor);
    weights.set(place.label, storedWeight(source, tensor, place));
  }
  for (const name of tensors.keys()) {
    if (used.has(name) || DERIVED.test(name)) continue;
    throw new SyntaxError(
      `Cannot read "${source.name}": tensors must be weights of its ${model.architecture} model, got ${quote(name)}`,
    );
  }
  return weights;
}

function storedWeight(source: ByteSource, tensor: GgufTensor, place: WeightPlace): StoredWeight {
  const { shape, firstRow, permutedHeads: heads } = place;
  const { dtype } = tensor;
  const rowBytes = encodedBytes(dtype, shape.slice(1));
  const begin = tensor.begin + firstRow * rowBytes;
  return {
    dtype,
    shape,
    async read() {
      const rows = await source.read(begin, begin + shape[0]! * rowBytes);
      const bytes = heads === undefined ? rows : reorderRows(rows, "half", { heads, rowBytes });
      return { dtype, shape, bytes };
    },
  };
}

/** Whether shapes are the same but for leading axes of length 1, which ggml does not count. */
function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  const plain = (shape: readonly number[]): string => shape.join().replace(/^(1,)+/, "");
  return plain(a) === plain(b);
}

function generationOf({ bosId, eosId }: GgufVocabulary, eotId: number | undefined): Generation {
  const ends = [eosId, eotId].filter((id) => id !== undefined);
  return { ...(bosId !== undefined && { beginToken: bosId }), endTokens: [...new Set(ends)] };
}

function tokenizerConfigOf(vocabulary: GgufVocabulary): JsonObject {
  const { tokens, bosId, eosId, unkId, padId, addBos, addEos, chatTemplate } = vocabulary;
  const token = (key: string, id: number | undefined): JsonObject =>
    id === undefined ? {} : { [key]: tokens[id]! };
  return {
    ...token("bos_token", bosId),
    ...token("eos_token", eosId),
    ...token("unk_token", unkId),
    ...token("pad_token", padId),
    ...(addBos !== undefined && { add_bos_token: addBos }),
    ...(addEos !== undefined && { add_eos_token: addEos }),
    ...(chatTemplate !== undefined && { chat_template: chatTemplate }),
  };
}

/** The tokenizer, or why it is left out: the model can be used with another. */
function convert(
  vocabulary: GgufVocabulary,
  { tokenizerOf, file }: Required<GgufOptions> & { readonly file: string },
): Pick<StoredModel, "tokenizer" | "tokenizerProblem"> {
  try {
    return { tokenizer: tokenizerOf(vocabulary) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { tokenizerProblem: `Cannot read "${file}": ${error.message}` };
  }
}
