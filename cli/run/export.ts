import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Wording } from "../../data/wording.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { modelTypeOf } from "../../model/checkpoint/config_json.ts";
import {
  type ExportedFile,
  exportHuggingFace,
} from "../../model/checkpoint/export_hugging_face.ts";
import {
  decodeFloats,
  type FloatDtype,
  isFloatDtype,
} from "../../model/checkpoint/float_conversion.ts";
import { encodeGguf, type GgufOutputType } from "../../model/checkpoint/gguf/encode.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { openTrainerRecord, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import type { StoredModel, WeightDtype } from "../../model/checkpoint/stored_model.ts";
import { wordingFile } from "../../model/checkpoint/wording_file.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import { mergedModel } from "../../model/lora/merge.ts";
import { type PeftAdapter, readPeft, readPeftConfig } from "../../model/lora/read_peft.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { folderFiles, withPath } from "../platform/file_source.ts";
import { findModelPlace, isPartlyIn, isWithin, realPathOf } from "../platform/model_place.ts";
import {
  checkNewFolder,
  type NewFile,
  type ReplaceOptions,
  writeFolder,
} from "../platform/new_folder.ts";
import { baseOfState, reopenBaseModel } from "./base_model.ts";
import type { ExportDtype, ExportFormat } from "./choices.ts";
import { generationOf, tokenizerConfigOf, vocabularyOf } from "./export_tokenizer.ts";
import { wordingOfPath } from "./export_wording.ts";
import { formatBytes } from "./format.ts";
import { openModel } from "./load_model.ts";
import type { Progress } from "./progress.ts";
import { adapterFolder } from "../platform/model_folder.ts";
import { holds } from "./run_folder.ts";

/** What `tenure export` is asked to do. */
export interface ExportRequest {
  /** A model wherever it lies, or the folder of an adapter, which names its own. */
  readonly model: string;
  /** A tokenizer in place of the model's own. */
  readonly tokenizer?: string;
  /** Branch, tag or commit of a model in the cache. */
  readonly revision?: string;
  readonly folder: string;
  readonly format: ExportFormat;
  /** By default as the weights are, f16 if they are quantized. */
  readonly dtype?: ExportDtype;
  /** Folder of an adapter: written alone, or merged. */
  readonly adapter?: string;
  readonly merge: boolean;
  readonly maxShardBytes?: number;
  readonly withTokenizer: boolean;
  readonly overwrite: boolean;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** What `tenure export` has written. */
export interface ExportSummary {
  readonly folder: string;
  readonly kind: "model" | "adapter" | "gguf";
  readonly dtype: ExportDtype;
  /** The model's family, as other programs call it. */
  readonly family: string;
  /** The model that an adapter belongs to. */
  readonly base?: string;
  readonly hasTokenizer: boolean;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** A model, and perhaps an adapter of it. */
interface Source {
  readonly path: string;
  readonly revision?: string;
  readonly stored: StoredModel;
  readonly adapter?: PeftAdapter;
  /** How the careers were worded that it learned from. */
  readonly wording?: Wording;
}

/** Files to write, and what is said of them. */
interface Writing extends Omit<ExportSummary, "folder" | "files"> {
  readonly files: readonly (Pick<ExportedFile, "name" | "chunks"> & { readonly size?: number })[];
}

/** What an export leaves in a folder, GGUF files aside. */
const EXPORTED =
  /^((config|generation_config|tokenizer|tokenizer_config|tenure|adapter_config|model\.safetensors\.index)\.json|(model(-\d{5}-of-\d{5})?|adapter_model)\.safetensors)$/;

const ADAPTER_FILE = "adapter_config.json";

const FLOATS: Readonly<Record<Exclude<ExportDtype, "q8_0">, FloatDtype>> = {
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
};

/**
 * Writes a model for other programs, tensor by tensor: Hugging Face's layout, a GGUF file, or an
 * adapter as PEFT's. The folder appears whole or not at all.
 *
 * @throws {CliError} With exit code 2 if flags do not go together or the folder is in use, exit
 *   code 5 if the model cannot be read, or be written so, exit code 1 if the disk fails.
 */
export async function exportModel(request: ExportRequest): Promise<ExportSummary> {
  checkFlags(request);
  const source = await openSource(request);
  const { files, ...said } = await failingAs(EXIT.checkpoint, () => filesOf(source, request));
  await checkApart(source, request);
  const names = new Set(files.flatMap(({ name }) => [name, ...otherTypes(name)]));
  const options: ReplaceOptions = {
    overwrite: request.overwrite,
    isReplaceable: (name) => EXPORTED.test(name) || names.has(name),
  };
  await checkNewFolder(request.folder, options);
  const written = new Map<string, number>();
  const total = files.reduce((sum, { size }) => sum + (size ?? Number.NaN), 0);
  const counted = files.map(({ name, chunks }): NewFile => {
    return { name, chunks: countBytes({ name, chunks }, { written, total, request }) };
  });
  await writeFolder(request.folder, counted, options);
  request.progress.clear();
  return {
    folder: request.folder,
    ...said,
    files: Array.from(written, ([name, bytes]) => ({ name, bytes })),
  };
}

function checkFlags({ format, dtype, adapter, merge, maxShardBytes }: ExportRequest): void {
  const fail = (rule: string, got: string): never => {
    throw new CliError(EXIT.usage, `Cannot export: ${rule}, got ${got}`);
  };
  if (format === "gguf") {
    if (dtype === "bf16") fail("--dtype of GGUF must be f32, f16 or q8_0", "bf16");
    if (maxShardBytes !== undefined) fail("GGUF must be one file", "--max-shard-bytes");
    if (adapter !== undefined && !merge) {
      fail("an adapter must be merged to become GGUF", "--adapter without --merge");
    }
  } else if (dtype === "q8_0") {
    fail("--dtype of safetensors must be f32, f16 or bf16", "q8_0; use --format gguf");
  }
}

/** Refuses a folder whose replacement could take away, or change, what is read. */
async function checkApart(opened: Source, request: ExportRequest): Promise<void> {
  const { path, revision = request.revision } = opened;
  const { model, adapter, tokenizer, folder } = request;
  const out = await realPathOf(folder);
  for (const source of new Set([model, path, adapter, tokenizer])) {
    const place = source === undefined ? undefined : await findModelPlace(source, revision);
    if (place === undefined) continue;
    if (!isPartlyIn(place, out) && !(place.isFolder && isWithin(out, place.path))) continue;
    throw new CliError(
      EXIT.usage,
      `Cannot write "${folder}": the folder must lie apart from what is exported, got "${source}"; name another with -o`,
    );
  }
}

/** Names that a GGUF file of this name would have with weights of any type. */
function otherTypes(name: string): string[] {
  const stem = /^(.*)-(?:F32|F16|Q8_0)\.gguf$/.exec(name)?.[1];
  return stem === undefined ? [] : ["F32", "F16", "Q8_0"].map((type) => `${stem}-${type}.gguf`);
}

/** Opens the model, and the adapter, which may itself be what was named. */
async function openSource(request: ExportRequest): Promise<Source> {
  const { model, merge, format } = request;
  const own = request.adapter === undefined ? await adapterFolder(model) : undefined;
  const folder = request.adapter && ((await adapterFolder(request.adapter)) ?? request.adapter);
  const adapterPath = own ?? folder;
  if (adapterPath === undefined && merge) {
    throw new CliError(
      EXIT.usage,
      "Cannot export: --merge must come with an adapter, got none; name it with --adapter <folder>",
    );
  }
  if (own !== undefined && format === "gguf" && !merge) {
    throw new CliError(
      EXIT.usage,
      `Cannot export: an adapter must be merged to become GGUF, got "${model}" without --merge`,
    );
  }
  if (adapterPath === undefined) {
    const stored = await openModel({ ...request, path: model });
    return { path: model, stored, ...(await worded(model, request.revision)) };
  }
  const { path, revision } = await baseOf(adapterPath, request, own === undefined);
  const options = revision === undefined ? {} : { revision };
  if (merge) await checkBase(adapterPath, { given: path, ...options });
  const stored = await openModel({ ...request, ...options, path });
  const read = () => readPeft(folderFiles(adapterPath), stored.config);
  const adapter = await withPath(adapterPath, read);
  return { path, ...options, stored, adapter, ...(await worded(adapterPath)) };
}

async function worded(path: string, revision?: string): Promise<Pick<Source, "wording">> {
  const wording = await wordingOfPath(path, revision);
  return wording === undefined ? {} : { wording };
}

/** The model beneath an adapter: the one named, or that of its configuration, at its revision. */
async function baseOf(
  adapter: string,
  { model, revision }: ExportRequest,
  isNamed: boolean,
): Promise<{ readonly path: string; readonly revision?: string }> {
  const read = () => readPeftConfig(folderFiles(adapter));
  const own = await withPath(adapter, read);
  const path = isNamed ? model : own.baseModel;
  if (path === undefined) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot export "${adapter}": its ${ADAPTER_FILE} must name the model beneath, got none; use tenure export <model> --adapter "${adapter}"`,
    );
  }
  // A model that lies on this disk has no revisions to choose from.
  const isOnHub = path === own.baseModel && !existsSync(path);
  const at = revision ?? (isOnHub ? own.revision : undefined);
  return { path, ...(at !== undefined && { revision: at }) };
}

/** Checks that the model beneath a checkpoint of ours is the one that it was trained on. */
async function checkBase(
  adapter: string,
  options: { readonly given: string; readonly revision?: string },
): Promise<void> {
  if (!(await holds(adapter, TRAINER_FILE))) return;
  const base = await withPath(adapter, async () => {
    const { state } = await openTrainerRecord(folderFiles(adapter));
    return baseOfState(state, join(adapter, TRAINER_FILE));
  });
  if (base === undefined) return;
  const remedy = `name it as in tenure export <model> --adapter "${adapter}" --merge`;
  await reopenBaseModel(base, { ...options, checkpoint: adapter, remedy });
}

function filesOf({ path, stored, adapter, wording }: Source, request: ExportRequest): Writing {
  const own = dtypeOf(stored);
  const family = modelTypeOf(stored.config);
  if (adapter !== undefined && !request.merge) {
    const dtype = (request.dtype ?? "f32") as keyof typeof FLOATS;
    const { baseModel = path, revision } = adapter;
    const files = exportPeft(stored.config, adapter, {
      dtype: FLOATS[dtype],
      baseModel,
      ...(revision !== undefined && { revision }),
    });
    return { kind: "adapter", dtype, family, base: baseModel, hasTokenizer: false, files };
  }
  const { tokenizer: _, tokenizerConfig: __, ...bare } = stored;
  const kept: StoredModel = request.withTokenizer ? stored : bare;
  const whole = adapter === undefined ? kept : mergedModel(kept, adapter);
  const hasTokenizer = whole.tokenizer !== undefined;
  const told = wording === undefined ? [] : [wordingFile(wording)];
  if (request.format === "gguf") {
    const dtype = request.dtype ?? (own === "bf16" ? "f16" : own);
    const files = [
      ...told,
      ggufFile(whole, { dtype: dtype as "f32" | "f16" | "q8_0", path: request.model }),
    ];
    return { kind: "gguf", dtype, family, hasTokenizer, files };
  }
  const dtype = (request.dtype ?? (own === "q8_0" ? "f16" : own)) as keyof typeof FLOATS;
  const files = [...told, ...modelFiles(whole, FLOATS[dtype], request)];
  return { kind: "model", dtype, family, hasTokenizer, files };
}

function modelFiles(
  stored: StoredModel,
  dtype: FloatDtype,
  { maxShardBytes }: ExportRequest,
): ExportedFile[] {
  const { config, tokenizer } = stored;
  const generation = generationOf(stored);
  const tokenizerConfig = tokenizerConfigOf(stored);
  return exportHuggingFace({
    config,
    weights: readerOf(stored),
    dtype,
    ...(maxShardBytes !== undefined && { maxShardBytes }),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(tokenizerConfig !== undefined && { tokenizerConfig }),
    ...(generation !== undefined && { generation }),
  });
}

function ggufFile(
  stored: StoredModel,
  { dtype, path }: { readonly dtype: "f32" | "f16" | "q8_0"; readonly path: string },
): Writing["files"][number] {
  const type = dtype.toUpperCase() as GgufOutputType;
  const stem = basename(resolve(path)).replace(/\.(gguf|bin)$/i, "");
  const name = stem.replaceAll(/[^\w.-]+/g, "-").replace(/^[.-]+/, "") || "model";
  const vocabulary = vocabularyOf(stored);
  const chunks = encodeGguf({
    config: stored.config,
    weights: readerOf(stored),
    type,
    name,
    ...(vocabulary !== undefined && { vocabulary }),
  });
  return { name: `${name}-${type}.gguf`, chunks };
}

/** Reads weights as f32, those of the file's own floats without a copy. */
function readerOf({ weights }: StoredModel): (label: string) => Promise<Float32Array<ArrayBuffer>> {
  return (label) =>
    failingAs(EXIT.checkpoint, async () => {
      const weight = await weights.get(label)!.read();
      const { dtype, bytes } = weight;
      return isFloatDtype(dtype) ? decodeFloats(bytes, dtype) : toFloat32(weight);
    });
}

/** How most values of a model's matrices are stored; of other blocks, f16 holds most. */
function dtypeOf({ weights }: StoredModel): ExportDtype {
  const counts = new Map<WeightDtype, number>();
  for (const { dtype, shape } of weights.values()) {
    if (shape.length > 1) counts.set(dtype, (counts.get(dtype) ?? 0) + sizeOf(shape));
  }
  const [[most] = ["F32"]] = [...counts].toSorted(([, a], [, b]) => b - a);
  const known = { F32: "f32", F16: "f16", BF16: "bf16", Q8_0: "q8_0" } as const;
  return most in known ? known[most as keyof typeof known] : "f16";
}

/** The chunks of a file, counted and shown as they pass; stops between two of them. */
async function* countBytes(
  { name, chunks }: Writing["files"][number],
  {
    written,
    total,
    request: { progress, signal },
  }: { written: Map<string, number>; total: number; request: ExportRequest },
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0;
  written.set(name, 0);
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      yield chunk;
      written.set(name, (bytes += chunk.length));
      const sum = [...written.values()].reduce((a, b) => a + b, 0);
      const of = Number.isNaN(total) ? "" : ` of ${formatBytes(total)}`;
      progress.update(() => `writing ${name}: ${formatBytes(sum)}${of}`);
    }
  } catch (error) {
    // What a weight or the type of the file cannot hold is the model's fault.
    if (error instanceof RangeError || error instanceof SyntaxError) {
      throw new CliError(EXIT.checkpoint, error.message, { cause: error });
    }
    throw error;
  }
}
