import fc from "fast-check";
import type { Gpu } from "../../engine/gpu.ts";
import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { linear } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import type { Tape } from "../../engine/tape.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { activationReference } from "../reference/activation.ts";
import { attentionReference } from "../reference/attention.ts";
import { layerNormReference } from "../reference/layer_norm.ts";
import { linearReference } from "../reference/linear.ts";
import { rmsNormReference } from "../reference/rms_norm.ts";
import { swiGluReference } from "../reference/activation.ts";
import { uniform } from "../support.ts";

/** Every node of a graph is `[ROWS, WIDTH]`. */
export const ROWS = 5;
export const WIDTH = 8;
const HEADS = { seqLen: ROWS, numHeads: 2, numKvHeads: 2, headDim: 4 };
const EPS = 1e-5;

const PARAMETERS = {
  x: [ROWS, WIDTH],
  weight: [WIDTH, WIDTH],
  otherWeight: [WIDTH, WIDTH],
  bias: [WIDTH],
  gain: [WIDTH],
  otherGain: [WIDTH],
} as const;

type Name = keyof typeof PARAMETERS;

/** One op on earlier nodes, counted back from the newest; a count beyond the first is the first. */
export interface Node {
  readonly op: (typeof OPS)[number];
  readonly back: readonly [number, number, number];
}

const OPS = [
  "add",
  "linear",
  "biased",
  "rmsNorm",
  "layerNorm",
  "silu",
  "swiGlu",
  "attention",
] as const;

/** Graphs whose nodes feed several others, themselves twice, or nothing at all. */
export const graphs: fc.Arbitrary<readonly Node[]> = fc.array(
  fc.record({
    // Residual sums are what shares gradients: let half of the nodes be such.
    op: fc.oneof(fc.constant("add" as const), fc.constantFrom(...OPS)),
    back: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)),
  }),
  { minLength: 1, maxLength: 12 },
);

/** Deterministic values of every parameter, in float32. */
export function graphValues(): Record<Name, Float32Array<ArrayBuffer>> {
  const names = Object.keys(PARAMETERS) as Name[];
  return Object.fromEntries(
    names.map((name, index) => {
      const values = uniform(sizeOf(PARAMETERS[name]), index + 1);
      return [name, name === "x" ? values : values.map((value) => value / 2)];
    }),
  ) as Record<Name, Float32Array<ArrayBuffer>>;
}

/** Parameters of a graph on a device, their gradients zero. */
export function graphParameters(gpu: Gpu): Record<Name, Parameter> {
  const values = graphValues();
  return Object.fromEntries(
    Object.entries(PARAMETERS).map(([label, shape]) => [
      label,
      gpu.parameter(shape, { label, values: values[label as Name] }),
    ]),
  ) as Record<Name, Parameter>;
}

/** Who sees whom in attention: all tokens are one document. */
export function graphMasks(gpu: Gpu): { starts: Tensor; ends: Tensor } {
  const u32 = (label: string, value: number) =>
    gpu.tensor([ROWS], { label, dtype: "u32", values: new Uint32Array(ROWS).fill(value) });
  return { starts: u32("starts", 0), ends: u32("ends", ROWS) };
}

/** Records a graph; returns its nodes, `x` first. */
export function recordGraph(
  tape: Tape,
  graph: readonly Node[],
  p: Record<Name, Parameter>,
  masks: { starts: Tensor; ends: Tensor },
): Tensor[] {
  const nodes: Tensor[] = [p.x];
  for (const { op, back } of graph) {
    const [a, b, c] = inputs(nodes, back);
    const record = {
      add: () => add(tape, a, b),
      linear: () => linear(tape, a, p.weight),
      biased: () => linear(tape, a, p.otherWeight, p.bias),
      rmsNorm: () => rmsNorm(tape, a, p.gain, { eps: EPS }),
      layerNorm: () => layerNorm(tape, a, { weight: p.otherGain, bias: p.bias, eps: EPS }),
      silu: () => activation(tape, a, "silu"),
      swiGlu: () => swiGlu(tape, a, b),
      attention: () => causalAttention(tape, { q: a, k: b, v: c, ...masks }, HEADS),
    };
    nodes.push(record[op]());
  }
  return nodes;
}

/**
 * Last node of a graph in float64.
 *
 * @param graph Ops.
 * @param p Parameters.
 * @param offsets Added to nodes, by index: to differentiate with respect to them.
 */
export function evaluateGraph(
  graph: readonly Node[],
  p: Record<Name, Float64Array>,
  offsets: ReadonlyMap<number, Float64Array> = new Map(),
): Float64Array {
  const nodes: Float64Array[] = [p.x];
  const none = new Float64Array(WIDTH);
  graph.forEach(({ op, back }, index) => {
    const [a, b, c] = inputs(nodes, back);
    const sizes = { numRows: 1, ...HEADS, visible: (_row: number, t: number, s: number) => s <= t };
    const evaluate = {
      add: () => a.map((value, i) => value + b[i]!),
      linear: () => linearReference({ x: a, weight: p.weight, bias: none }),
      biased: () => linearReference({ x: a, weight: p.otherWeight, bias: p.bias }),
      rmsNorm: () => rmsNormReference({ x: a, weight: p.gain }, EPS),
      layerNorm: () => layerNormReference({ x: a, weight: p.otherGain, bias: p.bias }, EPS),
      silu: () => a.map(activationReference.silu),
      swiGlu: () => swiGluReference({ gate: a, up: b }),
      attention: () => attentionReference({ q: a, k: b, v: c }, sizes),
    };
    const offset = offsets.get(index + 1);
    nodes.push(evaluate[op]().map((value, i) => value + (offset?.[i] ?? 0)));
  });
  return nodes.at(-1)!;
}

function inputs<T>(nodes: readonly T[], back: Node["back"]): [T, T, T] {
  const at = (count: number) => nodes[Math.max(0, nodes.length - 1 - count)]!;
  return [at(back[0]), at(back[1]), at(back[2])];
}
