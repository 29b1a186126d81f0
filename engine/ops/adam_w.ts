import { adamW, SCHEDULE_FIELDS } from "../../shaders/adam_w.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import type { Gpu } from "../gpu.ts";
import { lanesOf } from "../lanes.ts";
import { besideParameters, runsOf } from "../parameters.ts";
import { flatParts, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, type Parameter, type Tensor } from "../tensor.ts";

/** Moments of one parameter's gradient, f32, shaped as the parameter. */
export interface AdamWState {
  readonly m: Tensor;
  readonly v: Tensor;
}

/** What changes from step to step. */
export interface AdamWSchedule {
  readonly learningRate: number;
  /** Steps taken, this one included: 1 in the first. */
  readonly step: number;
  /** Decay of the first moment. @default {0.9} */
  readonly beta1?: number;
  /** Decay of the second moment. @default {0.999} */
  readonly beta2?: number;
  /** Keeps the step finite where the gradient vanishes. @default {1e-8} */
  readonly eps?: number;
}

/** Number of elements of the tensor that holds an {@linkcode adamWSchedule}. */
export const ADAM_W_SCHEDULE_LENGTH: number = SCHEDULE_FIELDS.length;

/**
 * Values of the `schedule` tensor of a step; bias corrections are computed in float64.
 *
 * @throws {RangeError} If a decay is outside [0, 1), or the step is no positive integer.
 */
export function adamWSchedule({
  learningRate,
  step,
  beta1 = 0.9,
  beta2 = 0.999,
  eps = 1e-8,
}: AdamWSchedule): Float32Array<ArrayBuffer> {
  if (!Number.isInteger(step) || step < 1) {
    throw new RangeError(`Cannot schedule AdamW: steps must count from 1, got ${step}`);
  }
  for (const beta of [beta1, beta2]) {
    if (!(beta >= 0 && beta < 1)) {
      throw new RangeError(`Cannot schedule AdamW: decays must lie in [0, 1), got ${beta}`);
    }
  }
  const values: Record<(typeof SCHEDULE_FIELDS)[number], number> = {
    learningRate,
    beta1,
    beta2,
    eps,
    oneMinusBeta1: 1 - beta1,
    oneMinusBeta2: 1 - beta2,
    biasCorrection1: 1 - beta1 ** step,
    biasCorrection2: 1 - beta2 ** step,
  };
  return Float32Array.from(SCHEDULE_FIELDS, (name) => values[name]);
}

/** Moments of parameters before their first step: zeros, laid out as the parameters are. */
export function adamWStates(gpu: Gpu, parameters: readonly Parameter[]): AdamWState[] {
  const [m, v] = (["m", "v"] as const).map((moment) =>
    besideParameters(gpu, parameters, {
      purpose: "optimizer",
      name: (label) => `${label}.${moment}`,
    }),
  );
  return parameters.map((_, index) => ({ m: m![index]!, v: v![index]! }));
}

/** A parameter, its moments, and how it decays. */
export interface AdamWUpdate {
  /** Updated in place, f32. */
  readonly parameter: Parameter;
  /** Updated in place. */
  readonly state: AdamWState;
  /** Decay per unit of learning rate; 0 for norms and biases. */
  readonly weightDecay: number;
}

/** Options of {@linkcode adamWStep}. */
export interface AdamWOptions {
  /** {@linkcode adamWSchedule} of the step, `[8]` f32; data, written before each replay. */
  readonly schedule: Tensor;
  /** Result of `clipGradients()`, `[3]` f32. */
  readonly clip: Tensor;
}

/**
 * Records one step of AdamW on parameters, and clears their gradients. Those that lie side by side
 * in memory and decay alike take one dispatch together.
 *
 *     m ← β₁ m + (1 − β₁) g      v ← β₂ v + (1 − β₂) g²      g = clip[0] · gradient
 *     p ← p − learningRate · (m̂ / (√v̂ + eps) + weightDecay · p)
 *
 * All in f32. Where `clip` says that the gradients are not finite, weights and moments stay.
 *
 * @see {@link https://arxiv.org/abs/1711.05101 | Loshchilov & Hutter, 2019}
 *
 * @param tape Where to record; after the backward pass, or on a tape of its own.
 * @param updates What to update; each parameter once.
 * @param options Schedule and clipping.
 * @throws {RangeError} If a shape does not fit.
 * @throws {TypeError} If a parameter is not f32.
 */
export function adamWStep(
  tape: Tape,
  updates: readonly AdamWUpdate[],
  { schedule, clip }: AdamWOptions,
): void {
  for (const update of updates) checkUpdate(update, { schedule, clip });
  const lanes = lanesOf(tape.variant);
  const tensorsOf = ({ parameter, state: { m, v } }: AdamWUpdate) => [
    parameter,
    parameter.gradient,
    m,
    v,
  ];
  const decayAlike = (one: AdamWUpdate, other: AdamWUpdate) =>
    one.weightDecay === other.weightDecay;
  for (const { first, spans } of runsOf(updates, tensorsOf, decayAlike)) {
    const [parameter, gradient, m, v] = spans as [Tensor, Tensor, Tensor, Tensor];
    const { weightDecay } = first;
    for (const range of rowChunks(parameter, tape.maxBindingBytes)) {
      const length = range.end - range.begin;
      tape.dispatch(adamW, {
        constants: lanes,
        params: { length, weightDecay },
        buffers: { ...flatParts({ gradient, m, v, parameter }, range), schedule, clip },
        workgroups: laneWorkgroups(lanes, length),
      });
    }
  }
}

function checkUpdate(
  { parameter, state: { m, v } }: AdamWUpdate,
  { schedule, clip }: AdamWOptions,
): void {
  const shape = describe({ shape: parameter.shape, dtype: "f32" });
  if (parameter.dtype !== "f32") {
    throw new TypeError(
      `Cannot update "${parameter.label}": trained parameters must be f32, got ${describe(parameter)}`,
    );
  }
  for (const [what, tensor, expected] of [
    ["m", m, shape],
    ["v", v, shape],
    ["schedule", schedule, `[${ADAM_W_SCHEDULE_LENGTH}] f32`],
    ["clip", clip, "[3] f32"],
  ] as const) {
    if (describe(tensor) !== expected) {
      throw new RangeError(
        `Cannot update "${parameter.label}": ${what} must be ${expected}, got ${describe(tensor)}`,
      );
    }
  }
}
