import assert from "node:assert/strict";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import type { Tape } from "../../engine/tape.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { centralDifferences, directionalDerivative, dot } from "../gradient.ts";
import { assertClose, type Tolerance, uniform } from "../support.ts";
import { type Input, runOp } from "./run_op.ts";

/** Inputs larger than this are differentiated along one random direction only. */
const LARGE = 300;

/** Rounding of a result to half precision, and of the few f32 operations before it. */
const F16_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 2 ** -24 };

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

/** Checks the forward pass with every float input stored in half precision. */
export async function checkFloat16<Names extends string>(
  gpu: Gpu,
  variant: Variant,
  { inputs, op, reference }: Omit<OpCheck<Names>, "tolerance">,
): Promise<void> {
  const halves = Object.fromEntries(
    Object.entries<Input>(inputs).map(([name, { shape, values }]) => [
      name,
      values instanceof Float32Array
        ? { shape, values: toFloat16(values), dtype: "f16" }
        : { shape, values },
    ]),
  ) as Record<Names, Input>;
  const at = Object.fromEntries(
    Object.entries<Input>(halves).map(([name, { shape, values, dtype }]) => [
      name,
      Float64Array.from(dtype === "f16" ? fromFloat16(values.buffer, sizeOf(shape)) : values),
    ]),
  ) as Record<Names, Float64Array>;
  const { y } = await runOp(gpu, variant, { inputs: halves, op });
  const expected = reference(at);
  assertClose(fromFloat16(y.buffer, expected.length), expected, { what: "y", ...F16_TOLERANCE });
}

/** Why halves cannot be tested on this adapter, or false: for the option `skip` of a test. */
export function withoutFloat16({ device, info }: Gpu): string | false {
  const name = info.description || info.device || info.vendor;
  return device.features.has("shader-f16")
    ? false
    : `not covered on this adapter: it must have shader-f16, got ${name}`;
}
