import type { Gpu, Values, Variant } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";

/** A tensor to make for a test. */
export interface Input {
  readonly shape: readonly number[];
  readonly values: Values;
  /** Values are bits of halves: an activation, whose gradient is stored as halves too. */
  readonly dtype?: "f16";
  /** Halves are a parameter's, whose gradient is f32. */
  readonly isWeight?: boolean;
}

/** What to run: an op on named inputs, and perhaps its backward from `dy`. */
export interface OpRun<Names extends string> {
  readonly inputs: Readonly<Record<Names, Input>>;
  readonly op: (tape: Tape, tensors: Readonly<Record<Names, Parameter>>) => Tensor;
  /** Gradient of the op's output; no backward pass if absent. */
  readonly dy?: Float32Array<ArrayBuffer>;
  /** How often to replay; gradients add up. */
  readonly runs?: number;
}

/**
 * Records an op, plans it and runs it once: eager execution, for tests.
 *
 * Every f32 input is a parameter, so that its gradient can be read; f16 inputs are activations
 * that carry a gradient, unless they are weights; u32 values make inputs. `dy` is rounded where the
 * output is stored as halves; results and gradients come back as f32 whatever their storage.
 */
export async function runOp<Names extends string>(
  gpu: Gpu,
  variant: Variant,
  { inputs, op, dy, runs = 1 }: OpRun<Names>,
): Promise<{ y: Float32Array; gradients: Record<Names, Float32Array> }> {
  const names = Object.keys(inputs) as Names[];
  const tensors = Object.fromEntries(
    names.map((label) => [label, createTensor(gpu, label, inputs[label])]),
  ) as Record<Names, Parameter>;
  const tape = new Tape({
    variant,
    subgroupSize: gpu.subgroupSize,
    maxBindingBytes: gpu.maxBindingBytes,
    traits: gpu.traits,
    choices: gpu.choices,
  });
  const y = op(tape, tensors);
  const withGradient = names.filter((name) => dy !== undefined && tensors[name].needsGradient);
  if (dy !== undefined) {
    const values = y.dtype === "f16" ? toFloat16(dy) : dy;
    const seed = gpu.tensor(y.shape, { label: "dy", dtype: y.dtype, values });
    const retain = withGradient.map((name) => tensors[name]);
    tape.backward(y, seed, retain);
  }
  const results = [y, ...withGradient.map((name) => tape.gradient(tensors[name]))];
  const keep = results.filter(({ buffer }) => buffer === undefined);
  const plan = await new Plan(gpu, tape, { keep }).compile();
  for (let run = 0; run < runs; run++) plan.run();
  const copies = await plan.read(...results);
  plan.destroy();
  const [output, ...gradients] = results.map((tensor, index) => decode(tensor, copies[index]!));
  return {
    y: output!,
    gradients: Object.fromEntries(
      withGradient.map((name, index) => [name, gradients[index]!]),
    ) as Record<Names, Float32Array>,
  };
}

function createTensor(gpu: Gpu, label: string, input: Input): Tensor {
  const { shape, values, dtype = "f32", isWeight = dtype === "f32" } = input;
  if (values instanceof Uint32Array) return gpu.tensor(shape, { label, dtype: "u32", values });
  if (isWeight) return gpu.parameter(shape, { label, dtype, values });
  return { ...gpu.tensor(shape, { label, dtype, values }), needsGradient: true };
}

/** Values of a tensor as f32, from a copy of its memory. */
function decode({ shape, dtype }: Tensor, copy: Float32Array): Float32Array {
  const length = sizeOf(shape);
  return dtype === "f16" ? fromFloat16(copy.buffer, length) : copy.subarray(0, length);
}
