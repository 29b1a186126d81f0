/** Products and attention in TensorFlow.js on WebGPU; see `measureEngine()`. */
import { byHead, byToken, causalMask } from "./heads.ts";
import { type Job, measureEngine } from "./measure_engine.ts";
import { ATTENTION } from "./tasks.ts";
import { finishTensors, openTensorFlow, type Tensor } from "./tfjs_module.ts";
import type { Arrays } from "./work_files.ts";

const tf = await openTensorFlow();
const { numHeads, seqLen, headDim } = ATTENTION;

await measureEngine({
  matmul: ({ a, b }, size) => [
    {
      prepare: async () => {
        const [x, y] = [a!, b!].map((values) => tf.tensor(values, [size, size]));
        return job(
          () => [tf.matMul(x!, y!)],
          ["c"],
          (values) => values,
        );
      },
    },
  ],
  attention: (inputs) => [
    {
      prepare: async () => {
        const [q, k, v] = tensors(inputs, ["q", "k", "v"]);
        const mask = tf.tensor(causalMask(), [seqLen, seqLen]);
        return job(() => [attend(mask)(q!, k!, v!)], ["y"], byToken);
      },
    },
  ],
  attentionBackward: (inputs) => [
    {
      prepare: async () => {
        const [q, k, v, dy] = tensors(inputs, ["q", "k", "v", "dy"]);
        const differentiate = tf.grads(attend(tf.tensor(causalMask(), [seqLen, seqLen])));
        return job(() => differentiate([q!, k!, v!], dy!), ["dq", "dk", "dv"], byToken);
      },
    },
  ],
});

/** Heads first, as its products want them. */
function tensors(inputs: Arrays, names: readonly string[]): Tensor[] {
  const shape = [1, numHeads, seqLen, headDim];
  return names.map((name) => tf.tensor(byHead(inputs[name]!), shape));
}

function attend(mask: Tensor) {
  return (q: Tensor, k: Tensor, v: Tensor): Tensor => {
    const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim));
    return tf.matMul(tf.softmax(tf.add(scores, mask)), v);
  };
}

function job(
  compute: () => Tensor[],
  names: readonly string[],
  order: (values: Float32Array) => Float32Array,
): Job {
  let results: Tensor[] = [];
  return {
    run: () => {
      tf.dispose(results);
      results = tf.tidy(compute);
    },
    finish: () => finishTensors(tf),
    read: async () => {
      const values = await Promise.all(results.map((result) => result.data()));
      return Object.fromEntries(names.map((name, i) => [name, order(values[i]!)]));
    },
  };
}
