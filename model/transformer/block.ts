import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { dropout } from "../../engine/ops/dropout.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { linear } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { rotary } from "../../engine/ops/rotary.ts";
import { scale } from "../../engine/ops/scale.ts";
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

/** Ids of dropout in the adapters of block `i` begin at (i + 1) · this, after those of sublayers. */
const LORA_IDS = 2 ** 16;

/** `x + attention(norm(x))`, then `h + mlp(norm(h))`. */
export function recordBlock(scope: Scope, x: Tensor, place: Place): Tensor {
  const { tape, config } = scope;
  const { block, index } = place;
  const rate = config.dropout;
  const attended = attention(scope, normalize(scope, x, block.attentionNorm), place);
  const h = add(tape, x, drop(scope, attended, { rate, id: 1 + 2 * index }));
  const changed = mlp(scope, normalize(scope, h, block.mlpNorm), place);
  return add(tape, h, drop(scope, changed, { rate, id: 2 + 2 * index }));
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

function attention(scope: Scope, x: Tensor, place: Place): Tensor {
  const { tape, inputs, config } = scope;
  const { block, index } = place;
  const { numHeads, numKvHeads, headDim } = config;
  const q = rotate(
    scope,
    affine(scope, x, { of: block.query, id: loraId(index, 0) }),
    block.queryNorm,
  );
  const k = rotate(scope, affine(scope, x, { of: block.key, id: loraId(index, 1) }), block.keyNorm);
  const v = affine(scope, x, { of: block.value, id: loraId(index, 2) });
  const y = inputs.attend(tape, { q, k, v }, { index, numHeads, numKvHeads, headDim });
  return affine(scope, y, { of: block.output, id: loraId(index, 3) });
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
function mlp(scope: Scope, x: Tensor, { block, index }: Place): Tensor {
  const { tape, config } = scope;
  const { gate, up, down } = block;
  const hidden = affine(scope, x, { of: up, id: loraId(index, 5) });
  const activated =
    config.mlp === "swiGlu"
      ? swiGlu(tape, affine(scope, x, { of: gate!, id: loraId(index, 4) }), hidden)
      : activation(tape, hidden, config.mlp);
  return affine(scope, activated, { of: down, id: loraId(index, 6) });
}

/** `x · weightᵀ + bias`, and the adapter's `scale · (x · aᵀ) · bᵀ`. */
function affine(
  scope: Scope,
  x: Tensor,
  { of: { weight, bias, lora }, id }: { readonly of: LinearWeights; readonly id: number },
): Tensor {
  const { tape } = scope;
  const y = linear(tape, x, weight, bias);
  if (lora === undefined) return y;
  const low = linear(tape, drop(scope, x, { rate: lora.dropout, id }), lora.a);
  return add(tape, y, linear(tape, scale(tape, low, lora.scale), lora.b));
}

function loraId(index: number, which: number): number {
  return (index + 1) * LORA_IDS + which;
}
