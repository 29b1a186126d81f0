import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { sizeOf, type Tensor } from "../../engine/tensor.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { uniform } from "../support.ts";

const TINY = {
  ...DEFAULT_CONFIG,
  vocabSize: 11,
  dModel: 8,
  dHidden: 12,
  numBlocks: 2,
  numHeads: 2,
  numKvHeads: 2,
  headDim: 4,
  maxSeqLen: 16,
} satisfies ModelConfig;

/** Tiny models of both families, and one of what neither has. */
export const TINY_MODELS: Readonly<Record<string, ModelConfig>> = {
  "like Llama, with grouped heads": { ...TINY, numKvHeads: 1 },
  "like GPT-2": {
    ...TINY,
    norm: "layerNorm",
    position: "learned",
    mlp: "geluTanh",
    bias: "all",
  },
  "with dropout, interleaved pairs and an output of its own": {
    ...TINY,
    rotaryLayout: "interleaved",
    mlp: "gelu",
    bias: "all",
    tieEmbeddings: false,
    dropout: 0.3,
  },
  "with learned positions, grouped heads, dropout and an output of its own": {
    ...TINY,
    numKvHeads: 1,
    position: "learned",
    mlp: "swiGlu",
    tieEmbeddings: false,
    dropout: 0.1,
  },
};

/** Tiny models of the families that people bring. */
export const TINY_FAMILIES: Readonly<Record<string, ModelConfig>> = {
  "like Mistral, with a sliding window": { ...TINY, numKvHeads: 1, slidingWindow: 3 },
  "like Llama 3, with stretched rotary frequencies": {
    ...TINY,
    tieEmbeddings: false,
    ropeScaling: {
      type: "llama3",
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxSeqLen: 8,
    },
  },
  "like Qwen2, with biases of queries, keys and values": { ...TINY, numKvHeads: 1, bias: "qkv" },
  "like Qwen3, with normalized queries and keys of their own width": {
    ...TINY,
    headDim: 6,
    qkNorm: true,
    ropeScaling: {
      type: "yarn",
      factor: 4,
      originalMaxSeqLen: 8,
      betaFast: 32,
      betaSlow: 1,
      attentionFactor: 1.1386,
    },
  },
};

/** A model whose every weight is random, gains and biases too, and no gradient vanishes. */
export function tinyModel(gpu: Gpu, config: ModelConfig): Transformer {
  const model = Transformer.create(gpu, config);
  model.parameters.forEach((parameter, index) => {
    const values = uniform(sizeOf(parameter.shape), index + 1);
    const isGain = parameter.shape.length === 1 && parameter.label.endsWith("weight");
    gpu.write(
      parameter,
      values.map((value) => (isGain ? 1 + value / 2 : value / 2)),
    );
  });
  return model;
}

/** Rows of documents one after another, given by their lengths; the rest of a row is padding. */
export function packedBatch(
  rows: readonly (readonly number[])[],
  { seqLen, vocabSize = 11, seed = 1 }: { seqLen: number; vocabSize?: number; seed?: number },
): Batch {
  const numTokens = rows.length * seqLen;
  const u32 = () => new Uint32Array(numTokens);
  const values = uniform(numTokens, seed);
  const tokens = Uint32Array.from(values, (value) => Math.floor(((value + 1) / 2) * vocabSize));
  const batch = {
    label: `batch of seed ${seed}`,
    numRows: rows.length,
    seqLen,
    tokens,
    targets: u32().fill(0xffff_ffff),
    weights: new Float32Array(numTokens),
    positions: u32(),
    starts: u32(),
    ends: u32(),
  };
  rows.forEach((lengths, row) => {
    const base = row * seqLen;
    let begin = 0;
    const padding = seqLen - lengths.reduce((sum, length) => sum + length, 0);
    for (const length of [...lengths, ...Array<number>(padding).fill(1)]) {
      for (let i = 0; i < length; i++) {
        const at = base + begin + i;
        batch.positions[at] = i;
        batch.starts[at] = begin;
        batch.ends[at] = begin + length;
        if (i + 1 === length) continue;
        batch.targets[at] = tokens[at + 1]!;
        batch.weights[at] = 1 + (i % 3) / 2;
      }
      begin += length;
    }
  });
  return batch;
}

/** Bytes of f32 tensors that begin at multiples of 256 bytes, matrices first, as they are packed. */
export function packedBytes(tensors: readonly Tensor[]): number {
  const ordered = tensors.toSorted((one, other) => other.shape.length - one.shape.length);
  let end = 0;
  for (const { shape } of ordered) end = Math.ceil(end / 256) * 256 + 4 * sizeOf(shape);
  return end;
}
