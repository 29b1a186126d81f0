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

type Arrays = Record<string, InstanceType<typeof np.Array>>;

const { dModel, numBlocks, numHeads, headDim, vocabSize, eps } = SMALL_GPT;
const { numRows, seqLen } = SMALL_GPT_BATCH;
const { beta1, beta2, weightDecay } = SMALL_GPT_OPTIMIZER;
const batch = smallGptBatch();
const weights = smallGptWeights();
const shapes: Record<string, [number, number]> = {};
for (const [name, values] of weights) {
  const matrix = !name.endsWith("norm.weight");
  const dIn = name.includes("down_proj") ? SMALL_GPT.dHidden : dModel;
  if (matrix) shapes[name] = [values.length / dIn, dIn];
}
const arrays = (make: (values: Float32Array<ArrayBuffer>) => InstanceType<typeof np.Array>) =>
  Object.fromEntries(
    [...weights].map(([name, values]) => {
      const flat = make(values);
      const shape = shapes[name];
      return [name, shape === undefined ? flat : flat.reshape(shape)];
    }),
  ) as Arrays;

const tokens = np.array(Int32Array.from(batch.tokens)).reshape([numRows, seqLen]);
const targets = np.array(Int32Array.from(batch.targets));
const future = Float32Array.from({ length: seqLen * seqLen }, (_, i) =>
  i % seqLen > Math.floor(i / seqLen) ? -1e30 : 0,
);
const mask = np.array(future).reshape([seqLen, seqLen]);

const linear = (x: InstanceType<typeof np.Array>, weight: InstanceType<typeof np.Array>) =>
  np.matmul(x, weight.transpose([1, 0]));

function rmsNorm(x: InstanceType<typeof np.Array>, gain: InstanceType<typeof np.Array>) {
  const meanSquare = np.square(x.ref).mean(-1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(meanSquare.add(eps)))).mul(gain);
}

function lossOf(w: Arrays, x: typeof tokens, y: typeof targets, causal: typeof mask) {
  const heads = (a: InstanceType<typeof np.Array>) =>
    a.reshape([numRows, seqLen, numHeads, headDim]);
  let h = np.take(w["model.embed_tokens.weight"]!, x, 0).add(w["model.embed_positions.weight"]!);
  for (let block = 0; block < numBlocks; block++) {
    const of = (part: string) => w[`model.layers.${block}.${part}.weight`]!;
    const normed = rmsNorm(h.ref, of("input_layernorm"));
    const q = heads(linear(normed.ref, of("self_attn.q_proj"))).transpose([0, 2, 1, 3]);
    const k = heads(linear(normed.ref, of("self_attn.k_proj"))).transpose([0, 2, 3, 1]);
    const v = heads(linear(normed, of("self_attn.v_proj"))).transpose([0, 2, 1, 3]);
    const scores = np
      .matmul(q, k)
      .mul(1 / Math.sqrt(headDim))
      .add(causal.ref);
    const attended = np.matmul(nn.softmax(scores, -1), v).transpose([0, 2, 1, 3]);
    h = h.add(linear(attended.reshape([numRows, seqLen, dModel]), of("self_attn.o_proj")));
    const hidden = linear(rmsNorm(h.ref, of("post_attention_layernorm")), of("mlp.up_proj"));
    h = h.add(linear(nn.silu(hidden), of("mlp.down_proj")));
  }
  causal.dispose();
  const logits = linear(rmsNorm(h, w["model.norm.weight"]!), w["lm_head.weight"]!);
  const logProbabilities = nn.logSoftmax(logits.reshape([numRows * seqLen, vocabSize]), -1);
  return logProbabilities
    .mul(nn.oneHot(y, vocabSize))
    .sum()
    .mul(-1 / (numRows * seqLen));
}

const step = jax.jit(
  (
    w: Arrays,
    m: Arrays,
    v: Arrays,
    x: typeof tokens,
    y: typeof targets,
    causal: typeof mask,
    correction1: InstanceType<typeof np.Array>,
    correction2: InstanceType<typeof np.Array>,
  ) => {
    const [loss, gradients] = jax.valueAndGrad(lossOf)(tree.ref(w), x, y, causal);
    const next: { w: Arrays; m: Arrays; v: Arrays } = { w: {}, m: {}, v: {} };
    for (const name of Object.keys(w)) {
      const g = (gradients as Arrays)[name]!;
      next.m[name] = m[name]!.mul(beta1).add(g.ref.mul(1 - beta1));
      next.v[name] = v[name]!.mul(beta2).add(np.square(g).mul(1 - beta2));
      const mean = next.m[name].ref.mul(correction1.ref);
      const deviation = np.sqrt(next.v[name].ref.mul(correction2.ref)).add(SMALL_GPT_OPTIMIZER.eps);
      const update = mean.div(deviation).add(w[name]!.ref.mul(weightDecay));
      next.w[name] = w[name]!.sub(update.mul(SMALL_GPT_LEARNING_RATE));
    }
    correction1.dispose();
    correction2.dispose();
    return [loss, next.w, next.m, next.v] as const;
  },
);

let state = {
  w: arrays((values) => np.array(values)),
  m: arrays((values) => np.zeros([values.length])),
  v: arrays((values) => np.zeros([values.length])),
};
await measure(SMALL_GPT_LOSSES.length + numTimedSteps, async (count) => {
  const correction1 = np.array(1 / (1 - beta1 ** count));
  const correction2 = np.array(1 / (1 - beta2 ** count));
  const { w, m, v } = state;
  const [loss, nextW, nextM, nextV] = step(
    w,
    m,
    v,
    tokens.ref,
    targets.ref,
    mask.ref,
    correction1,
    correction2,
  );
  state = { w: nextW as Arrays, m: nextM as Arrays, v: nextV as Arrays };
  return (await loss.data())[0]!;
});
