/** Products and attention in tenure; see `measureEngine()`. */
import { openAdapter } from "../../cli/platform/dawn.ts";
import { Gpu } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Job, measureEngine } from "./measure_engine.ts";
import { ATTENTION } from "./tasks.ts";
import type { Arrays } from "./work_files.ts";

const { adapter } = await openAdapter();
const gpu = await Gpu.open(adapter);

await measureEngine({
  matmul: ({ a, b }, size) => [{ prepare: () => product(a!, b!, size) }],
  attention: (inputs) => [{ prepare: () => attention(inputs, false) }],
  attentionBackward: (inputs) => [{ prepare: () => attention(inputs, true) }],
});

async function product(
  a: Float32Array<ArrayBuffer>,
  b: Float32Array<ArrayBuffer>,
  size: number,
): Promise<Job> {
  const shape = [size, size];
  const c = gpu.tensor(shape, { label: "c" });
  const tape = new Tape(gpu);
  matmul(tape, "nn", {
    a: gpu.tensor(shape, { label: "a", values: a }),
    b: gpu.tensor(shape, { label: "b", values: b }),
    c,
  });
  return job(await new Plan(gpu, tape).compile(), { c });
}

async function attention(inputs: Arrays, isBackward: boolean): Promise<Job> {
  const { numHeads, seqLen, headDim } = ATTENTION;
  const tensor = (label: string): Tensor => ({
    ...gpu.tensor([seqLen, numHeads * headDim], { label, values: inputs[label]! }),
    needsGradient: isBackward,
  });
  const mask = (label: string, value: number): Tensor => {
    const values = new Uint32Array(seqLen).fill(value);
    return gpu.tensor([seqLen], { label, dtype: "u32", values });
  };
  const [q, k, v] = [tensor("q"), tensor("k"), tensor("v")];
  const masks = { starts: mask("starts", 0), ends: mask("ends", seqLen) };
  const tape = new Tape(gpu);
  const sizes = { seqLen, numHeads, numKvHeads: numHeads, headDim };
  const y = causalAttention(tape, { q, k, v, ...masks }, sizes);
  if (!isBackward) return job(await new Plan(gpu, tape, { keep: [y] }).compile(), { y });
  tape.backward(y, tensor("dy"), [q, k, v]);
  const gradients = { dq: tape.gradient(q), dk: tape.gradient(k), dv: tape.gradient(v) };
  const keep = Object.values(gradients);
  return job(await new Plan(gpu, tape, { keep }).compile(), gradients);
}

function job(plan: Plan, results: Readonly<Record<string, Tensor>>): Job {
  return {
    run: () => plan.run(),
    finish: () => gpu.device.queue.onSubmittedWorkDone(),
    read: async () => {
      const values = await plan.read(...Object.values(results));
      return Object.fromEntries(Object.keys(results).map((name, i) => [name, values[i]!]));
    },
  };
}
