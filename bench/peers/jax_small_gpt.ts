/**
 * The small GPT's training step in jax-js, on the adapter that this machine's Dawn finds.
 *
 * Prints one JSON line: losses of the first steps, and milliseconds of the steps that follow.
 */
import {
  SMALL_GPT,
  SMALL_GPT_BATCH,
  SMALL_GPT_LEARNING_RATE,
  SMALL_GPT_LOSSES,
  SMALL_GPT_OPTIMIZER,
  smallGptBatch,
  smallGptWeights,
} from "../small_gpt.ts";
import { measure, numTimedSteps } from "./measure.ts";
import { providePlatform } from "./platform.ts";

await providePlatform();
const jax = await import("@jax-js/jax");
const { numpy: np, nn, tree } = jax;
await jax.init();
jax.defaultDevice("webgpu");

type Matrix = InstanceType<typeof np.Array>;
/** Arrays by weight name: the weights, their moments or their gradients. */
type ByName = Record<string, Matrix>;

const { dModel, dHidden, numBlocks, numHeads, headDim, vocabSize, eps } = SMALL_GPT;
const { numRows, seqLen } = SMALL_GPT_BATCH;
const { beta1, beta2, weightDecay } = SMALL_GPT_OPTIMIZER;

/** An array for every weight, filled by `make`. */
function forEveryWeight(make: (values: Float32Array<ArrayBuffer>) => Matrix): ByName {
  const made: ByName = {};
  for (const [name, values] of smallGptWeights()) {
    const dIn = name.includes("down_proj") ? dHidden : dModel;
    const isMatrix = !name.endsWith("norm.weight");
    const array = isMatrix ? make(values).reshape([values.length / dIn, dIn]) : make(values);
    // Products are fastest here with matrices as [dIn, dOut]; embeddings are looked up by row.
    made[name] = isMatrix && !name.includes("embed") ? array.transpose([1, 0]) : array;
  }
  return made;
}

// jax-js counts references: an array is consumed by its use unless `.ref` is passed.

const project = (x: Matrix, weight: Matrix): Matrix => np.matmul(x, weight);

function normalize(x: Matrix, gain: Matrix): Matrix {
  const scale = np.sqrt(np.square(x.ref).mean(-1, { keepdims: true }).add(eps));
  return x.div(scale).mul(gain);
}

/** The weights of one block, by the short names that the maths uses. */
function blockOf(weights: ByName, index: number) {
  const take = (part: string): Matrix => weights[`model.layers.${index}.${part}.weight`]!;
  return {
    norms: [take("input_layernorm"), take("post_attention_layernorm")] as const,
    q: take("self_attn.q_proj"),
    k: take("self_attn.k_proj"),
    v: take("self_attn.v_proj"),
    output: take("self_attn.o_proj"),
    up: take("mlp.up_proj"),
    down: take("mlp.down_proj"),
  };
}

type Block = ReturnType<typeof blockOf>;

function attend(x: Matrix, { q, k, v, output }: Block, mask: Matrix): Matrix {
  const split = (a: Matrix, axes: number[]): Matrix =>
    a.reshape([numRows, seqLen, numHeads, headDim]).transpose(axes);
  const queries = split(project(x.ref, q), [0, 2, 1, 3]).mul(1 / Math.sqrt(headDim));
  const keys = split(project(x.ref, k), [0, 2, 3, 1]);
  const values = split(project(x, v), [0, 2, 1, 3]);
  const probabilities = nn.softmax(np.matmul(queries, keys).add(mask), -1);
  const mixed = np.matmul(probabilities, values).transpose([0, 2, 1, 3]);
  return project(mixed.reshape([numRows, seqLen, dModel]), output);
}

function meanLoss(weights: ByName, tokens: Matrix, targets: Matrix, mask: Matrix): Matrix {
  const { "model.embed_tokens.weight": words, "model.embed_positions.weight": places } = weights;
  let x = np.take(words!, tokens, 0).add(places!);
  for (let index = 0; index < numBlocks; index++) {
    const block = blockOf(weights, index);
    x = x.ref.add(attend(normalize(x, block.norms[0]), block, mask.ref));
    const hidden = nn.silu(project(normalize(x.ref, block.norms[1]), block.up));
    x = x.add(project(hidden, block.down));
  }
  mask.dispose();
  const logits = project(normalize(x, weights["model.norm.weight"]!), weights["lm_head.weight"]!);
  const flat = logits.reshape([numRows * seqLen, vocabSize]);
  const picked = nn.logSoftmax(flat, -1).mul(nn.oneHot(targets, vocabSize));
  return picked.sum().mul(-1 / (numRows * seqLen));
}

/** One AdamW step; `corrections` are 1 / (1 − βᵗ). */
const step = jax.jit(
  (
    old: { weights: ByName; means: ByName; squares: ByName },
    data: { tokens: Matrix; targets: Matrix; mask: Matrix },
    corrections: { first: Matrix; second: Matrix },
  ) => {
    const { tokens, targets, mask } = data;
    const differentiate = jax.valueAndGrad(meanLoss);
    const [loss, gradients] = differentiate(tree.ref(old.weights), tokens, targets, mask);
    const weights: ByName = {};
    const means: ByName = {};
    const squares: ByName = {};
    for (const [name, gradient] of Object.entries(gradients as ByName)) {
      const mean = old.means[name]!.mul(beta1).add(gradient.ref.mul(1 - beta1));
      const square = old.squares[name]!.mul(beta2).add(np.square(gradient).mul(1 - beta2));
      const direction = mean.ref
        .mul(corrections.first.ref)
        .div(np.sqrt(square.ref.mul(corrections.second.ref)).add(SMALL_GPT_OPTIMIZER.eps));
      const change = direction.add(old.weights[name]!.ref.mul(weightDecay));
      weights[name] = old.weights[name]!.sub(change.mul(SMALL_GPT_LEARNING_RATE));
      means[name] = mean;
      squares[name] = square;
    }
    corrections.first.dispose();
    corrections.second.dispose();
    return { loss, next: { weights, means, squares } };
  },
);

const batch = smallGptBatch();
const tokens = np.array(Int32Array.from(batch.tokens)).reshape([numRows, seqLen]);
const targets = np.array(Int32Array.from(batch.targets));
const isFuture = (i: number) => i % seqLen > Math.floor(i / seqLen);
const masked = Float32Array.from({ length: seqLen ** 2 }, (_, i) => (isFuture(i) ? -1e30 : 0));
const mask = np.array(masked).reshape([seqLen, seqLen]);
const zeros = (values: Float32Array<ArrayBuffer>): Matrix => np.zeros([values.length]);
let state = {
  weights: forEveryWeight((values) => np.array(values)),
  means: forEveryWeight(zeros),
  squares: forEveryWeight(zeros),
};
await measure(SMALL_GPT_LOSSES.length + numTimedSteps, async (count) => {
  const data = { tokens: tokens.ref, targets: targets.ref, mask: mask.ref };
  const first = np.array(1 / (1 - beta1 ** count));
  const second = np.array(1 / (1 - beta2 ** count));
  const { loss, next } = step(state, data, { first, second });
  state = next;
  return (await loss.data())[0]!;
});
