/** Products and attention in jax-js on WebGPU; see `measureEngine()`. */
import { importPeer } from "./generation.ts";
import { causalMask } from "./heads.ts";
import { type Form, type Job, measureEngine } from "./measure_engine.ts";
import { providePlatform } from "./platform.ts";
import { ATTENTION } from "./tasks.ts";
import type { Arrays } from "./work_files.ts";

/** What is used of its arrays. They are consumed by their use unless `ref` is passed. */
interface JaxArray {
  readonly ref: JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes: readonly number[]): JaxArray;
  add(other: JaxArray): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  sum(): JaxArray;
  blockUntilReady(): Promise<unknown>;
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Compute = (...arrays: JaxArray[]) => JaxArray;

/** What is used of the package. */
interface JaxModule {
  readonly init: () => Promise<unknown>;
  readonly defaultDevice: (name: string) => void;
  readonly jit: <F>(compute: F) => F;
  readonly grad: (
    compute: Compute,
    options: { readonly argnums: readonly number[] },
  ) => (...arrays: JaxArray[]) => JaxArray[];
  readonly numpy: {
    array(values: Float32Array): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
  readonly nn: {
    softmax(x: JaxArray, axis: number): JaxArray;
    dotProductAttention(
      q: JaxArray,
      k: JaxArray,
      v: JaxArray,
      options: { readonly isCausal: boolean },
    ): JaxArray;
  };
}

await providePlatform();
const jax = await importPeer<JaxModule>("@jax-js/jax");
const { numpy: np, nn } = jax;
await jax.init();
jax.defaultDevice("webgpu");
const { numHeads, seqLen, headDim } = ATTENTION;

await measureEngine({
  matmul: ({ a, b }, size) => [
    {
      prepare: async () => {
        const inputs = [a!, b!].map((values) => np.array(values).reshape([size, size]));
        return job(inputs, (x, y) => [np.matmul(x, y)], ["c"]);
      },
    },
  ],
  attention: (inputs) =>
    forms((attend) => async () => {
      const compute = jax.jit(attend);
      return job(tensors(inputs, ["q", "k", "v"]), (...arrays) => [compute(...arrays)], ["y"]);
    }),
  attentionBackward: (inputs) =>
    forms((attend) => async () => {
      const product: Compute = (q, k, v, dy) => attend(q, k, v).mul(dy).sum();
      const compute = jax.jit(jax.grad(product, { argnums: [0, 1, 2] }));
      return job(tensors(inputs, ["q", "k", "v", "dy"]), compute, ["dq", "dk", "dv"]);
    }),
});

function tensors(inputs: Arrays, names: readonly string[]): JaxArray[] {
  return names.map((name) => np.array(inputs[name]!).reshape([1, seqLen, numHeads, headDim]));
}

/** Its own attention, and one of two products. */
function forms(prepare: (attend: Compute) => Form["prepare"]): Form[] {
  const own: Compute = (q, k, v) => nn.dotProductAttention(q, k, v, { isCausal: true });
  return [
    { name: "dotProductAttention", prepare: prepare(own) },
    { name: "matmul, softmax, matmul", prepare: prepare(byProducts) },
  ];
}

function byProducts(...[q, k, v]: JaxArray[]): JaxArray {
  const mask = np.array(causalMask()).reshape([seqLen, seqLen]);
  const keys = k!.transpose([0, 2, 3, 1]);
  const queries = q!.transpose([0, 2, 1, 3]).mul(1 / Math.sqrt(headDim));
  const shares = nn.softmax(np.matmul(queries, keys).add(mask), -1);
  return np.matmul(shares, v!.transpose([0, 2, 1, 3])).transpose([0, 2, 1, 3]);
}

/** Keeps the last results only, as a program would that uses them. */
function job(
  inputs: readonly JaxArray[],
  compute: (...arrays: JaxArray[]) => JaxArray[],
  names: readonly string[],
): Job {
  let results: JaxArray[] = [];
  return {
    run: () => {
      for (const result of results) result.dispose();
      results = compute(...inputs.map(({ ref }) => ref));
    },
    finish: () => Promise.all(results.map((result) => result.blockUntilReady())),
    read: async () => {
      const values = await Promise.all(results.map((result) => result.ref.data()));
      return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
    },
  };
}
