import assert from "node:assert/strict";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { batchedMatmul } from "../../engine/ops/batched_matmul.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import type { MatmulProblem } from "../../engine/ops/matmul_family.ts";
import { MATMUL } from "../../engine/ops/matmul_tunable.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Choice, keyOf } from "../../engine/tuning/tunable.ts";
import type { Activation } from "../../shaders/activation.wgsl.ts";
import type { Layout } from "../../shaders/linear_product.wgsl.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { activationReference } from "../reference/activation.ts";
import { matmulReference, type MatmulSizes } from "../reference/matmul.ts";
import { assertClose, uniform } from "../support.ts";

/** One product to check. */
export interface MatmulCase extends MatmulSizes {
  readonly layout: Layout;
  /** Of a, b and c; bias and residual are stored as c. */
  readonly storage: readonly ["f32" | "f16", "f32" | "f16", "f32" | "f16"];
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly accumulate?: boolean;
  readonly activation?: Activation;
  readonly scale?: number;
}

// Sums of up to 1100 terms in [-1, 1), in f32: each of a few hundred partial sums is rounded at 20.
const TOLERANCE = { rtol: 2e-6, atol: 5e-5 };

// The same, rounded to half precision in the end.
const HALF_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 1e-4 };

/** A tensor of random values that its storage holds exactly, and the values. */
function random(
  gpu: Gpu,
  shape: readonly number[],
  { dtype, seed }: { readonly dtype: "f32" | "f16"; readonly seed: number },
): { readonly tensor: Tensor; readonly values: Float32Array } {
  const length = shape.reduce((product, extent) => product * extent, 1);
  const raw = uniform(length, seed);
  const halves = toFloat16(raw);
  const values = dtype === "f16" ? fromFloat16(halves.buffer, length) : raw;
  const label = `random ${seed}`;
  return {
    tensor: gpu.tensor(shape, { label, dtype, values: dtype === "f16" ? halves : raw }),
    values,
  };
}

/** A case's tensors, and what its product should be. */
function prepare(gpu: Gpu, one: MatmulCase) {
  const { layout, numRows, numColumns, depth, numBatches, storage } = one;
  const [aType, bType, cType] = storage;
  const batched = (rows: number, columns: number) => [numBatches, rows, columns];
  const aShape = layout === "tn" ? batched(depth, numRows) : batched(numRows, depth);
  const bShape = layout === "nt" ? batched(numColumns, depth) : batched(depth, numColumns);
  const cShape = batched(numRows, numColumns);
  const a = random(gpu, aShape, { dtype: aType, seed: 1 });
  const b = random(gpu, bShape, { dtype: bType, seed: 2 });
  const c = random(gpu, cShape, { dtype: cType, seed: 3 });
  const bias = random(gpu, [numColumns], { dtype: cType, seed: 4 });
  const residual = random(gpu, cShape, { dtype: cType, seed: 5 });
  const f = one.activation === undefined ? (x: number) => x : activationReference[one.activation];
  const products = matmulReference(layout, { a: a.values, b: b.values }, one);
  const expected = products.map((product, i) => {
    const affine = (one.scale ?? 1) * product + (one.bias ? bias.values[i % numColumns]! : 0);
    return (
      f(affine) + (one.residual ? residual.values[i]! : 0) + (one.accumulate ? c.values[i]! : 0)
    );
  });
  return { a, b, c, bias, residual, expected };
}

/** Problem of a case, as the op asks about it. */
export function problemOf(gpu: Gpu, variant: Variant, one: MatmulCase): MatmulProblem {
  const tape = tapeOf(gpu, variant);
  record(tape, one, prepare(gpu, one));
  return tape.questions.find(({ tunable }) => tunable.name === "matmul")!.problem as MatmulProblem;
}

/** Ways to compute a case on a device of a variant. */
export function candidatesOf(gpu: Gpu, variant: Variant, one: MatmulCase): readonly Choice[] {
  return MATMUL.candidates(tapeOf(gpu, variant), problemOf(gpu, variant, one));
}

/**
 * Checks cases, each computed in its own way, against float64; and that a second run gives the same
 * bits.
 */
export async function checkProducts(
  gpu: Gpu,
  variant: Variant,
  cases: readonly (MatmulCase & { readonly choice?: Choice | undefined })[],
): Promise<void> {
  for (const one of cases) {
    const prepared = prepare(gpu, one);
    const key = keyOf(MATMUL, problemOf(gpu, variant, one));
    const tape = tapeOf(gpu, variant, one.choice && new Map([[key, one.choice]]));
    const c = record(tape, one, prepared);
    const plan = await new Plan(gpu, tape, { keep: c.buffer === undefined ? [c] : [] }).compile();
    const what = JSON.stringify(one);
    const runs: Float32Array[] = [];
    for (let run = 0; run < 2; run++) {
      if (c.buffer !== undefined) gpu.write(c, valuesOf(prepared.c.values, one.storage[2]));
      plan.run();
      const [bits] = await plan.read(c);
      runs.push(bits!);
    }
    plan.destroy();
    assert.deepEqual(runs[0], runs[1], `${what}: a second run must give the same bits`);
    const isHalf = one.storage[2] === "f16";
    const { length } = prepared.expected;
    const actual = isHalf ? fromFloat16(runs[0]!.buffer, length) : runs[0]!.subarray(0, length);
    assertClose(actual, prepared.expected, { what, ...(isHalf ? HALF_TOLERANCE : TOLERANCE) });
  }
}

const valuesOf = (values: Float32Array, dtype: "f32" | "f16") =>
  dtype === "f16" ? toFloat16(Float32Array.from(values)) : Float32Array.from(values);

/** Records a case; its result is persistent but for that of a batch. */
function record(tape: Tape, one: MatmulCase, prepared: ReturnType<typeof prepare>): Tensor {
  const { a, b, c, bias, residual } = prepared;
  const { layout, scale = 1 } = one;
  if (one.numBatches > 1) {
    return batchedMatmul(tape, layout, { a: a.tensor, b: b.tensor, scale });
  }
  const matrix = ({ tensor }: { tensor: Tensor }): Tensor => ({
    ...tensor,
    shape: tensor.shape.slice(1),
  });
  const to = matrix(c);
  matmul(tape, layout, {
    a: matrix(a),
    b: matrix(b),
    c: to,
    scale,
    accumulate: one.accumulate ?? false,
    ...(one.bias && { bias: bias.tensor }),
    ...(one.residual && { residual: residual.tensor }),
    ...(one.activation && { activation: one.activation }),
  });
  return to;
}

function tapeOf(
  gpu: Gpu,
  variant: Variant,
  choices: ReadonlyMap<string, Choice> = new Map(),
): Tape {
  const { subgroupSize, maxBindingBytes, traits } = gpu;
  return new Tape({ variant, subgroupSize, maxBindingBytes, traits, choices });
}
