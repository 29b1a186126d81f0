import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import type { MatmulProblem } from "../../engine/ops/matmul_family.ts";
import { matrixProducts } from "../../engine/ops/matmul_matrix.ts";
import { MATMUL } from "../../engine/ops/matmul_tunable.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { keyOf } from "../../engine/tuning/tunable.ts";
import type { EpilogueConstants, Layout } from "../../shaders/linear_product.wgsl.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { matmulReference } from "../reference/matmul.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16, withoutHalfCasts } from "./check_op.ts";

const LAYOUTS = ["nn", "nt", "tn"] as const satisfies Layout[];

/** Shapes of matrices, `[m, n, k]`, as adapters list them. */
const SHAPES = [
  [16, 16, 16],
  [16, 8, 16],
  [8, 16, 16],
  [8, 8, 8],
] as const;

const gpus = await Promise.all(
  SHAPES.map(([m, n, k]) => {
    const matrix = { m, n, k, subgroupSize: 32, emulated: true };
    return openGpu({ variant: "tiled", traits: { matrix } });
  }),
);
after(() => gpus.forEach((gpu) => gpu.destroy()));
const [gpu] = gpus as [Gpu];
const skip = withoutFloat16(gpu);
/** Reading rows that begin anywhere casts two halves to a word. */
const skipOdd = skip || (await withoutHalfCasts(gpu));

/** Of sums of up to 100 products in [-1, 1), which f32 rounds at a size of up to 10. */
const SUM_TOLERANCE = { rtol: 2e-6, atol: 2e-5 };

/** As above, and one rounding to half precision. */
const HALF_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 2e-5 };

/** Two subgroups, of which each has matrices along both axes of its block or but one. */
const CHOICE = {
  kernel: "matrix",
  tileRows: 32,
  tileColumns: 32,
  subgroupRows: 2,
  subgroupColumns: 1,
  step: 16,
  stages: 1,
  splits: 1,
};

interface Case {
  readonly layout: Layout;
  readonly sizes: readonly [numRows: number, numColumns: number, depth: number];
  readonly choice?: Partial<typeof CHOICE>;
  /** Of `c`. */
  readonly storage?: "f32" | "f16";
  /** Columns of `a` and `c` before and after the windows. */
  readonly beside?: number;
  readonly epilogue?: Partial<EpilogueConstants>;
  readonly scale?: number;
  readonly numBatches?: number;
}

/** Values that halves hold exactly, and their bits. */
function halves(length: number, seed: number) {
  const bits = toFloat16(uniform(length, seed));
  return { bits, values: fromFloat16(bits.buffer, length) };
}

const divisorOf = (...lengths: readonly number[]) =>
  [8, 4, 2].find((divisor) => lengths.every((length) => length % divisor === 0)) ?? 1;

/** Runs a product with subgroup matrices, and checks all of `c`, what lies beside it too. */
async function check(on: Gpu, given: Case): Promise<void> {
  const { layout, sizes, storage = "f32", beside = 0, scale = 1, numBatches = 1 } = given;
  const [numRows, numColumns, depth] = sizes;
  const [aRows, aColumns] = layout === "tn" ? [depth, numRows] : [numRows, depth];
  const [aStride, cStride] = [aColumns + 2 * beside, numColumns + 2 * beside];
  const strides = {
    aBatch: aRows * aStride,
    bBatch: depth * numColumns,
    cBatch: numRows * cStride,
  };
  const a = halves(numBatches * strides.aBatch, 1);
  const b = halves(numBatches * strides.bBatch, 2);
  const bias = halves(cStride, 3);
  const residual = halves(numBatches * strides.cBatch, 4);
  const old = halves(numBatches * strides.cBatch, 5);
  const tensor = (label: string, { bits: values }: ReturnType<typeof halves>) =>
    on.tensor([values.length], { label, dtype: "f16", values });
  const c =
    storage === "f16"
      ? tensor("c", old)
      : on.tensor([old.values.length], { label: "c", values: old.values });
  const epilogue = {
    storage: { a: "f16", b: "f16", bias: "f16", residual: "f16", c: storage },
    accumulate: false,
    bias: false,
    activation: "none",
    residual: false,
    ...given.epilogue,
  } as const;
  const tape = new Tape(on);
  matrixProducts.record(
    tape,
    {
      problem: {
        layout,
        numRows,
        numColumns,
        depth,
        numBatches,
        storage: epilogue.storage,
        alignment: {
          a: divisorOf(aStride, beside, aColumns),
          b: divisorOf(layout === "nt" ? depth : numColumns),
          c: divisorOf(cStride, beside, numColumns),
          depth: divisorOf(depth),
        },
      },
      epilogue,
      params: {
        numRows,
        numColumns,
        depth,
        aStride,
        aBegin: beside,
        cStride,
        cBegin: beside,
        ...strides,
        numParts: numBatches,
        partDepth: depth,
        scale,
      },
      buffers: {
        a: tensor("a", a),
        b: tensor("b", b),
        c,
        bias: tensor("bias", bias),
        residual: tensor("residual", residual),
      },
    },
    { ...CHOICE, ...given.choice },
  );
  const plan = await new Plan(on, tape).compile();
  plan.run();
  const [copy] = await plan.read(c);
  plan.destroy();
  const window = a.values.filter(
    (_, i) => i % aStride >= beside && i % aStride < beside + aColumns,
  );
  const all = { numRows, numColumns, depth, numBatches };
  const sums = matmulReference(layout, { a: window, b: b.values }, all);
  const expected = Float64Array.from(old.values, (before, i) => {
    const n = (i % cStride) - beside;
    if (n < 0 || n >= numColumns) return before;
    const sum = sums[Math.floor(i / cStride) * numColumns + n]!;
    const x = scale * sum + (epilogue.bias ? bias.values[beside + n]! : 0);
    const y = epilogue.activation === "silu" ? x / (1 + Math.exp(-x)) : x;
    return y + (epilogue.residual ? residual.values[i]! : 0) + (epilogue.accumulate ? before : 0);
  });
  const got = storage === "f16" ? fromFloat16(copy!.buffer, expected.length) : copy!;
  assertClose(got, expected, {
    what: "c",
    ...(storage === "f16" ? HALF_TOLERANCE : SUM_TOLERANCE),
  });
}

for (const [index, on] of gpus.entries()) {
  for (const layout of LAYOUTS) {
    test(
      `matrixProducts ${layout} of ${SHAPES[index]!.join(" x ")} matrices matches float64 at odd edges`,
      { skip: skipOdd },
      () => check(on, { layout, sizes: [37, 35, 33] }),
    );
  }
}

for (const layout of LAYOUTS) {
  test(
    `matrixProducts ${layout} in two stages matches float64 over many steps`,
    { skip: skipOdd },
    () => check(gpu, { layout, sizes: [40, 33, 90], choice: { stages: 2 } }),
  );

  test(`matrixProducts ${layout} without stages matches float64 of whole tiles`, { skip }, () =>
    check(gpu, { layout, sizes: [64, 32, 48], choice: { stages: 0 }, beside: 8 }),
  );

  // Windows that begin at multiples of 8, 4 and 2, and at odd places.
  for (const beside of [8, 4, 2, 1]) {
    test(
      `matrixProducts ${layout} of windows ${beside} columns from the edge leaves what lies beside`,
      { skip: beside === 1 ? skipOdd : skip },
      () =>
        check(gpu, {
          layout,
          sizes: [40, 48, 24],
          beside,
          storage: "f16",
          epilogue: { accumulate: true, bias: true },
        }),
    );
  }

  test(
    `matrixProducts ${layout} splits the depth at the end of a step, in windows too`,
    { skip: skipOdd },
    () =>
      check(gpu, {
        layout,
        sizes: [33, 36, 70],
        beside: 3,
        choice: { splits: 3 },
        scale: 0.5,
        epilogue: { bias: true, residual: true, accumulate: true },
      }),
  );

  test(`matrixProducts ${layout} multiplies each matrix of a batch`, { skip: skipOdd }, () =>
    check(gpu, { layout, sizes: [17, 24, 40], numBatches: 3 }),
  );
}

test("matrixProducts applies the whole epilogue in order", { skip }, () =>
  check(gpu, {
    layout: "nt",
    sizes: [33, 40, 16],
    scale: 0.25,
    storage: "f16",
    epilogue: { accumulate: true, bias: true, activation: "silu", residual: true },
  }),
);

test("matrixProducts reaches all tiles where rows of tiles fill no group", { skip }, () =>
  // 11 rows of tiles in groups of 8, two columns.
  check(gpu, { layout: "nn", sizes: [11 * 32 - 5, 50, 16] }),
);

test("matrixProducts of one element is a product", { skip: skipOdd }, () =>
  check(gpu, { layout: "nt", sizes: [1, 1, 1] }),
);

const problem: MatmulProblem = {
  layout: "nt",
  numRows: 64,
  numColumns: 48,
  depth: 32,
  numBatches: 1,
  storage: { a: "f16", b: "f16", c: "f16" },
  alignment: { a: 8, b: 8, c: 8, depth: 8 },
};

test("matrixProducts are offered for halves on tiled devices with matrices, never by default", () => {
  const { variant, subgroupSize, traits } = gpu;
  const device = { variant, subgroupSize, traits };
  const all = MATMUL.candidates(device, problem);
  assert.notEqual(all[0]!["kernel"], "matrix");
  assert.ok(all.some(({ kernel }) => kernel === "matrix"));
  const { matrix: _, ...without } = traits;
  const float32 = { ...problem, storage: { ...problem.storage, b: "f32" as const } };
  assert.deepEqual(matrixProducts.candidates({ ...device, traits: without }, problem), []);
  assert.deepEqual(matrixProducts.candidates({ ...device, variant: "flat" }, problem), []);
  assert.deepEqual(matrixProducts.candidates(device, float32), []);
});

test("matrixProducts are offered without stages for whole tiles only", () => {
  const stages = (numRows: number) =>
    matrixProducts
      .candidates(gpu, { ...problem, numRows, numColumns: 64 })
      .map((choice) => choice["stages"]);
  assert.ok(stages(64).includes(0));
  assert.ok(!stages(60).includes(0));
});

test("matmul() computes with subgroup matrices where they were chosen", { skip }, async () => {
  const [numRows, numColumns, depth] = [33, 40, 24];
  const a = halves(numRows * depth, 1);
  const b = halves(numColumns * depth, 2);
  const at = {
    ...problem,
    numRows,
    numColumns,
    depth,
    storage: { a: "f16", b: "f16", c: "f32" } as const,
  };
  const choices = new Map([[keyOf(MATMUL, at), matrixProducts.candidates(gpu, at)[0]!]]);
  const tape = new Tape({ ...gpuOptions(gpu), choices });
  const c = tape.activation([numRows, numColumns], { label: "c" });
  const tensor = (label: string, rows: number, { bits: values }: ReturnType<typeof halves>) =>
    gpu.tensor([rows, depth], { label, dtype: "f16", values });
  matmul(tape, "nt", { a: tensor("a", numRows, a), b: tensor("b", numColumns, b), c });
  assert.deepEqual(
    tape.dispatches.map(({ kernel }) => kernel.name),
    ["matmulMatrix"],
  );
  const plan = await new Plan(gpu, tape, { keep: [c] }).compile();
  plan.run();
  const [got] = await plan.read(c);
  plan.destroy();
  const sizes = { numRows, numColumns, depth, numBatches: 1 };
  const expected = matmulReference("nt", { a: a.values, b: b.values }, sizes);
  assertClose(got!, expected, { what: "c", ...SUM_TOLERANCE });
});

/** What a tape takes of a device. */
function gpuOptions({ variant, subgroupSize, maxBindingBytes, traits }: Gpu) {
  return { variant, subgroupSize, maxBindingBytes, traits };
}
