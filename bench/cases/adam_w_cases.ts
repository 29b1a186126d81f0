import { ADAM_W_SCHEDULE_LENGTH, adamWSchedule, adamWStep } from "../../engine/ops/adam_w.ts";
import type { KernelCase, Scale } from "./kernel_case.ts";
import { GPT2_124M } from "./models.ts";

const SETTINGS = { learningRate: 1e-3, step: 3, beta1: 0.9, beta2: 0.95, eps: 1e-8 } as const;
const WEIGHT_DECAY = 0.1;
const CLIP = 0.5;

/** Rows of GPT-2's embedding, the largest of its weights. */
const NUM_ROWS = { small: 1024, full: GPT2_124M.config.vocabSize } as const;

/** A step of the optimizer on one large weight. */
export function adamWCases(scale: Scale): KernelCase[] {
  const shape = [NUM_ROWS[scale], GPT2_124M.config.dModel];
  const length = shape[0]! * shape[1]!;
  return [
    {
      id: `adamW f32 GPT-2 124M ${shape.join("x")}`,
      group: "optimizer",
      shape: `[${shape.join(", ")}]`,
      dtype: "f32",
      needsFloat16: false,
      isQuick: true,
      flops: 15 * length,
      // Weight, gradient and both moments, read and written.
      bytes: 8 * 4 * length,
      record: (tape, make) => {
        const weight = make.parameter("weight", shape);
        const gradient = make.values(length);
        make.write(weight.tensor.gradient, gradient);
        const m = make.tensor("m", shape);
        const v = make.tensor("v", shape);
        const squares = v.values.map(Math.abs);
        make.write(v.tensor, squares);
        const schedule = make.empty("schedule", [ADAM_W_SCHEDULE_LENGTH]);
        make.write(schedule, adamWSchedule(SETTINGS));
        const clip = make.empty("clip", [3]);
        make.write(clip, Float32Array.of(CLIP, 0, 1));
        const state = { m: m.tensor, v: v.tensor };
        adamWStep(tape, [{ parameter: weight.tensor, state, weightDecay: WEIGHT_DECAY }], {
          schedule,
          clip,
        });
        const { learningRate, step, beta1, beta2, eps } = SETTINGS;
        const mean = (i: number) => beta1 * m.values[i]! + (1 - beta1) * CLIP * gradient[i]!;
        const square = (i: number) =>
          beta2 * squares[i]! + (1 - beta2) * (CLIP * gradient[i]!) ** 2;
        const updated = (i: number) => {
          const deviation = Math.sqrt(square(i) / (1 - beta2 ** step)) + eps;
          const direction = mean(i) / (1 - beta1 ** step) / deviation;
          const old = weight.values[i]!;
          return old - learningRate * (direction + WEIGHT_DECAY * old);
        };
        const near = (of: (i: number) => number) => (i: number) => ({ value: of(i), magnitude: 1 });
        return [
          { name: "weight", tensor: weight.tensor, expected: near(updated) },
          { name: "m", tensor: m.tensor, expected: near(mean) },
          { name: "v", tensor: v.tensor, expected: near(square) },
          { name: "gradient", tensor: weight.tensor.gradient, expected: near(() => 0) },
        ];
      },
    },
  ];
}
