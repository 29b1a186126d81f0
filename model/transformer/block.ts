import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { dropout } from "../../engine/ops/dropout.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { linear, type LinearOptions } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { rotary } from "../../engine/ops/rotary.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelConfig } from "./config.ts";
import type { ForwardInputs } from "./inputs.ts";
import type { BlockWeights, LinearWeights, NormWeights } from "./weights.ts";

/** What all parts of a forward pass share. */
export interface Scope {
  readonly tape: Tape;
  readonly inputs: ForwardInputs;
  readonly config: ModelConfig;
  readonly training: boolean;
  readonly rotaryTable: Tensor | undefined;
}

/** One block and its place among the others. */
interface Place {
  readonly block: BlockWeights;
  readonly index: number;
}

/** A block's place, and what its last product adds to. */
interface Sublayer extends Place {
  readonly residual: Tensor | undefined;
}

/** Ids of dropout in the adapters of block `i` begin at (i + 1) · this, after those of sublayers. */
const LORA_IDS = 2 ** 16;

/** `x + attention(norm(x))`, then `h + mlp(norm(h))`. */
export function recordBlock(scope: Scope, x: Tensor, place: Place): Tensor {
  const { tape, config } = scope;
  const { block, index } = place;
  const rate = config.dropout;
  // What is not dropped is added by the product that makes it.
  const drops = scope.training && rate > 0;
  const into = (residual: Tensor) => (drops ? undefined : residual);
  const join = (residual: Tensor, change: Tensor, id: number) =>
    drops ? add(tape, residual, drop(scope, change, { rate, id })) : change;
  const attended = attention(scope, normalize(scope, x, block.attentionNorm), {
    ...place,
    residual: into(x),
  });
  const h = join(x, attended, 1 + 2 * index);
  const changed = mlp(scope, normalize(scope, h, block.mlpNorm), { ...place, residual: into(h) });
  return join(h, changed, 2 + 2 * index);
}

/** Normalizes as the model does. */
export function normalize({ tape, config }: Scope, x: Tensor, norm: NormWeights): Tensor {
  const { eps } = config;
  const { weight, bias } = norm;
  return config.norm === "rmsNorm"
    ? rmsNorm(tape, x, weight, { eps })
    : layerNorm(tape, x, { weight, ...(bias !== undefined && { bias }), eps });
}

/** Drops elements in training; `id` tells the places of a model apart. */
export function drop(
  { tape, inputs, training }: Scope,
  x: Tensor,
  { rate, id }: { readonly rate: number; readonly id: number },
): Tensor {
  if (!training || rate === 0) return x;
  if (inputs.randomness === undefined) {
    throw new TypeError("Cannot apply dropout: the inputs must carry randomness, got none");
  }
  return dropout(tape, x, { rate, randomness: inputs.randomness, id });
}

function attention(scope: Scope, x: Tensor, { block, index, residual }: Sublayer): Tensor {
  const { tape, inputs, config } = scope;
  const { numHeads, numKvHeads, headDim } = config;
  const q = rotate(
    scope,
    affine(scope, x, { of: block.query, id: loraId(index, 0) }),
    block.queryNorm,
  );
  const k = rotate(scope, affine(scope, x, { of: block.key, id: loraId(index, 1) }), block.keyNorm);
  const v = affine(scope, x, { of: block.value, id: loraId(index, 2) });
  const y = inputs.attend(tape, { q, k, v }, { index, numHeads, numKvHeads, headDim });
  return affine(scope, y, { of: block.output, id: loraId(index, 3), residual });
}

/** Queries or keys as they meet: normalized head by head where the model does so, then rotated. */
function rotate(scope: Scope, x: Tensor, norm: NormWeights | undefined): Tensor {
  const { tape, inputs, config, rotaryTable: table } = scope;
  const { headDim, rotaryLayout: layout, eps } = config;
  const normed = norm === undefined ? x : rmsNorm(tape, x, norm.weight, { eps, headDim });
  if (table === undefined) return normed;
  const { positions } = inputs;
  const at = { table, positions: "ids" in positions ? positions.ids : positions };
  return rotary(tape, normed, at, { headDim, layout });
}

/** `down(silu(gate(x)) · up(x))`, or `down(f(up(x)))`. */
function mlp(scope: Scope, x: Tensor, { block, index, residual }: Sublayer): Tensor {
  const { tape, config } = scope;
  const { gate, up, down } = block;
  const ofUp = { of: up, id: loraId(index, 5) };
  const activated =
    config.mlp === "swiGlu"
      ? swiGlu(tape, affine(scope, x, { of: gate!, id: loraId(index, 4) }), affine(scope, x, ofUp))
      : affine(scope, x, { ...ofUp, activation: config.mlp });
  return affine(scope, activated, { of: down, id: loraId(index, 6), residual });
}

/** A map of a block, its number among all, and what is done to its result. */
interface Affine extends Pick<LinearOptions, "activation" | "residual"> {
  readonly of: LinearWeights;
  readonly id: number;
}

/** `f(x · weightᵀ + bias) + residual`, with the adapter's `scale · (x · aᵀ) · bᵀ` inside of `f`. */
function affine(scope: Scope, x: Tensor, { of, id, activation: name, residual }: Affine): Tensor {
  const { tape } = scope;
  const { weight, bias, lora } = of;
  if (lora === undefined) return linear(tape, x, weight, { bias, activation: name, residual });
  const y = linear(tape, x, weight, { bias, residual });
  const low = linear(tape, drop(scope, x, { rate: lora.dropout, id }), lora.a);
  const adapted = linear(tape, low, lora.b, { scale: lora.scale, residual: y });
  return name === undefined ? adapted : activation(tape, adapted, name);
}

function loraId(index: number, which: number): number {
  return (index + 1) * LORA_IDS + which;
}
