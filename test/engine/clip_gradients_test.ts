import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { clipGradients } from "../../engine/ops/clip_gradients.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { destroyAll } from "../../engine/tensor.ts";
import { dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// A lane adds up to 512 squares one after another; errors of 6e-8 grow as a random walk does.
const TOLERANCE = { rtol: 2e-6, atol: 0 };

/** Clips gradients of some values; the result is `[scale, nonFinite, norm]`. */
async function clipOf(
  variant: Variant,
  gradients: readonly Float32Array<ArrayBuffer>[],
  maxNorm: number,
  lossScale?: number,
): Promise<Float32Array> {
  const parameters = gradients.map((values, i) => {
    const parameter = gpu.parameter([values.length], { label: `p${i}` });
    gpu.write(parameter.gradient, values);
    return parameter;
  });
  const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
  const limit = gpu.tensor([1], { label: "maxNorm", values: new Float32Array([maxNorm]) });
  const scale =
    lossScale === undefined
      ? undefined
      : gpu.tensor([1], { label: "lossScale", values: Float32Array.of(lossScale) });
  const clip = clipGradients(tape, [...parameters, parameters[0]!], limit, scale);
  const plan = await new Plan(gpu, tape, { keep: [clip] }).compile();
  plan.run();
  const [values] = await plan.read(clip);
  plan.destroy();
  destroyAll(parameters.flatMap((parameter) => [parameter, parameter.gradient]));
  return values!.subarray(0, 3);
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One element; a chunk exactly (4096); several, ragged; more partial sums than lanes.
  for (const lengths of [[1], [4096], [4097, 1, 300, 10_000], [2_100_000]]) {
    test(`clipGradients() ${variant} of ${lengths.join(" + ")} elements matches float64`, async () => {
      const gradients = lengths.map((length, i) => uniform(length, i + 1));
      const norm = Math.sqrt(gradients.reduce((sum, values) => sum + dot(values, values), 0));
      const clipped = await clipOf(variant, gradients, norm / 4);
      assertClose(clipped, [0.25, 0, norm], { what: "clip", ...TOLERANCE });
      const free = await clipOf(variant, gradients, norm * 4);
      assertClose(free, [1, 0, norm], { what: "clip", ...TOLERANCE });
      assert.deepEqual(await clipOf(variant, gradients, norm / 4), clipped, "reruns are bit-equal");
    });
  }

  test(`clipGradients() ${variant} divides by a loss scale without rounding`, async () => {
    const gradients = [uniform(300, 1), uniform(77, 2)];
    const scaled = gradients.map((values) => values.map((value) => 2 ** 14 * value));
    for (const maxNorm of [1, 1e6]) {
      const [factor, finite, norm] = await clipOf(variant, gradients, maxNorm);
      const clip = await clipOf(variant, scaled, maxNorm, 2 ** 14);
      assert.deepEqual([...clip], [factor! / 2 ** 14, finite, norm]);
    }
    const overflow = await clipOf(variant, [Float32Array.of(1, Infinity)], 1, 2 ** 14);
    assert.deepEqual([...overflow], [0, 1, 0]);
  });

  test(`clipGradients() ${variant} of zeros clips nothing`, async () => {
    assert.deepEqual([...(await clipOf(variant, [new Float32Array(9)], 1))], [1, 0, 0]);
  });

  for (const bad of [NaN, Infinity, -Infinity, 1e30]) {
    test(`clipGradients() ${variant} flags a sum made non-finite by ${bad}`, async () => {
      for (const position of [0, 5000, 8192]) {
        const values = uniform(8193, 1);
        values[position] = bad;
        const clip = await clipOf(variant, [uniform(10, 2), values], 1);
        assert.deepEqual([...clip], [0, 1, 0]);
      }
    });
  }

  test(`clipGradients() ${variant} flags partial sums that overflow together`, async () => {
    // Each square is 2.25e38, near the largest f32 of 3.4e38; they land in different chunks.
    const values = new Float32Array(3 * 4096);
    values[0] = values[4096] = values[8192] = 1.5e19;
    assert.deepEqual([...(await clipOf(variant, [values], 1))], [0, 1, 0]);
  });
}

test("clipGradients() throws without parameters, or with a loss scale for each of several", () => {
  const maxNorm = gpu.tensor([1], { label: "maxNorm" });
  const lossScale = gpu.tensor([2], { label: "lossScale" });
  const parameters = [gpu.parameter([2], { label: "p" })];
  assert.throws(() => clipGradients(new Tape(gpu), parameters, maxNorm, lossScale), {
    name: "RangeError",
    message: "Cannot clip gradients: lossScale must be [1] f32, got [2] f32",
  });
  assert.throws(
    () => clipGradients(new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize }), [], maxNorm),
    {
      name: "RangeError",
      message:
        "Cannot clip gradients: parameters must be given and maxNorm be [1] f32, got 0 and [1] f32",
    },
  );
});
