import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fromFloat16, toFloat16 } from "../../engine/float16.ts";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { cast } from "../../engine/ops/cast.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { linear } from "../../engine/ops/linear.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { TokenInput } from "../../engine/segments.ts";
import { Tape } from "../../engine/tape.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { crossEntropyReference } from "../reference/cross_entropy.ts";
import { embeddingReference } from "../reference/embedding.ts";
import { linearReference } from "../reference/linear.ts";
import { castKernel } from "../../shaders/cast.wgsl.ts";
import { openGpu, uniform } from "../support.ts";
import { checkFloat16, withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
/** Each weight below is larger, or its copy as halves or its gradient is; each activation is smaller. */
const limited = await openGpu({ maxBindingBytes: 8192 });
after(() => [gpu, limited].forEach((each) => each.destroy()));
const skip = withoutFloat16(gpu);

const DTYPES = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];
const FROZEN = ["bf16", "int8", "int4"] as const satisfies WeightDType[];

// One rounding to half precision, and the f32 roundings of sums of up to 200 terms in [-1, 1).
const TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 2e-5 };

// Halves of up to 16 that are rounded three times: two results, or a gradient, and their sum.
const TWICE_TOLERANCE = { rtol: 2 ** -10 + 1e-5, atol: 2 * 2 ** -8 };

/** Values that halves hold exactly: copies of them round nothing. */
const exact = (length: number, seed: number) => fromFloat16(toFloat16(uniform(length, seed)));

/** A frozen weight, and what copies of it as halves amount to. */
function frozen(on: Gpu, shape: readonly number[], dtype: WeightDType) {
  const packed = pack(uniform(sizeOf(shape), 2), shape, dtype);
  const weight = on.tensor(shape, { label: "weight", purpose: "weights", dtype, values: packed });
  const copy = fromFloat16(toFloat16(unpack(packed, shape, dtype)));
  return { weight, copy: Float64Array.from(copy) };
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One element; odd and ragged; more than one tile of either variant.
  for (const [numRows, dIn, dOut] of [
    [1, 1, 1],
    [3, 5, 7],
    [66, 33, 130],
  ] as const) {
    for (const storage of ["f32", "f16"] as const) {
      test(
        `linear() ${variant} of [${numRows}, ${dIn}] halves to ${dOut} with weights in ${storage} matches float64, forward and backward`,
        { skip },
        () =>
          checkFloat16(gpu, variant, {
            inputs: {
              x: { shape: [numRows, dIn], values: uniform(numRows * dIn, 1) },
              weight: { shape: [dOut, dIn], values: exact(dOut * dIn, 2) },
              bias: { shape: [dOut], values: uniform(dOut, 3) },
            },
            op: (tape, t) => linear(tape, t.x, t.weight, t.bias),
            reference: linearReference,
            weights: { weight: storage, bias: storage },
            tolerance: TOLERANCE,
          }),
      );
    }
  }

  test(`linear() ${variant} of halves takes an f32 weight in parts`, { skip }, () =>
    checkFloat16(limited, variant, {
      inputs: {
        x: { shape: [3, 64], values: uniform(3 * 64, 1) },
        weight: { shape: [100, 64], values: exact(6400, 2) },
        bias: { shape: [100], values: uniform(100, 3) },
      },
      op: (tape, t) => linear(tape, t.x, t.weight, t.bias),
      reference: linearReference,
      weights: { weight: "f32", bias: "f32" },
      tolerance: TOLERANCE,
    }),
  );

  test(
    `linear() ${variant} of halves in parts adds its gradient to one that x already has`,
    { skip },
    () =>
      checkFloat16(limited, variant, {
        inputs: {
          x: { shape: [3, 64], values: uniform(3 * 64, 1) },
          weight: { shape: [100, 64], values: exact(6400, 2) },
          bias: { shape: [100], values: uniform(100, 3) },
        },
        op: (tape, t) => {
          const y = linear(tape, t.x, t.weight, t.bias);
          return add(tape, y, linear(tape, t.x, t.weight, t.bias));
        },
        reference: (at) => linearReference(at).map((y) => 2 * y),
        weights: { weight: "f32", bias: "f32" },
        tolerance: TWICE_TOLERANCE,
      }),
  );

  for (const dtype of FROZEN) {
    for (const [name, on, dOut, dIn] of [
      ["whole", gpu, 9, 37],
      ["in parts", limited, 150, 64],
    ] as const) {
      test(
        `linear() ${variant} of halves unpacks a frozen ${dtype} weight ${name}, and differentiates x`,
        { skip },
        () => {
          const { weight, copy } = frozen(on, [dOut, dIn], dtype);
          const bias = new Float64Array(dOut);
          return checkFloat16(on, variant, {
            inputs: { x: { shape: [3, dIn], values: uniform(3 * dIn, 1) } },
            op: (tape, { x }) => linear(tape, x, weight),
            reference: ({ x }) => linearReference({ x, weight: copy, bias }),
            tolerance: TOLERANCE,
          });
        },
      );
    }

    test(`embedding() ${variant} looks up halves of a frozen ${dtype} table`, { skip }, () => {
      const { weight, copy } = frozen(gpu, [6, 37], dtype);
      const ids = Uint32Array.of(5, 0, 3, 3);
      const tokens = gpu.tensor([4], { label: "ids", dtype: "u32", values: ids });
      return checkFloat16(gpu, variant, {
        inputs: {},
        op: (tape) => embedding(tape, weight, tokens, { dtype: "f16" }),
        reference: () => embeddingReference(copy, ids, 37),
        forwardOnly: true,
      });
    });
  }

  for (const storage of ["f32", "f16"] as const) {
    test(
      `embedding() ${variant} of halves differentiates a table in ${storage} that is looked up twice`,
      { skip },
      () => {
        const ids = Uint32Array.of(4, 0, 3, 3, 1, 3, 0, 3, 3, 3, 3);
        const tokens = new TokenInput(gpu, { numTokens: ids.length, vocabSize: 6 });
        tokens.write(ids);
        return checkFloat16(gpu, variant, {
          inputs: { table: { shape: [6, 37], values: uniform(6 * 37, 1) } },
          op: (tape, { table }) => embedding(tape, table, tokens, { dtype: "f16" }),
          reference: ({ table }) => embeddingReference(table, ids, 37),
          weights: { table: storage },
        });
      },
    );
  }

  // Several tiles, whose gradients of x add up; one tile, whose logits are kept; parts of a weight.
  for (const [name, on, tileSize] of [
    ["in tiles", gpu, 64],
    ["in one tile", gpu, 256],
    ["within a binding", limited, 256],
  ] as const) {
    for (const storage of ["f32", "f16"] as const) {
      test(
        `linearCrossEntropy() ${variant} of halves over an output in ${storage} ${name} matches float64, forward and backward`,
        { skip },
        () => {
          const [numRows, dModel, vocabSize] = [9, 16, 200];
          const targets = Uint32Array.from({ length: numRows }, (_, m) => (m * 37) % vocabSize);
          const values = uniform(numRows, 3);
          const weights = on.tensor([numRows], { label: "weights", values });
          return checkFloat16(on, variant, {
            inputs: {
              x: { shape: [numRows, dModel], values: uniform(numRows * dModel, 1) },
              weight: { shape: [vocabSize, dModel], values: exact(vocabSize * dModel, 2) },
              targets: { shape: [numRows], values: targets },
            },
            op: (tape, t) => linearCrossEntropy(tape, { ...t, weights }, { tileSize }).loss,
            reference: ({ x, weight }) =>
              Float64Array.of(
                crossEntropyReference({ x, weight, dModel, targets, weights: values }).loss,
              ),
            weights: { weight: storage },
            tolerance: TOLERANCE,
          });
        },
      );
    }
  }

  test(`cast() ${variant} rounds weights of every storage as the host does`, { skip }, async () => {
    const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
    const cases = DTYPES.flatMap((dtype) =>
      // Odd rows, whose halves begin within words; ragged blocks; many runs.
      [1, 7, 34, 64].map((width) => {
        const shape = [19, width];
        const packed = pack(uniform(19 * width, width), shape, dtype);
        const weight = gpu.tensor(shape, { label: "weight", dtype, values: packed });
        const expected = toFloat16(unpack(packed, shape, dtype));
        return { weight, expected, copy: cast(tape, weight), dtype };
      }),
    );
    const keep = cases.filter(({ dtype }) => dtype !== "f16").map(({ copy }) => copy);
    const plan = await new Plan(gpu, tape, { keep }).compile();
    plan.run();
    for (const { weight, copy, expected, dtype } of cases) {
      if (dtype === "f16") {
        assert.equal(copy, weight, "halves need no copy");
        continue;
      }
      const [bits] = await plan.read(copy);
      const halves = new Uint16Array(bits!.buffer, 0, expected.length);
      assert.deepEqual(halves, expected, `${dtype} [${weight.shape.join(", ")}]`);
    }
    plan.destroy();
  });
}

test("cast() makes infinite what halves cannot hold, and keeps NaN", { skip }, async () => {
  const cases = [
    [65_504, 65_504],
    [65_519.996, 65_504],
    [65_520, Infinity],
    [-65_519, -65_504],
    [-65_520, -Infinity],
    [1e30, Infinity],
    [2 ** -26, 0],
    [-0, -0],
    [Infinity, Infinity],
    [-Infinity, -Infinity],
    [NaN, NaN],
  ] as const;
  const values = Float32Array.from(cases, ([value]) => value);
  const tape = new Tape(gpu);
  const copy = cast(tape, gpu.tensor([values.length], { label: "weight", values }));
  const plan = await new Plan(gpu, tape, { keep: [copy] }).compile();
  plan.run();
  const [bits] = await plan.read(copy);
  const halves = new Uint16Array(bits!.buffer, 0, values.length);
  assert.deepEqual(
    [...fromFloat16(halves)],
    cases.map(([, half]) => half),
  );
  plan.destroy();
});

test("cast() asks the driver for no infinity but those made of bits", () => {
  const constants = { weight: "f32", alignment: 1, accumulate: true } as const;
  const code = castKernel.code({ ...constants, workgroupSize: 8, elementsPerLane: 1 });
  const conversions = code.match(/f16\((?!\))[^;]*/g) ?? [];
  const [finite = "", special = "", ...others] = conversions;
  assert.equal(finite, "f16(clamp(value, -65504.0, 65504.0))");
  assert.match(special, /^f16\(unpack2x16float\(/);
  assert.deepEqual(others, []);
});

test("linear() of halves refuses a packed weight that is to be trained", () => {
  const tape = new Tape(gpu);
  const x = tape.activation([2, 4], { label: "x", dtype: "f16" });
  const weight = gpu.parameter([3, 4], { label: "weight", dtype: "bf16" });
  assert.throws(() => linear(tape, x, weight), { name: "TypeError", message: /must be frozen/ });
});
