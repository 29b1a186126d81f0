import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { randomModel } from "../cli/run/random_model.ts";
import { bytesSource } from "../model/checkpoint/byte_source.ts";
import type { StoredModel } from "../model/checkpoint/stored_model.ts";
import { openFile } from "../model/pretrained/open_model.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../model/transformer/config.ts";

const STORIES = new URL("../../shared/fixtures/stories260K/", import.meta.url);

/** A Llama of 15.2M parameters: the sizes of llama2.c's stories15M, with random weights. */
const RANDOM_15M: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: 32_000,
  dModel: 288,
  dHidden: 768,
  numBlocks: 6,
  numHeads: 6,
  numKvHeads: 6,
  headDim: 48,
  maxSeqLen: 512,
  tieEmbeddings: true,
};

/** A model to generate with. */
export interface BenchModel {
  readonly name: string;
  readonly stored: StoredModel;
  /** A text that the model knows, where it is a trained one. */
  readonly text?: string;
}

/** The models of the benchmark; the trained one only where `../shared/fixtures` is. */
export async function benchModels(): Promise<BenchModel[]> {
  const randomName = "random 15M";
  const random = { name: randomName, stored: randomModel(randomName, RANDOM_15M) };
  if (!existsSync(STORIES)) return [random];
  const source = async (name: string) =>
    bytesSource(new Uint8Array(await readFile(new URL(name, STORIES))), name);
  const stored = await openFile(await source("stories260K.bin"), await source("tok512.bin"));
  const text = await readFile(new URL("expected_stdout.txt", STORIES), "utf8");
  return [{ name: "stories260K", stored, text: text.replace(/\n$/, "") }, random];
}

/** Tokens of a prompt, the same in every run; the first 259 are marks and bytes. */
export function randomPrompt(length: number, vocabSize: number): Uint32Array<ArrayBuffer> {
  let state = 7;
  return Uint32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 259 + (state % (vocabSize - 259));
  });
}
