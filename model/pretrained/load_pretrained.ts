import { chatTemplateOf } from "../../data/chat_template.ts";
import { Gpu } from "../../engine/gpu.ts";
import type { FileSet } from "../checkpoint/byte_source.ts";
import type { StoredModel } from "../checkpoint/stored_model.ts";
import { TextModel } from "./text_model.ts";
import {
  type FileLike,
  fileListSet,
  fileSource,
  topFiles,
  urlFolder,
  type UrlOptions,
  urlSource,
} from "./file_sets.ts";
import { loadTransformer, type LoadOptions } from "./load_transformer.ts";
import { tokenizerOfModel } from "./model_tokenizer.ts";
import { openFile, openFolder } from "./open_model.ts";
import { isModelFile, isTokenizerOf, singleModel } from "./single_file.ts";

export { tokenizerOfModel } from "./model_tokenizer.ts";

/**
 * Where a model comes from: files that a person chose, a URL (of a folder in Hugging Face's
 * layout, or of a GGUF file), files of any other kind by name, or a model that is open already.
 */
export type PretrainedSource = string | URL | readonly FileLike[] | FileSet | StoredModel;

/** Options of {@linkcode loadPretrained}. */
export interface LoadPretrainedOptions extends LoadOptions, UrlOptions {
  /** Where to load it. @default {the device of `navigator.gpu`} */
  readonly gpu?: Gpu;
}

/**
 * Loads a model with its tokenizer, ready to generate, score and embed.
 *
 * @param source Files or a URL. Nothing is sent anywhere but requests for the URL's files.
 * @param options Where to, and how weights are held.
 * @throws {SyntaxError} If a file is missing, malformed or of a kind that is not supported.
 * @throws {RangeError} If the model does not fit the device, with the estimate where its memory is
 *   known (`GpuOptions.maxMemoryBytes`), and else as soon as the device says so.
 *
 * @example
 * ```ts ignore
 * const model = await loadPretrained(input.files, { dtype: "int8" });
 * for await (const text of model.generate("Once upon a time")) document.body.append(text);
 * ```
 */
export async function loadPretrained(
  source: PretrainedSource,
  options: LoadPretrainedOptions = {},
): Promise<TextModel> {
  const stored = await openPretrained(source, options);
  const tokenizer = tokenizerOfModel(stored);
  const gpu = options.gpu ?? (await openOwnGpu());
  const transformer = await loadTransformer(gpu, stored, options);
  const { generation, tokenizerConfig } = stored;
  const chatTemplate = chatTemplateOf(tokenizerConfig ?? {});
  return new TextModel({
    gpu,
    transformer,
    tokenizer,
    ...(generation !== undefined && { generation }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  });
}

/**
 * Opens a model's files and checks them, without loading the weights.
 *
 * @throws {SyntaxError} If a file is missing, malformed or of a kind that is not supported.
 */
export async function openPretrained(
  source: PretrainedSource,
  options: UrlOptions = {},
): Promise<StoredModel> {
  if (typeof source === "string" || source instanceof URL) return openUrl(String(source), options);
  if ("weights" in source) return source;
  if ("open" in source) return openFolder(source);
  const files = topFiles(source);
  const single = singleModel([...files.keys()]);
  if (single === undefined) return openFolder(fileListSet(source));
  const tokenizer = [...files.keys()].find(
    (name) => name !== single && isTokenizerOf(name, single),
  );
  const pieces = tokenizer === undefined ? undefined : fileSource(files.get(tokenizer)!);
  return openFile(fileSource(files.get(single)!), pieces);
}

async function openUrl(url: string, options: UrlOptions): Promise<StoredModel> {
  const name = new URL(url).pathname.split("/").pop() ?? "";
  if (!isModelFile(name)) return openFolder(urlFolder(url, options));
  const source = await urlSource(url, options);
  if (source !== undefined) return openFile(source);
  throw new SyntaxError(`Cannot read "${url}": it must be there, got 404`);
}

async function openOwnGpu(): Promise<Gpu> {
  const entry = typeof navigator === "undefined" ? undefined : navigator.gpu;
  const adapter = await entry?.requestAdapter({ powerPreference: "high-performance" });
  if (adapter !== null && adapter !== undefined) return Gpu.open(adapter);
  throw new TypeError(
    "Cannot load a model: this runtime must offer WebGPU, got no adapter; pass a gpu, or use a browser with WebGPU",
  );
}
