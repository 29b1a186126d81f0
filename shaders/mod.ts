/**
 * Every kernel as plain data: name, params, buffers and WGSL.
 *
 * @module
 */
export * from "./activation.wgsl.ts";
export * from "./adam_w.wgsl.ts";
export { attentionForward } from "./attention.wgsl.ts";
export { attentionBackwardKey, attentionBackwardQuery } from "./attention_backward.wgsl.ts";
export { attentionSpans } from "./attention_spans.wgsl.ts";
export type { AttentionConstants } from "./attention_walk.wgsl.ts";
export { type CacheStorage, cachedAttentionKernel } from "./cached_attention.wgsl.ts";
export { type CastConstants, castKernel } from "./cast.wgsl.ts";
export { type ClipConstants, clipScale, sumSquares } from "./clip_gradients.wgsl.ts";
export { type CombineConstants, combineSplits } from "./combine_splits.wgsl.ts";
export * from "./cross_entropy.wgsl.ts";
export type { DecodeConstants } from "./decode_attention.wgsl.ts";
export { decodeAttentionFlat } from "./decode_attention_flat.wgsl.ts";
export { decodeAttentionTiled } from "./decode_attention_tiled.wgsl.ts";
export { type DropoutConstants, dropoutKernel } from "./dropout.wgsl.ts";
export { add, addInto, copy, type ElementwiseConstants } from "./elementwise.wgsl.ts";
export {
  embeddingBackwardFlat,
  embeddingBackwardTiled,
  type EmbeddingConstants,
  embeddingForward,
} from "./embedding.wgsl.ts";
export * from "./kernel.ts";
export type { LaneConstants } from "./lanes.wgsl.ts";
export * from "./layer_norm.wgsl.ts";
export * from "./linear_flat.wgsl.ts";
export * from "./linear_product.wgsl.ts";
export { addSplits, type AddSplitsConstants } from "./linear_splits.wgsl.ts";
export { matmulTiled, type MatmulTiledConstants } from "./linear_tiled.wgsl.ts";
export * from "./pair_log_probabilities.wgsl.ts";
export * from "./rms_norm.wgsl.ts";
export {
  type FmaConstants,
  type MatrixPeakConstants,
  rooflineCopy,
  rooflineFma,
  rooflineMatrix,
} from "./roofline.wgsl.ts";
export * from "./rotary.wgsl.ts";
export type { RowConstants } from "./rows.wgsl.ts";
export * from "./scale.wgsl.ts";
export { sampleKernel } from "./sampling.wgsl.ts";
export * from "./sampling_advance.wgsl.ts";
export type { SharedRowConstants } from "./sampling_lanes.wgsl.ts";
export {
  type SoftmaxLossConstants,
  softmaxLossBackward,
  softmaxLossForward,
} from "./softmax_loss.wgsl.ts";
export {
  sparseRowsBackwardFlat,
  sparseRowsBackwardTiled,
  type SparseRowsConstants,
  sparseRowsForward,
} from "./sparse_rows.wgsl.ts";
export * from "./sum_columns.wgsl.ts";
export * from "./two_stage.wgsl.ts";
export {
  type WriteCacheConstants,
  writeCacheKernel,
  writeCachesKernel,
} from "./write_cache.wgsl.ts";
