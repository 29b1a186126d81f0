/**
 * One step of AdamW.
 *
 *     m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²        g = scale · gradient
 *     p ← p − learningRate · (m̂ / (√v̂ + eps) + weightDecay · p)
 *     m̂ = m / (1 − β₁ᵗ)            v̂ = v / (1 − β₂ᵗ)
 *
 * Clears the gradient, so that the next one can add up from zero. Where the gradients of the
 * step are not finite it only clears: weights and moments stay as they are, in every bit.
 *
 * Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019.
 * https://arxiv.org/abs/1711.05101
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Elements of the buffer `schedule`, in order. */
export const SCHEDULE_FIELDS = [
  "learningRate",
  "beta1",
  "beta2",
  "eps",
  "oneMinusBeta1",
  "oneMinusBeta2",
  "biasCorrection1",
  "biasCorrection2",
] as const;

const PARAMS = { length: "u32", weightDecay: "f32" } as const;

const BUFFERS = {
  gradient: "read_write",
  m: "read_write",
  v: "read_write",
  parameter: "read_write",
  schedule: "read",
  clip: "read",
} as const;

/** Updates one parameter in place. */
export const adamW: Kernel<LaneConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "adamW",
  params: PARAMS,
  buffers: BUFFERS,
  code: (constants) =>
    wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read_write> gradient: array<f32>;   // [length]
    @group(0) @binding(2) var<storage, read_write> m: array<f32>;          // [length]
    @group(0) @binding(3) var<storage, read_write> v: array<f32>;          // [length]
    @group(0) @binding(4) var<storage, read_write> parameter: array<f32>;  // [length]
    @group(0) @binding(5) var<storage, read> schedule: array<f32>;         // [${SCHEDULE_FIELDS.length}]
    @group(0) @binding(6) var<storage, read> clip: array<f32>;             // [3]: scale, nonFinite, norm

    ${mainOfElements(
      constants,
      "params.length",
      `let g = gradient[i] * clip[0];
        gradient[i] = 0.0;
        if (clip[1] == 0.0) {
          ${SCHEDULE_FIELDS.map((name, index) => `let ${name} = schedule[${index}];`).join("\n          ")}
          let newM = fma(beta1, m[i], oneMinusBeta1 * g);
          let newV = fma(beta2, v[i], oneMinusBeta2 * g * g);
          let update = (newM / biasCorrection1) / (sqrt(newV / biasCorrection2) + eps);
          m[i] = newM;
          v[i] = newV;
          parameter[i] -= learningRate * fma(params.weightDecay, parameter[i], update);
        }`,
    )}`,
};
