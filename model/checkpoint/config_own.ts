import type { ModelConfig, RopeScaling } from "../transformer/config.ts";
import type { Fields } from "./fields.ts";
import type { JsonObject } from "./strict_json.ts";

/** Content of `config.json` of our own family, which keeps every field under its name here. */
export function ownToJson(config: ModelConfig): JsonObject {
  return {
    model_type: "tenure",
    vocabSize: config.vocabSize,
    dModel: config.dModel,
    dHidden: config.dHidden,
    numBlocks: config.numBlocks,
    numHeads: config.numHeads,
    numKvHeads: config.numKvHeads,
    headDim: config.headDim,
    maxSeqLen: config.maxSeqLen,
    norm: config.norm,
    eps: config.eps,
    position: config.position,
    theta: config.theta,
    ropeScaling: config.ropeScaling === null ? null : { ...config.ropeScaling },
    rotaryLayout: config.rotaryLayout,
    mlp: config.mlp,
    bias: config.bias,
    qkNorm: config.qkNorm,
    slidingWindow: config.slidingWindow,
    tieEmbeddings: config.tieEmbeddings,
    dropout: config.dropout,
  };
}

/**
 * Reads `config.json` of our own family.
 *
 * @throws {SyntaxError} If a field is missing or malformed.
 */
export function ownFromJson(fields: Fields): ModelConfig {
  const isWindowed = (fields.raw("slidingWindow") ?? null) !== null;
  return {
    vocabSize: fields.size("vocabSize"),
    dModel: fields.size("dModel"),
    dHidden: fields.size("dHidden"),
    numBlocks: fields.size("numBlocks"),
    numHeads: fields.size("numHeads"),
    numKvHeads: fields.size("numKvHeads"),
    headDim: fields.size("headDim"),
    maxSeqLen: fields.size("maxSeqLen"),
    norm: fields.choice("norm", ["rmsNorm", "layerNorm"]),
    eps: fields.number("eps"),
    position: fields.choice("position", ["rotary", "learned"]),
    theta: fields.number("theta"),
    ropeScaling: ropeScaling(fields),
    rotaryLayout: fields.choice("rotaryLayout", ["half", "interleaved"]),
    mlp: fields.choice("mlp", ["swiGlu", "silu", "gelu", "geluTanh"]),
    bias: fields.choice("bias", ["none", "qkv", "attention", "all"]),
    qkNorm: fields.boolean("qkNorm", { orElse: false }),
    slidingWindow: isWindowed ? fields.size("slidingWindow") : null,
    tieEmbeddings: fields.boolean("tieEmbeddings"),
    dropout: fields.number("dropout"),
  };
}

function ropeScaling(fields: Fields): RopeScaling | null {
  if ((fields.raw("ropeScaling") ?? null) === null) return null;
  const group = fields.object("ropeScaling");
  const type = group.choice("type", ["linear", "llama3", "yarn"]);
  const factor = group.number("factor");
  if (type === "linear") return { type, factor };
  const originalMaxSeqLen = group.number("originalMaxSeqLen");
  return type === "llama3"
    ? {
        type,
        factor,
        lowFreqFactor: group.number("lowFreqFactor"),
        highFreqFactor: group.number("highFreqFactor"),
        originalMaxSeqLen,
      }
    : {
        type,
        factor,
        originalMaxSeqLen,
        betaFast: group.number("betaFast"),
        betaSlow: group.number("betaSlow"),
        attentionFactor: group.number("attentionFactor"),
      };
}
