import {
  canFuseProjection,
  type FusedProjection,
  fusedProjection,
  type ProjectionNorm,
  shouldFuseNorm,
} from "../../engine/ops/fused_projection.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Scope } from "./block.ts";
import type { ProjectedSizes } from "./inputs.ts";
import type { BlockWeights, LinearWeights, NormWeights } from "./weights.ts";

/**
 * Records a block of a step of decoding in as few dispatches as it takes: one each for queries, keys
 * and values with the norm before them, for what happens to heads on their way to the cache,
 * attention (two over long caches), its output, the hidden layer, and what comes of that. Where a
 * norm and biases are more buffers than a device binds, or rows are wide on a software adapter, the
 * norm stands alone.
 *
 * @param scope Inference over a cache, of a few rows.
 * @param x The residual stream.
 * @param at The block's weights, and its place among the others.
 * @returns The residual stream behind the block, or nothing where it cannot be fused: in training,
 *   for many rows, with adapters, or with weights of a block stored in several ways.
 */
export function recordFusedBlock(
  scope: Scope,
  x: Tensor,
  { block, index }: { readonly block: BlockWeights; readonly index: number },
): Tensor | undefined {
  const { tape, inputs, config, training } = scope;
  const { query, key, value, output, gate, up, down } = block;
  const all = [query, key, value, output, ...(gate ? [gate] : []), up, down];
  if (
    inputs.attendProjected === undefined ||
    training ||
    all.some(({ lora }) => lora !== undefined)
  ) {
    return undefined;
  }
  const gated = config.mlp === "swiGlu";
  const hidden = gated ? [gate!, up] : [up];
  // Activations inside of the block have other widths, and are stored as x is.
  const like = ({ weight }: LinearWeights) => ({ ...x, shape: [x.shape[0]!, weight.shape[1]!] });
  const steps = [
    { x, by: [query, key, value] },
    { x: like(output), by: [output], residual: x },
    { x, by: hidden },
    { x: like(down), by: [down], residual: x },
  ];
  if (!steps.every((step) => canFuseProjection(tape, step))) return undefined;
  const heads = normedProjection(scope, block.attentionNorm, { x, by: [query, key, value] });
  const attended = inputs.attendProjected(tape, heads, sizesOf(scope, block, index));
  const h = fusedProjection(tape, { x: attended, by: [bare(output)], residual: x });
  const activation = config.mlp;
  const inner = normedProjection(scope, block.mlpNorm, { x: h, by: hidden, activation });
  return fusedProjection(tape, { x: inner, by: [bare(down)], residual: h });
}

/** A projection of normalized rows: fused where the device binds all of it, else behind the norm. */
function normedProjection(
  { tape, config }: Scope,
  { weight, bias }: NormWeights,
  { by, ...rest }: Omit<FusedProjection, "norm" | "by"> & { readonly by: readonly LinearWeights[] },
): Tensor {
  const { eps, norm: kind } = config;
  const norm: ProjectionNorm = { kind, weight, eps, ...(bias !== undefined && { bias }) };
  const fused = { ...rest, by: by.map(bare), norm };
  if (shouldFuseNorm(tape, fused)) return fusedProjection(tape, fused);
  const x =
    kind === "rmsNorm"
      ? rmsNorm(tape, rest.x, weight, { eps })
      : layerNorm(tape, rest.x, { weight, eps, ...(bias !== undefined && { bias }) });
  return fusedProjection(tape, { ...rest, x, by: by.map(bare) });
}

/** A projection without its adapter. */
function bare({ weight, bias }: LinearWeights) {
  return { weight, ...(bias !== undefined && { bias }) };
}

/** How heads of a block are normalized, rotated and attended to. */
function sizesOf(
  { inputs, config, rotaryTable: table }: Scope,
  { queryNorm, keyNorm }: BlockWeights,
  index: number,
): ProjectedSizes {
  const { numHeads, numKvHeads, headDim, rotaryLayout: layout, eps } = config;
  const positions = "ids" in inputs.positions ? inputs.positions.ids : inputs.positions;
  return {
    index,
    numHeads,
    numKvHeads,
    headDim,
    ...(table !== undefined && { rotary: { table, positions, layout } }),
    ...(queryNorm !== undefined &&
      keyNorm !== undefined && {
        norms: { query: queryNorm.weight, key: keyNorm.weight, eps },
      }),
  };
}
