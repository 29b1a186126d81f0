import type { Gpu } from "../../engine/gpu.ts";
import type { Design } from "./design.ts";
import { type Minimum, minimize, type MinimizeOptions } from "./lbfgs.ts";
import {
  SoftmaxRegression,
  type SoftmaxRegressionOptions,
  type SoftmaxWeights,
} from "./softmax_regression.ts";

/** Options of {@linkcode fitSoftmax}. */
export interface FitSoftmaxOptions extends SoftmaxRegressionOptions, MinimizeOptions {
  /**
   * L2 penalties λ to fit with, one after another, each from where the one before ended; sums, not
   * means: `Σ_r nll[r] + λ/2 · ‖weights‖²`, so that λ is the precision of a Gaussian prior.
   */
  readonly penalties: readonly number[];
  /** Sparse features that no penalty shrinks: the intercept. @default {none} */
  readonly freeFeatures?: readonly number[];
  /** Where to begin. @default {zeros} */
  readonly start?: SoftmaxWeights;
}

/** A fit with one penalty. */
export interface SoftmaxFit {
  readonly penalty: number;
  readonly weights: SoftmaxWeights;
  /** How the minimization ended; its value is the mean loss with the penalty, per row. */
  readonly minimum: Minimum;
}

/**
 * Fits softmax regressions with one penalty after another, on one design.
 *
 * @returns A stream of fits in the order of the penalties, so that a caller can judge each.
 * @throws {RangeError} If the design does not fit together, or a penalty is negative.
 */
export async function* fitSoftmax(
  gpu: Gpu,
  design: Design,
  options: FitSoftmaxOptions,
): AsyncGenerator<SoftmaxFit> {
  const { penalties, freeFeatures = [], start, numClasses } = options;
  const wrong = penalties.find((penalty) => !(penalty >= 0 && penalty < Infinity));
  if (wrong !== undefined) {
    throw new RangeError(
      `Cannot fit a softmax regression: penalties must be numbers from 0 up, got ${wrong}`,
    );
  }
  const regression = new SoftmaxRegression(gpu, design, options);
  try {
    const { stride } = regression;
    const isFree = new Uint8Array(regression.length);
    for (const feature of freeFeatures) isFree.fill(1, feature * stride, (feature + 1) * stride);
    let at: Float64Array = new Float64Array(regression.length);
    if (start !== undefined) at = regression.padded(start);
    for (const penalty of penalties) {
      const share = penalty / design.numRows;
      const objective = async (weights: Float64Array) => {
        const { value, gradient } = await regression.evaluate(weights);
        let squares = 0;
        for (let i = 0; i < weights.length; i++) {
          if (isFree[i] === 1) continue;
          squares += weights[i]! ** 2;
          gradient[i]! += share * weights[i]!;
        }
        return { value: value + (share / 2) * squares, gradient };
      };
      const inverseDiagonal = curvatureOf(design, { numClasses, stride, penalty });
      const minimum = await minimize(objective, at, { ...options, inverseDiagonal });
      ({ at } = minimum);
      yield { penalty, weights: regression.unpadded(at), minimum };
    }
  } finally {
    regression.destroy();
  }
}

/** Rows of the marginal shares that stand behind a feature's own, so that none is 0 or 1. */
const PRIOR_ROWS = 2;

/**
 * One over the diagonal of the Hessian if every feature predicted the shares of classes among its
 * own rows: `1 / (Σ_r value² · q(1 − q) + λ)`. Rare features and classes then learn as fast as
 * common ones.
 */
function curvatureOf(
  { sparse, dense, numFeatures, numRows, targets }: Design,
  { numClasses, stride, penalty }: { numClasses: number; stride: number; penalty: number },
): Float64Array {
  const { starts, columns, values } = sparse;
  const marginal = new Float64Array(numClasses).fill(1 / (numRows + numClasses));
  for (const target of targets) marginal[target]! += 1 / (numRows + numClasses);
  const counts = new Float64Array(numFeatures * stride);
  const totals = new Float64Array(numFeatures);
  for (let row = 0; row < numRows; row++) {
    for (let k = starts[row]!; k < starts[row + 1]!; k++) {
      const square = (values?.[k] ?? 1) ** 2;
      counts[columns[k]! * stride + targets[row]!]! += square;
      totals[columns[k]!]! += square;
    }
  }
  const inverse = new Float64Array(stride * (numFeatures + (dense?.numColumns ?? 0))).fill(1);
  for (let feature = 0; feature < numFeatures; feature++) {
    const total = totals[feature]!;
    for (let v = 0; v < numClasses; v++) {
      const i = feature * stride + v;
      const share = (counts[i]! + PRIOR_ROWS * marginal[v]!) / (total + PRIOR_ROWS);
      inverse[i] = 1 / (Math.max(total, 1) * share * (1 - share) + penalty);
    }
  }
  if (dense === undefined) return inverse;
  const { numColumns } = dense;
  const squares = new Float64Array(numColumns);
  dense.values.forEach((value, i) => (squares[i % numColumns]! += value * value));
  for (let v = 0; v < numClasses; v++) {
    const share = marginal[v]! * (1 - marginal[v]!);
    for (let column = 0; column < numColumns; column++) {
      inverse[numFeatures * stride + v * numColumns + column] =
        1 / (Math.max(squares[column]!, 1) * share + penalty);
    }
  }
  return inverse;
}
