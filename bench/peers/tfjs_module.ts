import { createRequire } from "node:module";
import { importPeer } from "./generation.ts";
import { providePlatform } from "./platform.ts";

/** What is used of its tensors. */
export interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** A tensor that is trained or updated. */
export interface Variable extends Tensor {
  readonly name: string;
  assign(value: Tensor): void;
}

/** What is used of TensorFlow.js. */
export interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  getBackend(): string;
  backend(): unknown;
  tensor(
    values: Float32Array | Int32Array,
    shape: readonly number[],
    dtype?: "float32" | "int32",
  ): Tensor;
  variable(value: Tensor, trainable: boolean): Variable;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  transpose(x: Tensor, axes: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor | number): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor | number): Tensor;
  neg(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sigmoid(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  logSoftmax(x: Tensor): Tensor;
  mean(x: Tensor, axis?: number, keepDims?: boolean): Tensor;
  sum(x: Tensor, axis?: number): Tensor;
  gather(x: Tensor, indices: Tensor): Tensor;
  oneHot(indices: Tensor, depth: number, on?: number, off?: number, dtype?: "float32"): Tensor;
  grads(
    compute: (a: Tensor, b: Tensor, c: Tensor) => Tensor,
  ): (arguments_: Tensor[], dy: Tensor) => Tensor[];
  variableGrads(
    compute: () => Tensor,
    variables: readonly Variable[],
  ): { readonly value: Tensor; readonly grads: Readonly<Record<string, Tensor>> };
  tidy<T extends Tensor | Tensor[]>(compute: () => T): T;
  dispose(tensors: readonly Tensor[]): void;
}

/** What is used of its WebGPU backend, which offers no other way to wait without reading back. */
interface WebGpuBackend {
  readonly queue: GPUQueue;
  endComputePassEncoder?(): void;
  submitQueue(): void;
}

/** TensorFlow.js on its WebGPU backend, on the adapter that tenure uses. */
export async function openTensorFlow(): Promise<TensorFlow> {
  await providePlatform();
  const tf = await importPeer<TensorFlow>("@tensorflow/tfjs-core");
  // Its build for Node leaves gradients out; their modules import folders, which only require() does.
  createRequire(import.meta.url)("@tensorflow/tfjs-core/dist/register_all_gradients.js");
  await importPeer("@tensorflow/tfjs-backend-webgpu");
  await tf.setBackend("webgpu");
  await tf.ready();
  if (tf.getBackend() !== "webgpu") {
    throw new Error(
      `Cannot run TensorFlow.js on WebGPU: its backend must start, got "${tf.getBackend()}"`,
    );
  }
  return tf;
}

/** Submits what it has collected, and waits. */
export async function finishTensors(tf: TensorFlow): Promise<void> {
  const backend = tf.backend() as WebGpuBackend;
  backend.endComputePassEncoder?.();
  backend.submitQueue();
  await backend.queue.onSubmittedWorkDone();
}
