import { Embedder, type EmbedOptions } from "../../model/generate/embed.ts";
import type { TextModel } from "../../model/pretrained/text_model.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { type ModelRequest, promptTokens, withModel } from "./load_model.ts";
import { Rate } from "./rate.ts";
import {
  groupsOf,
  idField,
  isJsonLines,
  jsonFields,
  type Located,
  openRecords,
  type RecordId,
  type Records,
  recordsOf,
  textField,
} from "./records.ts";

/** A text, and what it is called. */
export interface NamedText {
  readonly id?: RecordId;
  readonly text: string;
}

/** Texts on the command line, or in a file (`"-"` for stdin). */
export type TextSource = { readonly texts: readonly string[] } | { readonly file: string };

/** What `tenure embed` is asked to do. */
export interface EmbedRequest extends ModelRequest, EmbedOptions {
  readonly input: TextSource;
}

/** A text with its vector. */
export interface EmbeddedText extends NamedText {
  /** Line of the text, from 1. */
  readonly line: number;
  /** `[dModel]` */
  readonly vector: Float32Array;
}

/** What is known before the first vector. */
export interface EmbeddingInfo {
  /** Vectors that come. */
  readonly count: number;
  readonly dModel: number;
  readonly model: string;
  readonly layer: number;
  readonly pooling: "last" | "mean";
  /** Ids in order, if a text has one; null for those that have none. */
  readonly ids?: readonly (RecordId | null)[];
}

/** Takes vectors as they come; what it returns is the result. */
export type VectorSink<T> = (
  info: EmbeddingInfo,
  vectors: AsyncGenerator<EmbeddedText, void, undefined>,
) => Promise<T>;

/** Texts whose tokens are in memory at a time. */
const GROUP_SIZE = 64;

/**
 * Turns texts into vectors: hidden states of a layer, of the last token or their mean.
 *
 * The form of a file is checked as a whole before the model is loaded, lengths when their turn
 * comes; memory holds a few of its lines.
 *
 * @param request Which texts, and which states.
 * @param sink Where the vectors go.
 * @throws {CliError} With exit code 3 if a text is empty or too long for the model, naming its
 *   line; exit code 2 if the model has no such layer; exit code 5 if it is not to be had;
 *   exit code 4 if the device fails or lacks memory.
 */
export async function embed<T>(request: EmbedRequest, sink: VectorSink<T>): Promise<T> {
  const ids: (RecordId | null)[] = [];
  const texts = await openTexts(request.input, (id) => ids.push(id));
  if (texts.count === 0) {
    throw new CliError(EXIT.data, "Cannot embed: there must be at least one text, got none");
  }
  const { path, layer, pooling = "last" } = request;
  return withModel(request, {
    check: ({ config }) => checkLayer(config, layer),
    run: ({ model }) => {
      const { dModel, numBlocks } = model.transformer.config;
      const info = {
        count: texts.count,
        dModel,
        model: path,
        layer: layer ?? numBlocks,
        pooling,
        ...(ids.some((id) => id !== null) && { ids }),
      };
      return sink(info, vectorsOf(model, texts, request));
    },
  });
}

async function openTexts(
  input: TextSource,
  visit: (id: RecordId | null) => void,
): Promise<Records<NamedText>> {
  if ("texts" in input) {
    return recordsOf(
      input.texts.map((text, index) => ({
        value: { text },
        line: index + 1,
        place: `text ${index + 1}`,
      })),
    );
  }
  const isJson = isJsonLines(input.file);
  return openRecords<NamedText>(input.file, {
    blank: isJson ? "skip" : "keep",
    visit: ({ value }) => visit(value.id ?? null),
    parse: (line, file) => {
      if (!isJson) return { text: line.text };
      const fields = jsonFields(line, file, ["id", "text"]);
      const place = { file, line: line.line };
      return { ...idField(fields, place), text: textField(fields, "text", place) };
    },
  });
}

function checkLayer({ numBlocks }: ModelConfig, layer: number | undefined): void {
  if (layer === undefined || layer <= numBlocks) return;
  throw new CliError(
    EXIT.usage,
    `Cannot embed: --layer must be from 0 (token embeddings) to ${numBlocks} (after the last block and the final norm) for this model, got ${layer}`,
  );
}

async function* vectorsOf(
  model: TextModel,
  texts: Records<NamedText>,
  { layer, pooling = "last", progress, signal }: EmbedRequest,
): AsyncGenerator<EmbeddedText, void, undefined> {
  const options = { pooling, ...(layer !== undefined && { layer }) };
  const make = () => new Embedder(model.gpu, model.transformer, options);
  const embedder = await failingAs(EXIT.device, make);
  const rate = new Rate(texts.count, "texts");
  try {
    for await (const group of groupsOf(texts.read(), GROUP_SIZE)) {
      signal?.throwIfAborted();
      const tokens = group.map((text) => tokensOf(model, text));
      const vectors = await failingAs(EXIT.device, () => embedAll(embedder, tokens));
      for (const [index, { value, line }] of group.entries()) {
        yield { ...value, line, vector: vectors[index]! };
      }
      rate.add(group.length);
      progress.update(() => rate.text());
    }
  } finally {
    progress.clear();
    embedder.destroy();
  }
}

async function embedAll(
  embedder: Embedder,
  tokens: readonly Uint32Array[],
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for await (const vector of embedder.embed(tokens)) vectors.push(vector);
  return vectors;
}

function tokensOf(model: TextModel, { value, place }: Located<NamedText>): Uint32Array {
  const tokens = promptTokens(model, value.text);
  const { maxSeqLen } = model.transformer.config;
  if (tokens.length > 0 && tokens.length <= maxSeqLen) return tokens;
  const remedy = tokens.length === 0 ? "leave it out" : "shorten it, or embed it in parts";
  throw new CliError(
    EXIT.data,
    `Cannot embed ${place}: a text must have 1 to ${maxSeqLen} tokens for this model, got ${tokens.length}; ${remedy}`,
  );
}
