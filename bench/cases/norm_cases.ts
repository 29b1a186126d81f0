import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import type { Tape } from "../../engine/tape.ts";
import { bytesOf } from "../../engine/tensor.ts";
import type { CaseTensors } from "./case_tensors.ts";
import { derivative } from "./difference.ts";
import { type CaseResult, EXP_TOLERANCE, type KernelCase, type Scale } from "./kernel_case.ts";
import { MODELS, type ModelShape } from "./models.ts";

/** A norm of rows. */
interface Norm {
  readonly model: ModelShape;
  readonly dtype: "f32" | "f16";
  readonly numRows: number;
  readonly isBackward: boolean;
}

const NUM_ROWS = { small: 64, full: 8192 } as const;

/** Operations an element takes, forward and backward together with forward. */
const FLOPS = { forward: 4, backward: 14 } as const;

/** The norm of every model, forward, and with its gradients. */
export function normCases(scale: Scale): KernelCase[] {
  const numRows = NUM_ROWS[scale];
  return MODELS.flatMap((model) =>
    (["f32", "f16"] as const).flatMap((dtype) =>
      [false, true].map((isBackward) => normCase({ model, dtype, numRows, isBackward })),
    ),
  );
}

function normCase(norm: Norm): KernelCase {
  const { model, dtype, numRows, isBackward } = norm;
  const { dModel } = model.config;
  const shape = [numRows, dModel];
  const pass = isBackward ? "forward+backward" : "forward";
  return {
    id: `${model.config.norm} ${pass} ${dtype} ${model.name} ${numRows}x${dModel}`,
    group: "norm",
    shape: `[${shape.join(", ")}]`,
    dtype,
    needsFloat16: dtype === "f16",
    isQuick: model.name.startsWith("SmolLM2") && dtype === "f32",
    flops: numRows * dModel * (isBackward ? FLOPS.backward : FLOPS.forward),
    // Forward reads x and writes y; backward reads x and dy and writes dx.
    bytes: bytesOf({ shape, dtype }) * (isBackward ? 5 : 2),
    record: (tape, make) => recordNorm(tape, make, norm),
  };
}

function recordNorm(tape: Tape, make: CaseTensors, norm: Norm): CaseResult[] {
  const { model, dtype, numRows, isBackward } = norm;
  const { dModel, eps } = model.config;
  const x = make.activation("x", [numRows, dModel], { dtype });
  const weight = make.parameter("weight", [dModel]);
  const isLayerNorm = model.config.norm === "layerNorm";
  const bias = isLayerNorm ? make.parameter("bias", [dModel]) : undefined;
  const y =
    bias === undefined
      ? rmsNorm(tape, x.tensor, weight.tensor, { eps })
      : layerNorm(tape, x.tensor, { weight: weight.tensor, bias: bias.tensor, eps });

  /** One element of y, where a change was added to the row's element `at`. */
  const element = (index: number, at = -1, change = 0): number => {
    const row = Math.floor(index / dModel) * dModel;
    const i = index % dModel;
    const { mean, rstd } = statistics(x.values.subarray(row, row + dModel), {
      at,
      change,
      eps,
      isCentered: isLayerNorm,
    });
    const value = x.values[index]! + (i === at ? change : 0);
    return (value - mean) * rstd * weight.values[i]! + (bias?.values[i] ?? 0);
  };
  const results: CaseResult[] = [
    {
      name: "y",
      tensor: y,
      expected: (index) => ({ value: element(index), magnitude: 2 }),
      tolerance: EXP_TOLERANCE,
    },
  ];
  if (!isBackward) return results;
  const dy = make.tensor("dy", y.shape, { dtype });
  tape.backward(y, dy.tensor, [x.tensor]);
  const rowLoss = (row: number, at: number, change: number): number => {
    let sum = 0;
    for (let i = 0; i < dModel; i++) {
      sum += dy.values[row * dModel + i]! * element(row * dModel + i, at, change);
    }
    return sum;
  };
  results.push({
    name: "dx",
    tensor: tape.gradient(x.tensor),
    numSamples: 4,
    expected: (index) => {
      const [row, at] = [Math.floor(index / dModel), index % dModel];
      return { value: derivative((change) => rowLoss(row, at, change)), magnitude: 2 };
    },
    tolerance: EXP_TOLERANCE,
  });
  results.push({
    name: "dWeight",
    tensor: weight.tensor.gradient,
    numSamples: 2,
    expected: (i) => {
      let [value, magnitude] = [0, 0];
      for (let row = 0; row < numRows; row++) {
        const index = row * dModel + i;
        // y is linear in the weight.
        const term =
          (dy.values[index]! * (element(index) - (bias?.values[i] ?? 0))) / weight.values[i]!;
        value += term;
        magnitude += Math.abs(term);
      }
      return { value, magnitude };
    },
    tolerance: EXP_TOLERANCE,
  });
  return results;
}

/** Mean, or 0 where rows are not centered, and the inverse of the deviation from it. */
function statistics(
  row: Float32Array,
  {
    at,
    change,
    eps,
    isCentered,
  }: {
    readonly at: number;
    readonly change: number;
    readonly eps: number;
    readonly isCentered: boolean;
  },
): { readonly mean: number; readonly rstd: number } {
  let [sum, squares] = [0, 0];
  for (let i = 0; i < row.length; i++) {
    const value = row[i]! + (i === at ? change : 0);
    sum += value;
    squares += value * value;
  }
  const mean = isCentered ? sum / row.length : 0;
  return { mean, rstd: 1 / Math.sqrt(squares / row.length - mean * mean + eps) };
}
