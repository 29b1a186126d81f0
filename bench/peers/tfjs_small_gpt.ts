/**
 * The small GPT's training step in TensorFlow.js on WebGPU; see `measure()`.
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
import { openTensorFlow, type Tensor, type Variable } from "./tfjs_module.ts";

const tf = await openTensorFlow();

const { dModel, dHidden, numBlocks, numHeads, headDim, vocabSize, eps } = SMALL_GPT;
const { numRows, seqLen } = SMALL_GPT_BATCH;
const { beta1, beta2, weightDecay } = SMALL_GPT_OPTIMIZER;
const numTokens = numRows * seqLen;

/** A weight with its moments. */
interface Trained {
  readonly weight: Variable;
  readonly mean: Variable;
  readonly square: Variable;
}

// Products are fastest here with matrices as [dIn, dOut]; embeddings are looked up by row.
const trained = new Map<string, Trained>();
for (const [name, values] of smallGptWeights()) {
  const dIn = name.includes("down_proj") ? dHidden : dModel;
  const isVector = name.endsWith("norm.weight");
  const stored = tf.tensor(values, isVector ? [dIn] : [values.length / dIn, dIn]);
  const value = isVector || name.includes("embed") ? stored : tf.transpose(stored, [1, 0]);
  const variable = (initial: Tensor, isTrained: boolean) => tf.variable(initial, isTrained);
  const zeros = () => variable(tf.mul(value, 0), false);
  trained.set(name, { weight: variable(value, true), mean: zeros(), square: zeros() });
}
const weightNamed = (name: string): Tensor => trained.get(`${name}.weight`)!.weight;

function normalize(x: Tensor, norm: string): Tensor {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return tf.mul(tf.mul(x, scale), weightNamed(norm));
}

function attend(x: Tensor, block: string): Tensor {
  const heads = (part: string) => {
    const projected = tf.matMul(x, weightNamed(`${block}.self_attn.${part}_proj`));
    return tf.transpose(tf.reshape(projected, [numRows, seqLen, numHeads, headDim]), [0, 2, 1, 3]);
  };
  const scores = tf.mul(tf.matMul(heads("q"), heads("k"), false, true), 1 / Math.sqrt(headDim));
  const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), heads("v"));
  const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [numTokens, dModel]);
  return tf.matMul(joined, weightNamed(`${block}.self_attn.o_proj`));
}

function meanLoss(): Tensor {
  const words = tf.gather(weightNamed("model.embed_tokens"), tokens);
  const placed = tf.add(
    tf.reshape(words, [numRows, seqLen, dModel]),
    weightNamed("model.embed_positions"),
  );
  let x = tf.reshape(placed, [numTokens, dModel]);
  for (let index = 0; index < numBlocks; index++) {
    const block = `model.layers.${index}`;
    x = tf.add(x, attend(normalize(x, `${block}.input_layernorm`), block));
    const rows = normalize(x, `${block}.post_attention_layernorm`);
    const up = tf.matMul(rows, weightNamed(`${block}.mlp.up_proj`));
    const hidden = tf.mul(up, tf.sigmoid(up));
    x = tf.add(x, tf.matMul(hidden, weightNamed(`${block}.mlp.down_proj`)));
  }
  const logits = tf.matMul(normalize(x, "model.norm"), weightNamed("lm_head"));
  return tf.div(tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), targets))), numTokens);
}

/** One AdamW step; the gradients come by the names that TensorFlow.js gives its variables. */
function train(count: number): Tensor {
  const all = [...trained.values()];
  const { value, grads } = tf.variableGrads(
    meanLoss,
    all.map(({ weight }) => weight),
  );
  const corrections = [1 / (1 - beta1 ** count), 1 / (1 - beta2 ** count)] as const;
  for (const { weight, mean, square } of all) {
    const gradient = grads[weight.name]!;
    mean.assign(tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1)));
    square.assign(tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
    const scale = tf.add(tf.sqrt(tf.mul(square, corrections[1])), SMALL_GPT_OPTIMIZER.eps);
    const direction = tf.div(tf.mul(mean, corrections[0]), scale);
    const change = tf.add(direction, tf.mul(weight, weightDecay));
    weight.assign(tf.sub(weight, tf.mul(change, SMALL_GPT_LEARNING_RATE)));
  }
  return value;
}

const batch = smallGptBatch();
const tokens = tf.tensor(Int32Array.from(batch.tokens), [numTokens], "int32");
const chosen = tf.tensor(Int32Array.from(batch.targets), [numTokens], "int32");
const targets = tf.oneHot(chosen, vocabSize, 1, 0, "float32");
const isFuture = (i: number) => i % seqLen > Math.floor(i / seqLen);
const masked = Float32Array.from({ length: seqLen ** 2 }, (_, i) => (isFuture(i) ? -1e30 : 0));
const mask = tf.tensor(masked, [seqLen, seqLen]);
await measure(SMALL_GPT_LOSSES.length + numTimedSteps, async (count) => {
  const loss = tf.tidy(() => train(count));
  const [value] = await loss.data();
  loss.dispose();
  return value!;
});
