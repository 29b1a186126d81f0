import {
  twoStageBackward,
  twoStageForward,
  twoStageProbabilities,
} from "../../shaders/two_stage.wgsl.ts";
import { rowWorkgroups } from "../../shaders/rows.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";
import { rowConstants } from "./rows.ts";
import { sumColumns } from "./sum_columns.ts";

/** What {@linkcode twoStageLoss} compares with what happened. */
export interface TwoStageInputs {
  /** `[numRows, numOccupations + 1]` f32: of occupations, and last of staying. */
  readonly logits: Tensor;
  /** Occupation before, `[numRows]` u32; from numOccupations up: there was none. */
  readonly previous: Tensor;
  /** Occupation to predict, `[numRows]` u32; from numOccupations up: the row is ignored. */
  readonly targets: Tensor;
  /** Weight of each row's loss, `[numRows]` f32. */
  readonly weights: Tensor;
}

/** Options of {@linkcode twoStageLoss}. */
export interface TwoStageOptions {
  /** Counts the occupations more probable than the true one; one more walk. @default {false} */
  readonly rank?: boolean;
}

/** Results of {@linkcode twoStageLoss}. */
export interface TwoStageLoss {
  /** `Σ weights · −log P(target)`, `[1]` f32. */
  readonly loss: Tensor;
  /** `log P(target)` of every row, `[numRows]` f32; 0 where ignored. Not differentiable. */
  readonly logProbabilities: Tensor;
  /**
   * `[numRows, 4]` f32: log Σ e^logit over the moves; `log P(target)`; P(stay), 0 where there was
   * no occupation before; how many occupations are more probable than the target, 0 unless asked.
   */
  readonly statistics: Tensor;
}

const ELEMENT_LANES = 64;

/**
 * Negative log-likelihood of CAREER's two-stage head.
 *
 *     P(previous)     = σ(logit of staying)
 *     P(v ≠ previous) = (1 − P(previous)) · softmax(logits of all but previous)[v]
 *     first           P(v) = softmax(logits of all)[v]
 *     loss            = Σ_m weights[m] · −log P(targets[m])
 *
 * In f32; no exponential overflows and no logarithm meets 0, whatever the logits. Differentiable in
 * `logits`.
 *
 * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., "CAREER", 2022}, section 3.2
 *
 * @param tape Where to record.
 * @param inputs Logits, what was before, what happened, and weights.
 * @param options Whether ranks are asked for.
 * @returns The loss, and what scores need of every row.
 * @throws {RangeError} If shapes do not fit, or there are fewer than two occupations.
 * @throws {TypeError} If a dtype does not fit.
 */
export function twoStageLoss(
  tape: Tape,
  inputs: TwoStageInputs,
  { rank = false }: TwoStageOptions = {},
): TwoStageLoss {
  const { logits, previous, targets, weights } = inputs;
  const params = sizesOf("twoStageLoss", inputs);
  const { numRows, numColumns } = params;
  const statistics = tape.activation([numRows, 4], { label: "two-stage statistics" });
  const logProbabilities = tape.activation([numRows], { label: "log-probabilities" });
  const nll = tape.activation([numRows, 1], { label: "nll" });
  const constants = rowConstants(tape.variant);
  tape.dispatch(twoStageForward, {
    constants: { ...constants, rank },
    params,
    buffers: { logits, previous, targets, weights, statistics, logProbabilities, nll },
    workgroups: rowWorkgroups(constants, numRows),
  });
  const loss = tape.activation([1], { label: "loss", from: [logits] });
  sumColumns(tape, nll, loss, false);
  tape.onBackward(loss, (dLoss) =>
    addActivationGradient(tape, logits, (dLogits, accumulate) =>
      tape.dispatch(twoStageBackward, {
        constants: { workgroupSize: ELEMENT_LANES, accumulate },
        params,
        buffers: { logits, previous, targets, weights, statistics, dLoss, dLogits },
        workgroups: numRows * Math.ceil(numColumns / ELEMENT_LANES),
      }),
    ),
  );
  return { loss, logProbabilities, statistics };
}

/**
 * Probability of every occupation by the two-stage head; not differentiable.
 *
 * @param tape Where to record.
 * @param inputs Logits and what was before, as {@linkcode twoStageLoss} had them, and its
 *   statistics.
 * @returns `[numRows, numOccupations]` f32; rows sum to one.
 * @throws {RangeError} If shapes do not fit, or there are fewer than two occupations.
 * @throws {TypeError} If a dtype does not fit.
 */
export function twoStageDistribution(
  tape: Tape,
  inputs: Pick<TwoStageInputs, "logits" | "previous"> & { readonly statistics: Tensor },
): Tensor {
  const { logits, previous, statistics } = inputs;
  const params = sizesOf("twoStageDistribution", { logits, previous });
  const { numRows, numColumns } = params;
  if (describe(statistics) !== `[${numRows}, 4] f32`) {
    throw new RangeError(
      `Cannot apply twoStageDistribution(): statistics must be [${numRows}, 4] f32, got ${describe(statistics)}`,
    );
  }
  const shape = [numRows, numColumns - 1];
  const probabilities = tape.activation(shape, { label: "probabilities" });
  tape.dispatch(twoStageProbabilities, {
    constants: { workgroupSize: ELEMENT_LANES },
    params,
    buffers: { logits, previous, statistics, probabilities },
    workgroups: Math.ceil(sizeOf(shape) / ELEMENT_LANES),
  });
  return probabilities;
}

/** Sizes of the logits; throws where anything does not fit. */
function sizesOf(
  op: string,
  { logits, ...rows }: Pick<TwoStageInputs, "logits"> & Partial<TwoStageInputs>,
): { readonly numRows: number; readonly numColumns: number } {
  const [numRows = 0, numColumns = 0] = logits.shape;
  if (logits.shape.length !== 2 || numColumns < 3) {
    throw new RangeError(
      `Cannot apply ${op}(): logits must be [numRows, numOccupations + 1] of at least 2 occupations, got ${describe(logits)}`,
    );
  }
  for (const [name, tensor] of Object.entries({ logits, ...rows })) {
    const dtype = name === "previous" || name === "targets" ? "u32" : "f32";
    if (tensor.dtype !== dtype) {
      throw new TypeError(
        `Cannot apply ${op}(): ${name} must be ${dtype}, got ${describe(tensor)}`,
      );
    }
    if (tensor === logits || sizeOf(tensor.shape) === numRows) continue;
    throw new RangeError(
      `Cannot apply ${op}() to logits ${describe(logits)}: ${name} must be [${numRows}], got ${describe(tensor)}`,
    );
  }
  return { numRows, numColumns };
}
