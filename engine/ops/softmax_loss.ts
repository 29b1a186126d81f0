import { softmaxLossBackward, softmaxLossForward } from "../../shaders/softmax_loss.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { describe, type Tensor } from "../tensor.ts";

/** What {@linkcode softmaxLoss} judges. */
export interface SoftmaxLossInputs {
  /** `[numRows, stride]`, f32. */
  readonly logits: Tensor;
  /** True class of each row, `[numRows]` u32, below `numClasses`. */
  readonly targets: Tensor;
  /** Classes; columns beyond are padding. @default {stride} */
  readonly numClasses?: number;
  /** Logits are clamped to ±limit first, and carry no gradient beyond. @default {Infinity} */
  readonly limit?: number;
}

/** Largest limit: beyond, f32 has no numbers to clamp to. */
const NO_LIMIT = 3.4e38;

/**
 * Negative log-likelihood of every row under the softmax of its logits.
 *
 *     nll[r] = log Σ_v exp(z[r, v]) − z[r, targets[r]],   z = clamp(logits, ±limit)
 *
 * For few classes, whose logits fit in memory; `linearCrossEntropy()` is for vocabularies. Sums in
 * f32. Differentiable in `logits`; begin backward with the weights of the rows.
 *
 * @returns `[numRows]`, f32.
 * @throws {RangeError} If shapes do not fit.
 * @throws {TypeError} If the logits are not f32 or the targets not u32.
 */
export function softmaxLoss(
  tape: Tape,
  { logits, targets, numClasses = logits.shape[1] ?? 0, limit = Infinity }: SoftmaxLossInputs,
): Tensor {
  check({ logits, targets, numClasses });
  const [numRows = 0, stride = 0] = logits.shape;
  const nll = tape.activation([numRows], { label: "nll", from: [logits] });
  const lse = tape.activation([numRows], { label: "lse" });
  const params = { numRows, numClasses, stride, limit: Math.min(limit, NO_LIMIT) };
  const tiled = tape.variant === "tiled";
  const { workgroupSize } = lanesOf(tape.variant);
  tape.dispatch(softmaxLossForward, {
    constants: { tiled, workgroupSize },
    params,
    buffers: { logits, targets, nll, lse },
    workgroups: tiled ? numRows : Math.ceil(numRows / workgroupSize),
  });
  tape.onBackward(nll, (dNll) =>
    tape.addGradient(logits, (dLogits, accumulate) =>
      tape.dispatch(softmaxLossBackward, {
        constants: { workgroupSize, accumulate },
        params,
        buffers: { logits, targets, lse, dNll, dLogits },
        workgroups: numRows,
      }),
    ),
  );
  return nll;
}

function check({ logits, targets, numClasses }: Required<Omit<SoftmaxLossInputs, "limit">>): void {
  if (logits.dtype !== "f32" || targets.dtype !== "u32") {
    throw new TypeError(
      `Cannot apply softmaxLoss(): logits must be f32 and targets u32, got ${describe(logits)} and ${describe(targets)}`,
    );
  }
  const [numRows = 0, stride = 0] = logits.shape;
  if (logits.shape.length !== 2 || targets.shape.join() !== `${numRows}`) {
    throw new RangeError(
      `Cannot apply softmaxLoss(): logits must be [numRows, stride] and targets [numRows], got ${describe(logits)} and ${describe(targets)}`,
    );
  }
  if (!Number.isInteger(numClasses) || numClasses < 1 || numClasses > stride) {
    throw new RangeError(
      `Cannot apply softmaxLoss(): numClasses must be from 1 to ${stride}, got ${numClasses}`,
    );
  }
}
