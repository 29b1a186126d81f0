import { yarnAttentionFactor } from "../../../engine/ops/rope_scaling.ts";
import {
  checkConfig,
  DEFAULT_CONFIG,
  type ModelConfig,
  type RopeScaling,
} from "../../transformer/config.ts";
import type { GgufHeader } from "./header.ts";
import { type GgufMetadata, quote } from "./metadata.ts";
import { type Architecture, ARCHITECTURES } from "./names.ts";

/** Numbers of an architecture that would change what it computes, and what changes nothing. */
const NEUTRAL: readonly (readonly [key: string, neutral: number])[] = [
  ["expert_count", 0],
  ["attention.clamp_kqv", 0],
  ["attention.max_alibi_bias", 0],
  ["attn_logit_softcapping", 0],
  ["final_logit_softcapping", 0],
  ["attention.scale", 0],
  ["logit_scale", 1],
  ["embedding_scale", 1],
  ["residual_scale", 1],
  ["rope.scaling.yarn_ext_factor", 1],
  ["rope.scaling.yarn_log_multiplier", 0],
];

/**
 * The family that a file names.
 *
 * @throws {SyntaxError} If it is not one that is supported, or the file holds no whole model.
 */
export function readArchitecture(metadata: GgufMetadata): Architecture {
  const name = metadata.string("general.architecture");
  const architecture = ARCHITECTURES.find((known) => known === name);
  if (architecture === undefined) {
    const rule = `must be one of ${ARCHITECTURES.join(", ")}`;
    const got = name === undefined ? "nothing" : quote(name);
    return metadata.refuse("general.architecture", rule, got);
  }
  const type = metadata.string("general.type") ?? "model";
  if (type !== "model") metadata.refuse("general.type", 'must be "model"', quote(type));
  const parts = metadata.number("split.count", { orElse: 1 });
  if (parts > 1) {
    metadata.refuse(
      "split.count",
      "must be 1; merge the parts with llama.cpp's gguf-split",
      `${parts}`,
    );
  }
  metadata.onlyNeutral("general.quantization_version", 2, "must be 2");
  return architecture;
}

/**
 * The configuration that metadata and names of tensors amount to, before anything is allocated.
 * Scaling by `rope_freqs.weight` is not in it.
 *
 * @throws {SyntaxError} If a value is missing, of the wrong kind, asks for what is not supported,
 * or sizes do not fit together, naming file and key.
 */
export function readConfig(header: GgufHeader, architecture: Architecture): ModelConfig {
  const { metadata, tensors } = header;
  const key = (name: string): string => `${architecture}.${name}`;
  checkNeutral(metadata, architecture);
  const dModel = metadata.size(key("embedding_length"));
  const numHeads = metadata.size(key("attention.head_count"));
  const headDim = metadata.size(key("attention.key_length"), { orElse: dModel / numHeads });
  const rule = `must be the width of a head, ${headDim}`;
  for (const name of ["attention.value_length", "rope.dimension_count"]) {
    metadata.onlyNeutral(key(name), headDim, rule);
  }
  const config: ModelConfig = {
    ...DEFAULT_CONFIG,
    vocabSize: readVocabSize(header, architecture),
    dModel,
    dHidden: metadata.size(key("feed_forward_length")),
    numBlocks: metadata.size(key("block_count")),
    numHeads,
    numKvHeads: metadata.size(key("attention.head_count_kv"), { orElse: numHeads }),
    headDim,
    maxSeqLen: metadata.size(key("context_length")),
    slidingWindow: readSlidingWindow(metadata, key("attention.sliding_window")),
    tieEmbeddings: !tensors.has("output.weight"),
    ...readFamily(header, architecture),
  };
  return checked(config, metadata);
}

/** Refuses what would change what the model computes. */
function checkNeutral(metadata: GgufMetadata, architecture: Architecture): void {
  const key = (name: string): string => `${architecture}.${name}`;
  for (const [name, neutral] of NEUTRAL) {
    metadata.onlyNeutral(key(name), neutral, `must be ${neutral} or absent, it is not supported`);
  }
  if (metadata.boolean(key("attention.causal")) === false) {
    metadata.refuse(key("attention.causal"), "must be true", "false");
  }
}

/** What a family computes otherwise than others. */
function readFamily(
  { metadata, tensors }: GgufHeader,
  architecture: Architecture,
): Partial<ModelConfig> {
  const key = (name: string): string => `${architecture}.${name}`;
  if (architecture === "gpt2") {
    return {
      norm: "layerNorm",
      eps: metadata.number(key("attention.layer_norm_epsilon"), { orElse: 1e-5 }),
      position: "learned",
      mlp: "geluTanh",
      bias: "all",
    };
  }
  return {
    eps: metadata.number(key("attention.layer_norm_rms_epsilon")),
    theta: metadata.number(key("rope.freq_base"), { orElse: 10_000 }),
    ropeScaling: readRopeScaling(metadata, architecture),
    bias: readBias(tensors),
    qkNorm: architecture === "qwen3",
  };
}

/** The same configuration, once its sizes are known to fit together. */
function checked(config: ModelConfig, { file }: GgufMetadata): ModelConfig {
  try {
    checkConfig(config);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SyntaxError(`Cannot read "${file}": ${error.message}`, { cause: error });
  }
  return config;
}

function readVocabSize({ metadata, tensors }: GgufHeader, architecture: Architecture): number {
  const embedding = tensors.get("token_embd.weight");
  if (embedding === undefined || embedding.shape.length !== 2) {
    const got = embedding === undefined ? "none" : `[${embedding.shape.join(", ")}]`;
    throw new SyntaxError(
      `Cannot read "${metadata.file}": tensor "token_embd.weight" must have 2 axes, got ${got}`,
    );
  }
  const vocabSize = embedding.shape[0]!;
  const rule = `must be the number of rows of "token_embd.weight", ${vocabSize}`;
  metadata.onlyNeutral(`${architecture}.vocab_size`, vocabSize, rule);
  return vocabSize;
}

/** 0 stands for none. */
function readSlidingWindow(metadata: GgufMetadata, key: string): number | null {
  return metadata.number(key, { orElse: 0 }) === 0 ? null : metadata.size(key);
}

/** Which biases there are: the first block stands for all, and each is looked for later. */
function readBias(tensors: GgufHeader["tensors"]): ModelConfig["bias"] {
  if (tensors.has("blk.0.ffn_up.bias")) return "all";
  if (tensors.has("blk.0.attn_output.bias")) return "attention";
  return tensors.has("blk.0.attn_q.bias") ? "qkv" : "none";
}

function readRopeScaling(metadata: GgufMetadata, architecture: string): RopeScaling | null {
  const key = (name: string): string => `${architecture}.rope.scaling.${name}`;
  // Files of 2023 have the factor of linear scaling only.
  const legacy = metadata.number(`${architecture}.rope.scale_linear`, { orElse: 1 });
  const type = metadata.string(key("type")) ?? (legacy === 1 ? "none" : "linear");
  if (type === "none") return null;
  const factor = metadata.number(key("factor"), { orElse: legacy });
  if (type === "linear") return factor === 1 ? null : { type, factor };
  if (type !== "yarn") {
    return metadata.refuse(key("type"), "must be one of none, linear, yarn", quote(type));
  }
  // llama.cpp multiplies by the paper's factor of attention itself.
  const attention = metadata.number(key("attn_factor"), { orElse: 1 });
  return {
    type,
    factor,
    originalMaxSeqLen: metadata.size(key("original_context_length")),
    betaFast: metadata.number(key("yarn_beta_fast"), { orElse: 32 }),
    betaSlow: metadata.number(key("yarn_beta_slow"), { orElse: 1 }),
    attentionFactor: attention * yarnAttentionFactor(factor),
  };
}
