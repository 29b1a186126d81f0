import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PretrainedRequest, TrainOutcome, TrainRequest } from "../../cli/run/train.ts";
import { renderResume } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { trainBpe } from "../../data/tokenizer/train_bpe.ts";
import { exportHuggingFace } from "../../model/checkpoint/export_hugging_face.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { drain } from "../checkpoint/memory_files.ts";
import { uniform } from "../support.ts";
import { prepareFew, TINY_SETTINGS, trainTiny, WORDING } from "./run_support.ts";

/** A tokenizer that cuts text as GPT-2 does, so that titles are several tokens. */
export const TOKENIZER = trainBpe(
  syntheticPopulation("survey")
    .generate(30, { seed: 7 })
    .map((career) => renderResume(career, { dataset: "SYNTHETIC" }).text),
  {
    vocabSize: 420,
    pattern: " ?\\p{L}+|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]+|\\s",
    specialTokens: ["<|endoftext|>"],
  },
);

const LLAMA: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: 432,
  dModel: 16,
  dHidden: 32,
  numBlocks: 2,
  numHeads: 2,
  numKvHeads: 1,
  headDim: 8,
  maxSeqLen: 256,
};

/** Random models of other people, by family. */
export const FAMILIES: Readonly<Record<string, ModelConfig>> = {
  Llama: LLAMA,
  Qwen2: { ...LLAMA, bias: "qkv", tieEmbeddings: false },
  "GPT-2": {
    ...LLAMA,
    numKvHeads: 2,
    norm: "layerNorm",
    position: "learned",
    mlp: "geluTanh",
    bias: "all",
  },
};

/** Writes a random model with the tokenizer, in Hugging Face's layout. */
export async function writeModel(folder: string, config: ModelConfig, seed = 1): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const shapes = new Map(
    Array.from(weightShapes(config), ({ label, shape }, i) => [label, { shape, i }]),
  );
  const weights = (label: string) => {
    const { shape, i } = shapes.get(label)!;
    const values = uniform(
      shape.reduce((product, length) => product * length, 1),
      seed * 100 + i,
    );
    const isGain = shape.length === 1 && label.endsWith("weight");
    return Promise.resolve(values.map((x) => (isGain ? 1 + x / 8 : x / 3)));
  };
  const files = exportHuggingFace({
    config,
    weights,
    dtype: "F32",
    tokenizer: TOKENIZER,
    generation: { endTokens: [0] },
  });
  for (const [name, bytes] of await drain(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** Prepares a few people of whom little is told, so that resumes fit. */
export async function prepareShort(folder: string): Promise<string> {
  await prepareFew(folder, { wording: { ...WORDING, lastRows: 4 } });
  return folder;
}

/** Settings of a few steps with somebody's model. */
export const FINE_TUNING: TrainRequest["settings"] = {
  ...TINY_SETTINGS,
  batch: { ...TINY_SETTINGS.batch, seqLen: 256, accumulation: 1 },
  length: { unit: "steps", count: 6 },
};

/** Trains somebody's model without a word. */
export async function fineTune(
  folders: Pick<TrainRequest, "dataFolder" | "runFolder">,
  pretrained: PretrainedRequest,
  changes: Partial<TrainRequest> = {},
): Promise<TrainOutcome> {
  return trainTiny(folders, { settings: FINE_TUNING, pretrained, ...changes });
}
