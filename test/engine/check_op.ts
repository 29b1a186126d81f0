import assert from "node:assert/strict";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import type { Tape } from "../../engine/tape.ts";
import { type DType, type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { centralDifferences, directionalDerivative, dot } from "../gradient.ts";
import { assertClose, type Tolerance, uniform } from "../support.ts";
import { type Input, runOp } from "./run_op.ts";

/** Inputs larger than this are differentiated along one random direction only. */
const LARGE = 300;

/** Rounding of a result to half precision, and of the few f32 operations before it. */
const F16_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 2 ** -24 };

/** As above, for gradients: terms of size 1 that cancel leave the rounding of f32. */
const F16_GRADIENT_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 5e-6 };

/** For a result that is the sum of two, all three rounded to half precision. */
export const F16_SUM_TOLERANCE = { rtol: 2 ** -10 + 1e-5, atol: 2 ** -11 };

/** An op, its inputs and what it should compute. */
export interface OpCheck<Names extends string> {
  readonly inputs: Readonly<Record<Names, Input>>;
  readonly op: (tape: Tape, tensors: Readonly<Record<Names, Parameter>>) => Tensor;
  /** The op in float64, of every input. */
  readonly reference: (at: Record<Names, Float64Array>) => Float64Array;
  readonly tolerance: Tolerance;
}

/** Every input as float64. */
export function toFloat64<Names extends string>(
  inputs: Readonly<Record<Names, Input>>,
): Record<Names, Float64Array> {
  return Object.fromEntries(
    Object.entries<Input>(inputs).map(([name, { values }]) => [name, Float64Array.from(values)]),
  ) as Record<Names, Float64Array>;
}

/**
 * Checks an op against its float64 reference, and its gradients against differences of that
 * reference; then runs it again and expects the same bits.
 */
export async function checkOp<Names extends string>(
  gpu: Gpu,
  variant: Variant,
  { inputs, op, reference, tolerance }: OpCheck<Names>,
): Promise<void> {
  const at = toFloat64(inputs);
  const expected = reference(at);
  const dy = uniform(expected.length, 99);
  const run = await runOp(gpu, variant, { inputs, op, dy });
  assertClose(run.y, expected, { what: "y", ...tolerance });
  for (const name of Object.keys(run.gradients) as Names[]) {
    const loss = (value: Float64Array) => dot(reference({ ...at, [name]: value }), dy);
    checkGradient(run.gradients[name], loss, { at: at[name], what: `d(${name})`, tolerance });
  }
  const again = await runOp(gpu, variant, { inputs, op, dy });
  assert.deepEqual(again, run, "a second run must give the same bits");
}

/** Checks a gradient against central differences of `loss`, or one direction where it is large. */
export function checkGradient(
  gradient: Float32Array,
  loss: (value: Float64Array) => number,
  {
    at,
    what,
    tolerance,
  }: { readonly at: Float64Array; readonly what: string; readonly tolerance: Tolerance },
): void {
  if (at.length <= LARGE) {
    assertClose(gradient, centralDifferences(loss, at), { what, ...tolerance });
    return;
  }
  const direction = uniform(at.length, 98);
  // Errors of many elements add up as a random walk does.
  const atol = (tolerance.atol + tolerance.rtol) * Math.sqrt(at.length);
  const expected = directionalDerivative(loss, at, direction);
  assertClose([dot(gradient, direction)], [expected], {
    what: `${what} along one direction`,
    rtol: tolerance.rtol,
    atol,
  });
}

/** How {@linkcode checkFloat16} stores inputs, and how near the gradients must be. */
export interface Float16Check<Names extends string> extends Omit<OpCheck<Names>, "tolerance"> {
  /** Inputs that are parameters, whose gradient is f32, and their storage; others are activations. */
  readonly weights?: Readonly<Partial<Record<Names, DType & ("f32" | "f16")>>>;
  /** For the result and the gradients. @default {one rounding to half precision} */
  readonly tolerance?: Tolerance;
  /** Skips the gradients, of ops that have none in half precision. */
  readonly forwardOnly?: boolean;
}

/**
 * Checks an op whose activations are stored in half precision, forward and backward: inputs and
 * `dy` are rounded first, so that what is left is the rounding of results.
 */
export async function checkFloat16<Names extends string>(
  gpu: Gpu,
  variant: Variant,
  check: Float16Check<Names>,
): Promise<void> {
  const { inputs, op, reference, weights = {}, forwardOnly = false } = check;
  const storageOf = (name: string) => (weights as Record<string, DType | undefined>)[name];
  const halves = Object.fromEntries(
    Object.entries<Input>(inputs).map(([name, { shape, values }]) => [
      name,
      values instanceof Float32Array && storageOf(name) !== "f32"
        ? { shape, values: toFloat16(values), dtype: "f16", isWeight: name in weights }
        : { shape, values },
    ]),
  ) as Record<Names, Input>;
  const at = Object.fromEntries(
    Object.entries<Input>(halves).map(([name, { shape, values, dtype }]) => [
      name,
      Float64Array.from(dtype === "f16" ? fromFloat16(values.buffer, sizeOf(shape)) : values),
    ]),
  ) as Record<Names, Float64Array>;
  const expected = reference(at);
  const rounded = toFloat16(uniform(expected.length, 99));
  const dy = fromFloat16(rounded.buffer, expected.length);
  const run = await runOp(gpu, variant, { inputs: halves, op, ...(forwardOnly ? {} : { dy }) });
  assertClose(run.y, expected, { what: "y", ...(check.tolerance ?? F16_TOLERANCE) });
  const tolerance = check.tolerance ?? F16_GRADIENT_TOLERANCE;
  for (const name of Object.keys(run.gradients) as Names[]) {
    const loss = (value: Float64Array) => dot(reference({ ...at, [name]: value }), dy);
    checkGradient(run.gradients[name], loss, { at: at[name], what: `d(${name})`, tolerance });
  }
}

/** Why halves cannot be tested on this adapter, or false: for the option `skip` of a test. */
export function withoutFloat16({ device, info }: Gpu): string | false {
  const name = info.description || info.device || info.vendor;
  return device.features.has("shader-f16")
    ? false
    : `not covered on this adapter: it must have shader-f16, got ${name}`;
}

/**
 * Reason to skip a test of kernels that cast two halves to a word, or `false` if the compiler
 * does: wgpu's refuses it so far. It has no subgroup matrices either, whose kernels alone do so.
 */
export async function withoutHalfCasts({ device }: Gpu): Promise<string | false> {
  if (!device.features.has("shader-f16")) return "needs shader-f16";
  device.pushErrorScope("validation");
  device.createShaderModule({
    code: `enable f16; @compute @workgroup_size(1) fn main() { _ = bitcast<u32>(vec2<f16>(1h, 2h)); }`,
  });
  const error = await device.popErrorScope();
  return error === null ? false : "needs a compiler that casts two halves to a word";
}
