import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { MatmulProblem } from "../../engine/ops/matmul_family.ts";
import { matrixProducts } from "../../engine/ops/matmul_matrix.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { MatrixTraits } from "../../engine/tuning/traits.ts";
import type { Choice } from "../../engine/tuning/tunable.ts";
import type { Kernel } from "../../shaders/kernel.ts";
import {
  enableMatrices,
  loadMatrix,
  type MatrixPlace,
  type MatrixShape,
  matrixDeclarations,
  multiplyAdd,
  storeMatrix,
  subgroupIndex,
  subgroupParameter,
} from "../../shaders/subgroup_matrix.wgsl.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";
import { errorsOf, makePipeline, openNullDevice } from "./null_device.ts";

const gpu = await openGpu();
const device = await openNullDevice();
after(() => [gpu, device].forEach((each) => each?.destroy()));
const skip = device === undefined ? "not covered in this runtime: Dawn's null backend" : false;

/** Matrices, `[m, n, k, subgroupSize]`, as adapters list them. */
const SHAPES = [
  [16, 16, 16, 32],
  [16, 8, 16, 32],
  [16, 16, 16, 64],
  [8, 16, 16, 16],
  [8, 8, 8, 32],
] as const;

const traitsOf = ([m, n, k, subgroupSize]: (typeof SHAPES)[number]): MatrixTraits => ({
  m,
  n,
  k,
  subgroupSize,
  emulated: false,
});

const problem: MatmulProblem = {
  layout: "nn",
  numRows: 4096,
  numColumns: 2048,
  depth: 8192,
  numBatches: 1,
  storage: { a: "f16", b: "f16", c: "f16" },
  alignment: { a: 8, b: 8, c: 8, depth: 8 },
};

/** Problems of every alignment and storage: whole tiles, and ragged. */
const PROBLEMS = (["nn", "nt", "tn"] as const).flatMap((layout) => [
  { ...problem, layout },
  { ...problem, layout, numBatches: 2 },
  ...([4, 2, 1] as const).map((one) => ({
    ...problem,
    layout,
    numRows: 4100,
    storage: { ...problem.storage, c: "f32" as const },
    alignment: { a: one, b: one, c: one, depth: one },
  })),
]);

/** Texts of the kernels with matrices that a choice records. */
function textsOf(traits: MatrixTraits, of: MatmulProblem, choice: Choice): string[] {
  const tape = new Tape({ variant: "tiled", subgroupSize: 0, traits: large(traits) });
  const tensor = tape.activation([1], { label: "operand", dtype: "f16" });
  const { numRows, numColumns, depth, numBatches } = of;
  const params = { numRows, numColumns, depth, numParts: numBatches, partDepth: depth, scale: 1 };
  const windows = { aStride: 0, aBegin: 0, cStride: 0, cBegin: 0, aBatch: 0, bBatch: 0, cBatch: 0 };
  matrixProducts.record(
    tape,
    {
      problem: of,
      epilogue: {
        storage: { ...of.storage, bias: "f16", residual: "f16" },
        accumulate: true,
        bias: true,
        activation: "gelu",
        residual: true,
      },
      params: { ...params, ...windows },
      buffers: { a: tensor, b: tensor, bias: tensor, residual: tensor, c: tensor },
    },
    choice,
  );
  return tape.dispatches
    .filter(({ kernel: { name } }) => name === "matmulMatrix")
    .map((dispatch) => dispatch.kernel.code(dispatch.constants as never));
}

/** Traits of a large GPU. */
const large = (matrix: MatrixTraits) => ({
  hasFloat16: true,
  maxWorkgroupBytes: 49_152,
  maxWorkgroupLanes: 1024,
  matrix,
});

for (const shape of SHAPES) {
  const name = `${shape.slice(0, 3).join(" x ")} matrices of ${shape[3]} lanes`;
  test(`Dawn compiles every product with ${name}`, { skip }, async () => {
    const matrix = traitsOf(shape);
    const texts = new Set(
      PROBLEMS.flatMap((of) =>
        matrixProducts
          .candidates({ variant: "tiled", subgroupSize: 0, traits: large(matrix) }, of)
          .flatMap((choice) => textsOf(matrix, of, choice)),
      ),
    );
    assert.ok(texts.size > 40, `${texts.size} texts`);
    for (const text of texts) assert.deepEqual(await errorsOf(device!, text), [], text);
  });

  // The null adapter takes workgroups in multiples of 128 lanes, of which small subgroups have none.
  if (shape[3] < 32) continue;
  test(`products with ${name} that are offered fit their device`, { skip }, async () => {
    const matrix = traitsOf(shape);
    const { limits } = device!;
    const traits = {
      ...large(matrix),
      maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
      maxWorkgroupLanes: limits.maxComputeInvocationsPerWorkgroup,
    };
    for (const layout of ["nn", "nt", "tn"] as const) {
      const of = { ...problem, layout };
      const choices = matrixProducts.candidates({ variant: "tiled", subgroupSize: 0, traits }, of);
      assert.ok(choices.length > 0);
      const texts = new Set(choices.flatMap((choice) => textsOf(matrix, of, choice)));
      const whole = [...texts].filter((text) => /workgroup_size\((128|256)\)/.test(text));
      assert.ok(whole.length > 0);
      for (const text of whole) await makePipeline(device!, text);
    }
  });
}

test("Dawn refuses products whose matrices are wrong", { skip }, async () => {
  const [choice] = matrixProducts.candidates(
    { variant: "tiled", subgroupSize: 0, traits: large(traitsOf(SHAPES[1])) },
    problem,
  );
  const [text] = textsOf(traitsOf(SHAPES[1]), problem, choice!);
  for (const [from, to, message] of [
    ["subgroup_matrix_left<f16, 16, 16>", "subgroup_matrix_left<f16, 8, 16>", /no matching call/],
    ["let subgroup = subgroupId;", "let subgroup = lane / 32u;", /to be uniform/],
    ["enable chromium_experimental_subgroup_matrix;", "", /requires enabling/],
  ] as const) {
    const wrong = text!.replace(from, to);
    assert.notEqual(wrong, text);
    assert.match((await errorsOf(device!, wrong)).join("\n"), message);
  }
});

interface ProductConstants {
  readonly matrix: MatrixShape;
  readonly type: "f16" | "vec4u";
}

const PARAMS = { unused: "u32" } as const;
const BUFFERS = { a: "read", b: "read", c: "read", y: "read_write" } as const;

/** `y = (c + a · b)ᵀ` of one matrix each, from and to storage of any type. */
const product: Kernel<ProductConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "matrixProduct",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ matrix, type }) => {
    const { m, n } = matrix;
    const halves = type === "f16" ? 1 : 8;
    const memory = (name: string, role: "left" | "right"): Omit<MatrixPlace, "stride"> => ({
      memory: { name, type, roles: [role] },
      offset: "0u",
    });
    const places = {
      a: { ...memory("a", "left"), stride: `${m / halves}u`, order: "col_major" },
      b: { ...memory("b", "right"), stride: `${n / halves}u` },
      y: {
        memory: { name: "y", type: "f32", roles: ["result"] },
        offset: "1u",
        stride: `${m + 1}u`,
        order: "col_major",
      },
    } as const satisfies Record<string, MatrixPlace>;
    return `${enableMatrices(matrix)}
    @group(0) @binding(1) var<storage, read> a: array<${type}>;         // [k, m]
    @group(0) @binding(2) var<storage, read> b: array<${type}>;         // [k, n]
    @group(0) @binding(3) var<storage, read> c: array<f32>;             // [m, n]
    @group(0) @binding(4) var<storage, read_write> y: array<f32>;       // [n, m], one column apart
    ${matrixDeclarations(matrix, [places.a.memory, places.b.memory, places.y.memory])}
    @compute @workgroup_size(${matrix.subgroupSize})
    fn main(${subgroupParameter(matrix)} @builtin(local_invocation_index) lane: u32) {
      ${subgroupIndex(matrix)}
      for (var e = lane; e < ${m * n}u; e += ${matrix.subgroupSize}u) {
        y[1u + e % ${n}u * ${m + 1}u + e / ${n}u] = c[e];
      }
      storageBarrier();
      var sum = ${loadMatrix(matrix, "result", places.y)};
      let left = ${loadMatrix(matrix, "left", places.a)};
      let right = ${loadMatrix(matrix, "right", places.b)};
      ${multiplyAdd(matrix, "sum", ["left", "right"])}
      storageBarrier();
      ${storeMatrix(matrix, "sum", places.y)}
    }`;
  },
};

for (const [m, n, k] of SHAPES.filter(([, , , lanes]) => lanes !== 64)) {
  for (const type of ["f16", "vec4u"] as const) {
    test(
      `emulated ${m} x ${n} x ${k} matrices of ${type} memory multiply and transpose as float64 does`,
      { skip: withoutFloat16(gpu) },
      async () => {
        const [aBits, bBits] = [toFloat16(uniform(k * m, 1)), toFloat16(uniform(k * n, 2))];
        const a = fromFloat16(aBits.buffer, k * m);
        const b = fromFloat16(bBits.buffer, k * n);
        const c = uniform(m * n, 3);
        const y = gpu.tensor([n * (m + 1) + 1], { label: "y" });
        const tape = new Tape(gpu);
        const matrix = { m, n, k, subgroupSize: 8, emulated: true };
        tape.dispatch(product, {
          constants: { matrix, type },
          params: { unused: 0 },
          buffers: {
            a: gpu.tensor([k, m], { label: "a", dtype: "f16", values: aBits }),
            b: gpu.tensor([k, n], { label: "b", dtype: "f16", values: bBits }),
            c: gpu.tensor([m, n], { label: "c", values: c }),
            y,
          },
          workgroups: 1,
        });
        const plan = await new Plan(gpu, tape).compile();
        plan.run();
        const [got] = await plan.read(y);
        plan.destroy();
        const expected = Float64Array.from({ length: n * (m + 1) + 1 }, (_, index) => {
          const row = (index - 1) % (m + 1);
          const column = Math.floor((index - 1) / (m + 1));
          if (index === 0 || row === m) return 0; // between the columns
          let sum = c[row * n + column]!;
          for (let i = 0; i < k; i++) sum += a[i * m + row]! * b[i * n + column]!;
          return sum;
        });
        // 17 terms in [-1, 1), summed in f32.
        assertClose(got!, expected, { what: "y", rtol: 1e-6, atol: 2e-6 });
      },
    );
  }
}
