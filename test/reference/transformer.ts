import type { Batch } from "../../data/batch.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { activationReference, swiGluReference } from "./activation.ts";
import { attentionReference } from "./attention.ts";
import { crossEntropyReference } from "./cross_entropy.ts";
import { dropoutReference } from "./dropout.ts";
import { embeddingReference } from "./embedding.ts";
import { layerNormReference } from "./layer_norm.ts";
import { linearReference } from "./linear.ts";
import { adapterReference, type ReferenceAdapter } from "./lora.ts";
import { rmsNormReference } from "./rms_norm.ts";
import { rotaryReference } from "./rotary.ts";

/** Weights by Hugging Face name. */
export type ReferenceWeights = Readonly<Record<string, Float64Array>>;

/** Final hidden states, weighted loss of a batch and every target's log-probability, in float64. */
export function transformerReference(
  config: ModelConfig,
  weights: ReferenceWeights,
  {
    batch,
    randomness,
    adapters,
  }: {
    batch: Batch;
    randomness?: Uint32Array;
    /** Low-rank changes, by module. */
    adapters?: ReadonlyMap<string, ReferenceAdapter>;
  },
): { hidden: Float64Array; loss: number; logProbabilities: Float64Array } {
  const { dModel, numBlocks, numHeads, numKvHeads, headDim, eps, theta } = config;
  const { numRows, seqLen, tokens, positions, ends, targets } = batch;
  const at = (name: string): Float64Array => weights[name]!;
  let id = 0;
  const drop = (x: Float64Array): Float64Array => {
    if (randomness === undefined || config.dropout === 0) return x;
    const mask = dropoutReference({ length: x.length, rate: config.dropout, randomness, id: id++ });
    return x.map((value, i) => value * mask[i]!);
  };
  const linear = (x: Float64Array, name: string): Float64Array => {
    const weight = at(`${name}.weight`);
    const dIn = x.length / (numRows * seqLen);
    const bias = weights[`${name}.bias`] ?? new Float64Array(weight.length / dIn);
    const y = linearReference({ x, weight, bias });
    const adapter = adapters?.get(name);
    return adapter === undefined ? y : sum(y, adapterReference(x, adapter, { dIn, randomness }));
  };
  const norm = (x: Float64Array, name: string): Float64Array => {
    const weight = at(`${name}.weight`);
    return config.norm === "rmsNorm"
      ? rmsNormReference({ x, weight }, eps)
      : layerNormReference({ x, weight, bias: at(`${name}.bias`) }, eps);
  };
  const headNorm = (x: Float64Array, name: string): Float64Array =>
    config.qkNorm ? rmsNormReference({ x, weight: at(`${name}.weight`) }, eps) : x;
  const rotate = (x: Float64Array): Float64Array =>
    config.position === "rotary"
      ? rotaryReference(x, {
          positions,
          headDim,
          theta,
          layout: config.rotaryLayout,
          scaling: config.ropeScaling,
        })
      : x;
  const mlp = (x: Float64Array, name: string): Float64Array => {
    const up = linear(x, `${name}.up_proj`);
    const hidden =
      config.mlp === "swiGlu"
        ? swiGluReference({ gate: linear(x, `${name}.gate_proj`), up })
        : up.map(activationReference[config.mlp]);
    return linear(hidden, `${name}.down_proj`);
  };
  const window = config.slidingWindow ?? Infinity;
  const visible = (row: number, t: number, s: number) =>
    s <= t &&
    t < ends[row * seqLen + s]! &&
    positions[row * seqLen + t]! - positions[row * seqLen + s]! < window;

  let x = embeddingReference(at("model.embed_tokens.weight"), tokens, dModel);
  if (config.position === "learned") {
    const table = embeddingReference(at("model.embed_positions.weight"), positions, dModel);
    x = sum(x, table);
  }
  x = drop(x);
  for (let block = 0; block < numBlocks; block++) {
    const name = `model.layers.${block}`;
    const normed = norm(x, `${name}.input_layernorm`);
    const q = rotate(
      headNorm(linear(normed, `${name}.self_attn.q_proj`), `${name}.self_attn.q_norm`),
    );
    const k = rotate(
      headNorm(linear(normed, `${name}.self_attn.k_proj`), `${name}.self_attn.k_norm`),
    );
    const v = linear(normed, `${name}.self_attn.v_proj`);
    const sizes = { numRows, seqLen, numHeads, numKvHeads, headDim, visible };
    const attended = attentionReference({ q, k, v }, sizes);
    x = sum(x, drop(linear(attended, `${name}.self_attn.o_proj`)));
    x = sum(x, drop(mlp(norm(x, `${name}.post_attention_layernorm`), `${name}.mlp`)));
  }
  const output = config.tieEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  const hidden = norm(x, "model.norm");
  const given = { x: hidden, weight: at(output), dModel, targets, weights: batch.weights };
  return { hidden, ...crossEntropyReference(given) };
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]!);
}
