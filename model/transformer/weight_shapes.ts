import { biasesOf, type ModelConfig } from "./config.ts";

/** Name and shape of one weight of a model. */
export interface WeightShape {
  /** Hugging Face's Llama name, whatever the family. */
  readonly label: string;
  /** `[dOut, dIn]` for matrices. */
  readonly shape: readonly number[];
}

/**
 * Every weight that `Transformer.create()` allocates, in its order, without allocating any.
 *
 * @param config Sizes. They may be absurd: weights are named one at a time.
 */
export function* weightShapes(config: ModelConfig): Generator<WeightShape, void> {
  const { vocabSize, dModel, numBlocks, maxSeqLen } = config;
  yield { label: "model.embed_tokens.weight", shape: [vocabSize, dModel] };
  if (config.position === "learned") {
    yield { label: "model.embed_positions.weight", shape: [maxSeqLen, dModel] };
  }
  for (let index = 0; index < numBlocks; index++) yield* blockShapes(config, index);
  yield* norm("model.norm", config);
  if (!config.tieEmbeddings) yield { label: "lm_head.weight", shape: [vocabSize, dModel] };
}

/** Number of weights of a model, from its sizes alone. */
export function countWeights(config: ModelConfig): number {
  const count = (numBlocks: number): number => {
    let sum = 0;
    for (const { shape } of weightShapes({ ...config, numBlocks })) {
      sum += shape.reduce((product, length) => product * length, 1);
    }
    return sum;
  };
  const outside = count(0);
  return outside + config.numBlocks * (count(1) - outside);
}

function* blockShapes(config: ModelConfig, index: number): Generator<WeightShape, void> {
  const { dModel, dHidden, numHeads, numKvHeads, headDim } = config;
  const name = `model.layers.${index}`;
  yield* norm(`${name}.input_layernorm`, config);
  const { qkv, output, mlp } = biasesOf(config);
  yield* linear(`${name}.self_attn.q_proj`, [numHeads * headDim, dModel], qkv);
  yield* linear(`${name}.self_attn.k_proj`, [numKvHeads * headDim, dModel], qkv);
  yield* linear(`${name}.self_attn.v_proj`, [numKvHeads * headDim, dModel], qkv);
  yield* linear(`${name}.self_attn.o_proj`, [dModel, numHeads * headDim], output);
  if (config.qkNorm) {
    yield { label: `${name}.self_attn.q_norm.weight`, shape: [headDim] };
    yield { label: `${name}.self_attn.k_norm.weight`, shape: [headDim] };
  }
  yield* norm(`${name}.post_attention_layernorm`, config);
  if (config.mlp === "swiGlu") {
    yield* linear(`${name}.mlp.gate_proj`, [dHidden, dModel], mlp);
  }
  yield* linear(`${name}.mlp.up_proj`, [dHidden, dModel], mlp);
  yield* linear(`${name}.mlp.down_proj`, [dModel, dHidden], mlp);
}

function* norm(name: string, config: ModelConfig): Generator<WeightShape, void> {
  yield { label: `${name}.weight`, shape: [config.dModel] };
  if (config.norm === "layerNorm") yield { label: `${name}.bias`, shape: [config.dModel] };
}

function* linear(
  name: string,
  shape: readonly [dOut: number, dIn: number],
  hasBias: boolean,
): Generator<WeightShape, void> {
  yield { label: `${name}.weight`, shape };
  if (hasBias) yield { label: `${name}.bias`, shape: [shape[0]] };
}
