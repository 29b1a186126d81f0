import type { Gpu } from "../../engine/gpu.ts";
import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { type FusedProjection, fusedProjection } from "../../engine/ops/fused_projection.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { linear } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { activationReference, swiGluReference } from "../reference/activation.ts";
import { layerNormReference } from "../reference/layer_norm.ts";
import { linearReference } from "../reference/linear.ts";
import { rmsNormReference } from "../reference/rms_norm.ts";
import { uniform } from "../support.ts";

/** What to fuse, and its sizes. */
export interface FusedCase {
  readonly dtype: WeightDType;
  readonly numRows: number;
  readonly dIn: number;
  readonly dOut: readonly number[];
  readonly norm?: "rmsNorm" | "layerNorm";
  readonly shift?: boolean;
  readonly bias?: boolean;
  readonly activation?: "silu" | "gelu" | "geluTanh" | "swiGlu";
  readonly residual?: boolean;
}

export const EPS = 1e-3;

/** Values of all tensors of a case: the same at every call. */
function valuesOf({ dtype, numRows, dIn, dOut }: FusedCase) {
  const packed = dOut.map((width, m) => pack(uniform(width * dIn, 10 + m), [width, dIn], dtype));
  return {
    // Far from zero, so that the mean of a layer norm matters.
    x: uniform(numRows * dIn, 1).map((value) => value + 0.5),
    gain: uniform(dIn, 2).map((value) => 1 + value / 2),
    shift: uniform(dIn, 3),
    packed,
    weights: packed.map((one, m) => unpack(one, [dOut[m]!, dIn], dtype)),
    biases: dOut.map((width, m) => uniform(width, 20 + m)),
    residual: uniform(numRows * dOut[0]!, 4),
  };
}

/** The result in float64, from the references of the ops that are fused. */
export function fusedReference(at: FusedCase): Float64Array {
  const values = valuesOf(at);
  const [x, gain] = [Float64Array.from(values.x), Float64Array.from(values.gain)];
  const shift = at.shift === true ? { bias: Float64Array.from(values.shift) } : {};
  const normed =
    at.norm === "rmsNorm"
      ? rmsNormReference({ x, weight: gain }, EPS)
      : at.norm === "layerNorm"
        ? layerNormReference({ x, weight: gain, ...shift }, EPS)
        : x;
  const products = at.dOut.map((width, m) =>
    linearReference({
      x: normed,
      weight: Float64Array.from(values.weights[m]!),
      bias: at.bias === true ? Float64Array.from(values.biases[m]!) : new Float64Array(width),
    }),
  );
  const [first, second] = products as [Float64Array, Float64Array];
  const name = at.activation;
  if (name === "swiGlu") return swiGluReference({ gate: first, up: second });
  if (name !== undefined) return first.map((value) => activationReference[name](value));
  if (at.residual === true) return first.map((value, i) => value + values.residual[i]!);
  return Float64Array.from(products.flatMap((product) => [...product]));
}

/** The tensors of a case. */
function tensorsOf(gpu: Gpu, at: FusedCase): FusedProjection {
  const { dtype, numRows, dIn, dOut, norm, activation: name } = at;
  const values = valuesOf(at);
  const tensor = (shape: number[], data: Float32Array<ArrayBuffer>): Tensor =>
    gpu.tensor(shape, { label: "fused", values: data });
  return {
    x: tensor([numRows, dIn], values.x),
    ...(norm && {
      norm: {
        kind: norm,
        eps: EPS,
        weight: tensor([dIn], values.gain),
        ...(at.shift === true && { bias: tensor([dIn], values.shift) }),
      },
    }),
    by: dOut.map((width, m) => ({
      weight: gpu.tensor([width, dIn], { label: "weight", dtype, values: values.packed[m]! }),
      ...(at.bias === true && { bias: tensor([width], values.biases[m]!) }),
    })),
    ...(name && { activation: name }),
    ...(at.residual === true && { residual: tensor([numRows, dOut[0]!], values.residual) }),
  };
}

/** The same by an op of its own for each step. */
function oneByOne(tape: Tape, { x, norm, by, activation: name, residual }: FusedProjection) {
  const { weight, bias, eps } = norm ?? {};
  const normed =
    norm === undefined
      ? x
      : norm.kind === "rmsNorm"
        ? rmsNorm(tape, x, weight!, { eps: eps! })
        : layerNorm(tape, x, { weight: weight!, eps: eps!, ...(bias && { bias }) });
  const products = by.map((one) => linear(tape, normed, one.weight, one.bias));
  if (name === "swiGlu") return [swiGlu(tape, products[0]!, products[1]!)];
  if (name !== undefined && name !== "none") return [activation(tape, products[0]!, name)];
  if (residual !== undefined) return [add(tape, residual, products[0]!)];
  return products;
}

/** Runs cases in one plan; gives the result of each. */
export async function runFused(
  gpu: Gpu,
  cases: readonly FusedCase[],
  { fused = true }: { readonly fused?: boolean } = {},
): Promise<Float32Array[]> {
  const tape = new Tape(gpu);
  const results = cases.map((at) => {
    const inputs = tensorsOf(gpu, at);
    return fused ? [fusedProjection(tape, inputs)] : oneByOne(tape, inputs);
  });
  const plan = await new Plan(gpu, tape, { keep: results.flat() }).compile();
  plan.run();
  const values: Float32Array[] = [];
  for (const one of results) {
    const copies = await plan.read(...one);
    values.push(Float32Array.from(copies.flatMap((copy) => [...copy])));
  }
  plan.destroy();
  return values;
}
