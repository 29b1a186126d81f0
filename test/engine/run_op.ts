import type { Gpu, Values, Variant } from "../../engine/gpu.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Parameter, Tensor } from "../../engine/tensor.ts";

/** A tensor to make for a test. */
export interface Input {
  readonly shape: readonly number[];
  readonly values: Values;
  readonly dtype?: "f16";
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
 * Every f32 and f16 input is a parameter, so that its gradient can be read; u32 values make inputs.
 */
export async function runOp<Names extends string>(
  gpu: Gpu,
  variant: Variant,
  { inputs, op, dy, runs = 1 }: OpRun<Names>,
): Promise<{ y: Float32Array; gradients: Record<Names, Float32Array> }> {
  const names = Object.keys(inputs) as Names[];
  const tensors = Object.fromEntries(
    names.map((label) => {
      const { shape, values, dtype = "f32" } = inputs[label];
      const tensor =
        values instanceof Uint32Array
          ? gpu.tensor(shape, { label, dtype: "u32", values })
          : gpu.parameter(shape, { label, dtype, values });
      return [label, tensor];
    }),
  ) as Record<Names, Parameter>;
  const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
  const y = op(tape, tensors);
  if (dy !== undefined) tape.backward(y, gpu.tensor(y.shape, { label: "dy", values: dy }));
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  for (let run = 0; run < runs; run++) plan.run();
  const [output] = await plan.read(y);
  const withGradient = names.filter((name) => tensors[name].needsGradient);
  const gradients = Object.fromEntries(
    await Promise.all(
      withGradient.map(async (name) => [name, await gpu.read(tensors[name].gradient)] as const),
    ),
  ) as Record<Names, Float32Array>;
  plan.destroy();
  return { y: output!, gradients };
}
