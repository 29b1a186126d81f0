import { chatTemplateOf } from "../../data/chat_template.ts";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { WeightDType } from "../../engine/pack.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { attachLora, type LoraAdapter } from "../../model/lora/adapter.ts";
import { readPeft } from "../../model/lora/read_peft.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { TextModel } from "../../model/pretrained/text_model.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { withPath } from "../platform/file_source.ts";
import { adapterFolder, folderFiles, openModelPath } from "../platform/model_folder.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import type { Kernels } from "./choices.ts";
import { type DeviceChoice, withDevice } from "./device.ts";
import { formatBytes } from "./format.ts";
import type { Progress } from "./progress.ts";

/** Which model to load, and how. */
export interface ModelRequest {
  /** A folder, a run, a file, a URL, or `org/name` in the cache. */
  readonly path: string;
  readonly dtype: WeightDType;
  readonly kernels: Kernels;
  /** How the device is opened. */
  readonly device?: DeviceChoice;
  /** A `tokenizer.json` in place of the model's own, or llama2.c's `tokenizer.bin`. */
  readonly tokenizer?: string;
  /** Branch, tag or commit of a model in the cache. */
  readonly revision?: string;
  /** Folder of a LoRA adapter that PEFT, or this program, has saved, or a run that trained one. */
  readonly adapter?: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** A model on a device. */
export interface LoadedModel {
  readonly model: TextModel;
  /** Time that the weights took from the disk to the device. */
  readonly loadMs: number;
}

/** Work with a model, and what can be checked before its weights are read. */
export interface ModelWork<T> {
  /** Refuses what the model cannot do. */
  readonly check?: (stored: StoredModel) => void | Promise<void>;
  readonly run: (loaded: LoadedModel) => Promise<T>;
}

/**
 * Loads a model, says so on stderr, and does some work with it.
 *
 * @throws {CliError} With exit code 5 if the model is not there, malformed or without a tokenizer;
 *   exit code 4 if the device cannot hold it, or its adapter.
 */
export async function withModel<T>(request: ModelRequest, work: ModelWork<T>): Promise<T> {
  const stored = await openModel(request);
  const tokenizer = await failingAs(EXIT.checkpoint, () => tokenizerOf(stored));
  await work.check?.(stored);
  const adapter = await openAdapter(request, stored);
  const run = async (gpu: Gpu) => {
    const begin = performance.now();
    const base = await failingAs(EXIT.device, () => loadWeights(gpu, stored, request));
    const transformer =
      adapter === undefined
        ? base
        : await failingAs(EXIT.device, () =>
            attachLora(gpu, base, adapter.config, { values: adapter.values }),
          );
    const loadMs = performance.now() - begin;
    const millions = (transformer.numParameters / 1e6).toPrecision(3);
    const adapted = request.adapter === undefined ? "" : ` with the adapter ${request.adapter}`;
    request.progress.line(
      `${request.path}${adapted}: ${millions} M weights as ${request.dtype}, loaded in ${(loadMs / 1000).toFixed(2)} s`,
    );
    const { generation, tokenizerConfig = {} } = stored;
    const chatTemplate = await failingAs(EXIT.checkpoint, () => chatTemplateOf(tokenizerConfig));
    const model = new TextModel({
      gpu,
      transformer,
      tokenizer,
      ...(generation !== undefined && { generation }),
      ...(chatTemplate !== undefined && { chatTemplate }),
    });
    try {
      return await work.run({ model, loadMs });
    } finally {
      model.destroy();
    }
  };
  return withDevice(request.kernels, run, request.device);
}

/** The adapter, checked against the model before its weights are read. */
async function openAdapter(
  { adapter }: ModelRequest,
  { config }: StoredModel,
): Promise<LoraAdapter | undefined> {
  if (adapter === undefined) return undefined;
  const folder = (await adapterFolder(adapter)) ?? adapter;
  return withPath(folder, () => readPeft(folderFiles(folder), config));
}

function loadWeights(
  gpu: Gpu,
  stored: StoredModel,
  { dtype, progress, signal }: ModelRequest,
): Promise<Transformer> {
  return loadTransformer(gpu, weightsOfFiles(stored), {
    dtype,
    ...(signal !== undefined && { signal }),
    onProgress: ({ loadedBytes, totalBytes }) =>
      progress.update(
        () => `loading ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)} as ${dtype}`,
      ),
  });
}

/**
 * Opens a model, with another tokenizer than its own if one is named.
 *
 * @throws {CliError} With exit code 5 if the model or the tokenizer is not there or malformed.
 */
export async function openModel({
  path,
  tokenizer,
  revision,
}: Pick<ModelRequest, "path" | "tokenizer" | "revision">): Promise<StoredModel> {
  return openModelPath(path, {
    ...(tokenizer !== undefined && { tokenizer }),
    ...(revision !== undefined && { revision }),
  });
}

/** The tokenizer, or what to do where there is none. */
function tokenizerOf(stored: StoredModel): Tokenizer {
  if (stored.tokenizer !== undefined) return tokenizerOfModel(stored);
  const { name, tokenizerProblem: reason } = stored;
  const got = reason === undefined ? "none" : `none that can be taken: ${reason}`;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot use "${name}": it must have a tokenizer, got ${got}; name one with --tokenizer <tokenizer.json, or llama2.c's tokenizer.bin>`,
  );
}

/** The same model; what is wrong with its files is no fault of the device. */
function weightsOfFiles(stored: StoredModel): StoredModel {
  const weights = Array.from(stored.weights, ([label, weight]) => {
    const read = () => failingAs(EXIT.checkpoint, () => weight.read());
    return [label, { ...weight, read }] as const;
  });
  return { ...stored, weights: new Map(weights) };
}

/** Tokens of a text as a prompt; those of an empty one are the token that begins a document. */
export function promptTokens(model: TextModel, text: string): Uint32Array {
  const tokens = model.encode(text);
  const { beginId } = model.tokenizer;
  return tokens.length === 0 && beginId !== undefined ? Uint32Array.of(beginId) : tokens;
}
