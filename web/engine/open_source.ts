import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import { DEFAULT_WORDING, type Wording } from "../../data/wording.ts";
import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { readWording } from "../../model/checkpoint/wording_file.ts";
import { tokenizerOfModel } from "../../model/pretrained/model_tokenizer.ts";
import type { LoadOptions, ModelSource } from "./api.ts";
import { checkedFiles } from "./checked_files.ts";
import { filesOf, type FilesOptions, type ModelFiles } from "./model_files.ts";
import { findModel, type ModelPlace } from "./model_place.ts";

/** A model whose files are open, its weights yet to be read. */
export interface OpenedModel {
  readonly name: string;
  readonly stored: StoredModel;
  readonly tokenizer: Tokenizer;
  readonly wording: Wording;
  readonly isWordingKnown: boolean;
  /** Lets others remove its files, which may not be read any more. */
  release(): void;
}

/**
 * Opens the files of a model, checked against its manifest where it has one.
 *
 * @throws {EngineError} If there is no model, or a file is not as it was saved.
 * @throws {SyntaxError} If a file is malformed, or of a kind that is not supported.
 * @throws {RangeError} If sizes do not fit together.
 */
export async function openSource(
  source: ModelSource,
  options: Pick<LoadOptions, "wording"> & FilesOptions,
): Promise<OpenedModel> {
  const found = await filesOf(source, options);
  const release = () => found.release?.();
  try {
    return { ...(await openFound(found, options)), release };
  } catch (error) {
    release();
    throw error;
  }
}

async function openFound(
  found: ModelFiles,
  options: Pick<LoadOptions, "wording"> & FilesOptions,
): Promise<Omit<OpenedModel, "release">> {
  const place = await findModel(found);
  const files = await checkedFiles(place.files, options);
  const checked = { ...place, files };
  const stored = place.single === undefined ? await openWhole(files) : await openSingle(checked);
  const tokenizer = tokenizerOfModel({ ...stored, name: place.name });
  const known = await readWording(files);
  return {
    name: place.name,
    stored: { ...stored, name: place.name },
    tokenizer,
    wording: known ?? { ...DEFAULT_WORDING, ...options.wording },
    isWordingKnown: known !== undefined,
  };
}

// What few models need comes when it is needed: every byte counts before the first prediction.

async function openWhole(files: FileSet): Promise<StoredModel> {
  const stored = await storedHuggingFaceModel(files);
  if (stored.tokenizer !== undefined) return stored;
  const { openFolder } = await import("../../model/pretrained/open_model.ts");
  return openFolder(files); // looks for a tokenizer of another kind
}

async function openSingle({ files, single, tokenizer }: ModelPlace): Promise<StoredModel> {
  const { openFile } = await import("../../model/pretrained/open_model.ts");
  const source = (await files.open(single!))!;
  return openFile(source, tokenizer === undefined ? undefined : await files.open(tokenizer));
}
