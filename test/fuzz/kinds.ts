import { existsSync } from "node:fs";
import { readLlama2cVocabulary } from "../../data/tokenizer/llama2c.ts";
import { readSentencePiece } from "../../data/tokenizer/sentencepiece.ts";
import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import type { ByteSource, FileSet } from "../../model/checkpoint/byte_source.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import { parseJsonObject } from "../../model/checkpoint/strict_json.ts";
import { openFile, openFolder } from "../../model/pretrained/open_model.ts";
import { fixture, fixturePath } from "../data/fixtures.ts";
import type { Files } from "../checkpoint/memory_files.ts";
import { type Bytes, HEADER_TEXT, type TextPart, WHOLE_TEXT } from "./changes.ts";
import { checkModel, checkSafetensors, checkTokenizer } from "./check.ts";
import {
  folders,
  ggufFiles,
  jsonTokenizers,
  llama2cFiles,
  sentencePieceFiles,
  tokenizerBins,
} from "./corpus.ts";

/** Loads files through a folder that counts what is read; their content is there to compare. */
export type Load = (folder: FileSet, files: Files) => Promise<void>;

/** A kind of files to damage. */
export interface Kind {
  /** Intact files, small, and some large ones where the fixtures are there. */
  readonly corpus: () => Promise<Corpus>;
  /** Files that are damaged; all if absent. */
  readonly isTarget?: (name: string) => boolean;
  /** Loads files and checks all that came of them; throws what the readers throw. */
  readonly load: Load;
}

/** Intact files of a kind. */
export interface Corpus {
  readonly small: readonly Files[];
  readonly large: readonly Files[];
}

/** The part of a file that is text. */
export function textPartOf(name: string): TextPart | undefined {
  if (name.endsWith(".json")) return WHOLE_TEXT;
  return name.endsWith(".safetensors") ? HEADER_TEXT : undefined;
}

const single =
  (name: string) =>
  (bytes: Bytes): Files =>
    new Map([[name, bytes]]);

/** A large file of `../shared/fixtures`, if it is there. */
function large(path: string, name: string): Files[] {
  return existsSync(fixturePath(path)) ? [single(name)(fixture(path))] : [];
}

/** The file that a kind always has; a missing one is a mistake of the script. */
async function openOne(files: FileSet, name: string): Promise<ByteSource> {
  const source = await files.open(name);
  if (source === undefined) throw new Error(`no ${name}`);
  return source;
}

async function readOne(files: FileSet, name: string): Promise<Bytes> {
  const source = await openOne(files, name);
  return source.read(0, source.size);
}

/** Every kind of files that models come in. */
export const KINDS: Readonly<Record<string, Kind>> = {
  safetensors: {
    corpus: async () => ({ small: await folders({}), large: await folders({ isLarge: true }) }),
    isTarget: (name) => name === "model.safetensors",
    async load(folder, files) {
      await checkModel(await openFolder(folder));
      await checkSafetensors(files.get("model.safetensors")!);
    },
  },
  shards: {
    corpus: async () => ({ small: await folders({ maxShardBytes: 500 }), large: [] }),
    isTarget: (name) => name.includes(".safetensors"),
    load: async (files) => checkModel(await openFolder(files)),
  },
  config: {
    corpus: async () => ({ small: await folders({ withTokenizer: true }), large: [] }),
    isTarget: (name) => name.endsWith(".json") && name !== "tokenizer.json",
    load: async (files) => checkModel(await openFolder(files)),
  },
  gguf: {
    corpus: async () => ({ small: (await ggufFiles()).map(single("model.gguf")), large: [] }),
    load: async (files) => checkModel(await openFile(await openOne(files, "model.gguf"))),
  },
  gguf_vocabulary: {
    corpus: async () => ({
      small: (await ggufFiles()).map(single("model.gguf")),
      large: [
        ...large("gguf_vocab/ggml-vocab-llama-spm.gguf", "model.gguf"),
        ...large("gguf_vocab/ggml-vocab-gpt-2.gguf", "model.gguf"),
      ],
    }),
    async load(files) {
      const vocabulary = await readGgufVocabulary(await openOne(files, "model.gguf"));
      checkTokenizer(Tokenizer.fromJson(tokenizerJsonOfVocabulary(vocabulary)));
    },
  },
  llama2c: {
    corpus: async () => ({
      small: llama2cFiles().map(single("model.bin")),
      large: large("stories260K/stories260K.bin", "model.bin"),
    }),
    load: async (files) => checkModel(await openFile(await openOne(files, "model.bin"))),
  },
  tokenizer_json: {
    corpus: async () => ({ small: jsonTokenizers().map(single("tokenizer.json")), large: [] }),
    async load(files) {
      const json = parseJsonObject(await readOne(files, "tokenizer.json"), "tokenizer.json");
      checkTokenizer(Tokenizer.fromJson(json));
    },
  },
  tokenizer_model: {
    corpus: async () => ({
      small: sentencePieceFiles().map(single("tokenizer.model")),
      large: large("llama2_tokenizer/tokenizer.model", "tokenizer.model"),
    }),
    async load(files) {
      const vocabulary = readSentencePiece(await readOne(files, "tokenizer.model"));
      checkTokenizer(Tokenizer.fromJson(tokenizerJsonOfVocabulary(vocabulary)));
    },
  },
  tokenizer_bin: {
    corpus: async () => ({
      small: tokenizerBins().map(single("tokenizer.bin")),
      large: large("llama2_tokenizer/tokenizer.bin", "tokenizer.bin"),
    }),
    async load(files) {
      const vocabulary = readLlama2cVocabulary(await readOne(files, "tokenizer.bin"));
      checkTokenizer(Tokenizer.fromJson(tokenizerJsonOfVocabulary(vocabulary)));
    },
  },
};
