/**
 * Activation functions, one lane an element.
 *
 *     silu      y = x · σ(x)                dx = dy · σ · (1 + x · (1 − σ))
 *     gelu      y = x · Φ(x)                dx = dy · (Φ + x · φ(x))
 *     geluTanh  y = x · σ(2u)               dx = dy · (σ + x · σ · (1 − σ) · 2u′)
 *     swiGlu    y = silu(gate) · up         dGate = dy · up · silu′(gate), dUp = dy · silu(gate)
 *
 * Φ and φ are the normal distribution and its density; u = √(2/π) · (x + 0.044715 x³), and
 * ½ · (1 + tanh u) = σ(2u), which cannot overflow once its argument is bounded.
 *
 * Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016. https://arxiv.org/abs/1606.08415
 * Shazeer, "GLU Variants Improve Transformer", 2020. https://arxiv.org/abs/2002.05202
 */
import { elementwise, type ElementwiseKernel, storeOrAdd } from "./elementwise.wgsl.ts";

/** Functions that `activation()` knows. */
export type Activation = "silu" | "gelu" | "geluTanh";

/** The larger of two, or NaN where `value` is: max() would hide a NaN from the loss. */
const atLeast = (value: string, bound: string): string =>
  `select(${value}, ${bound}, ${value} < ${bound})`;

/** Declares `name` = σ(value); beyond ±80 it is 0 or 1 in f32, and exp() would overflow. */
const sigmoid = (name: string, value: string): string =>
  `let ${name} = 1.0 / (1.0 + exp(-clamp(${value}, -80.0, 80.0)));`;

// The complementary error function to 1.2e-7 of its value everywhere, so that the negative tail
// keeps its digits: Press et al., "Numerical Recipes", 2nd ed., section 6.2, by Chebyshev fitting.
const ERFC_COEFFICIENTS = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
];

const horner = (coefficients: readonly number[]): string =>
  coefficients.reduceRight(
    (sum, coefficient) => (sum === "" ? `${coefficient}` : `fma(t, ${sum}, ${coefficient})`),
    "",
  );

/** Declares `normal` = Φ(value). */
const normalDistribution = (value: string): string => `
      let z = abs(${value}) * ${Math.SQRT1_2};
      let t = 1.0 / (1.0 + 0.5 * z);
      let tail = 0.5 * t * exp(max(-z * z + ${horner(ERFC_COEFFICIENTS)}, -80.0));
      let normal = select(1.0 - tail, tail, ${value} < 0.0);`;

/**
 * Declares `y` and `slope`: an activation and its derivative. Only `y` grows with large inputs;
 * whatever is squared or multiplied by a tail is bounded first.
 */
const EVALUATIONS: Readonly<Record<Activation, (x: string) => string>> = {
  silu: (x) => `
      let value = ${atLeast(x, "-80.0")};
      let bounded = min(value, 80.0);
      ${sigmoid("sigma", "bounded")}
      let y = value * sigma;
      let slope = sigma * (1.0 + bounded * (1.0 - sigma));`,
  gelu: (x) => `
      let value = ${atLeast(x, "-20.0")};
      let bounded = min(value, 20.0);
      ${normalDistribution("bounded")}
      let y = value * normal;
      let density = ${1 / Math.sqrt(2 * Math.PI)} * exp(max(-0.5 * bounded * bounded, -80.0));
      let slope = fma(bounded, density, normal);`,
  geluTanh: (x) => `
      let value = ${atLeast(x, "-20.0")};
      let bounded = min(value, 20.0);
      let u = ${Math.sqrt(2 / Math.PI)} * bounded * fma(0.044715, bounded * bounded, 1.0);
      ${sigmoid("sigma", "2.0 * u")}
      let y = value * sigma;
      let du = ${Math.sqrt(2 / Math.PI)} * fma(${3 * 0.044715}, bounded * bounded, 1.0);
      let slope = sigma * (1.0 + bounded * (1.0 - sigma) * 2.0 * du);`,
};

/** WGSL that declares `y` and `slope`: an activation of the f32 expression `x`, and its derivative. */
export const evaluationOf = (name: Activation, x: string): string => EVALUATIONS[name](x);

/** WGSL function `activate(input: f32) -> f32`, for kernels that end with an activation. */
export function activationFunction(name: Activation): string {
  return `fn activate(input: f32) -> f32 {${evaluationOf(name, "input")}
      return y;
    }`;
}

const FORWARD_BUFFERS = { x: "read", result: "read_write" } as const;
const BACKWARD_BUFFERS = { x: "read", dy: "read", dx: "read_write" } as const;

const forward = (name: Activation) =>
  elementwise(
    name,
    FORWARD_BUFFERS,
    `${evaluationOf(name, "f32(x[i])")}
      result[i] = T(y);`,
  );

const backward = (name: Activation) =>
  elementwise(
    `${name}Backward`,
    BACKWARD_BUFFERS,
    ({ storage, accumulate }) => `${evaluationOf(name, "f32(x[i])")}
      ${storeOrAdd("dx[i]", "f32(dy[i]) * slope", accumulate, storage)}`,
  );

/** `result = f(x)`. */
export const activationForward: Readonly<
  Record<Activation, ElementwiseKernel<typeof FORWARD_BUFFERS>>
> = {
  silu: forward("silu"),
  gelu: forward("gelu"),
  geluTanh: forward("geluTanh"),
};

/** `dx`, from `x` and `dy`. */
export const activationBackward: Readonly<
  Record<Activation, ElementwiseKernel<typeof BACKWARD_BUFFERS>>
> = {
  silu: backward("silu"),
  gelu: backward("gelu"),
  geluTanh: backward("geluTanh"),
};

/** WGSL function `activateGated(gate: f32, up: f32) -> f32`: `silu(gate) · up`. */
export const GATED_FUNCTION: string = `fn activateGated(gate: f32, up: f32) -> f32 {
      let value = ${atLeast("gate", "-80.0")};
      ${sigmoid("sigma", "value")}
      return value * sigma * up;
    }`;

const GATED_BUFFERS = { gate: "read", up: "read", y: "read_write" } as const;

/** `y = silu(gate) · up`. */
export const swiGluForward: ElementwiseKernel<typeof GATED_BUFFERS> = elementwise(
  "swiGlu",
  GATED_BUFFERS,
  `let value = ${atLeast("f32(gate[i])", "-80.0")};
      ${sigmoid("sigma", "value")}
      y[i] = T(value * sigma * f32(up[i]));`,
);

const D_GATE_BUFFERS = { gate: "read", up: "read", dy: "read", dGate: "read_write" } as const;

/** `dGate`, from `dy`. */
export const swiGluBackwardGate: ElementwiseKernel<typeof D_GATE_BUFFERS> = elementwise(
  "swiGluBackwardGate",
  D_GATE_BUFFERS,
  ({ storage, accumulate }) => `let value = ${atLeast("f32(gate[i])", "-80.0")};
      ${sigmoid("sigma", "value")}
      let slope = sigma * (1.0 + min(value, 80.0) * (1.0 - sigma));
      ${storeOrAdd("dGate[i]", "f32(dy[i]) * f32(up[i]) * slope", accumulate, storage)}`,
);

const D_UP_BUFFERS = { gate: "read", dy: "read", dUp: "read_write" } as const;

/** `dUp`, from `dy`. */
export const swiGluBackwardUp: ElementwiseKernel<typeof D_UP_BUFFERS> = elementwise(
  "swiGluBackwardUp",
  D_UP_BUFFERS,
  ({ storage, accumulate }) => `let value = ${atLeast("f32(gate[i])", "-80.0")};
      ${sigmoid("sigma", "value")}
      ${storeOrAdd("dUp[i]", "f32(dy[i]) * value * sigma", accumulate, storage)}`,
);
