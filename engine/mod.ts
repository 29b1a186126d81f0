/**
 * Device, tensors, ops and plans.
 *
 * @module
 */
export * from "./float16.ts";
export type { AllocationFailure, Audience } from "./device_memory.ts";
export * from "./gpu.ts";
export type { Lifetime, MemoryPlan } from "./memory.ts";
export * from "./ops/activation.ts";
export * from "./ops/adam_w.ts";
export * from "./ops/add.ts";
export * from "./ops/attention.ts";
export * from "./ops/batched_matmul.ts";
export * from "./ops/cache_heads.ts";
export * from "./ops/cached_attention.ts";
export { cast } from "./ops/cast.ts";
export * from "./ops/clip_gradients.ts";
export { decodeAttention, type DecodeAttentionProblem } from "./ops/decode_attention.ts";
export * from "./ops/dropout.ts";
export * from "./ops/embedding.ts";
export { fewRows, type FewRowsProblem } from "./ops/few_rows.ts";
export * from "./ops/fused_projection.ts";
export * from "./ops/layer_norm.ts";
export * from "./ops/linear.ts";
export {
  type CrossEntropy,
  type CrossEntropyInputs,
  type CrossEntropyOptions,
  linearCrossEntropy,
} from "./ops/linear_cross_entropy.ts";
export * from "./ops/pair_log_probabilities.ts";
export type { MatmulProblem } from "./ops/matmul_family.ts";
export { MATMUL } from "./ops/matmul_tunable.ts";
export * from "./ops/rms_norm.ts";
export * from "./ops/rope_scaling.ts";
export * from "./ops/rotary.ts";
export * from "./ops/scale.ts";
export * from "./ops/sampling.ts";
export * from "./ops/softmax_loss.ts";
export * from "./ops/sparse_rows.ts";
export * from "./ops/swi_glu.ts";
export * from "./ops/two_stage.ts";
export * from "./pack.ts";
export * from "./pack_blocks.ts";
export * from "./parameters.ts";
export * from "./plan.ts";
export * from "./profile/chrome_trace.ts";
export { type Cost, type CostOptions, costOf } from "./profile/costs.ts";
export {
  type DispatchProfile,
  groupDispatches,
  type HostProfile,
  type Phase,
  type Profile,
  type ProfileGroup,
  ratesOf,
  sumOf,
} from "./profile/profile.ts";
export { type ProfileOptions, profilePlan, type StepPlans } from "./profile/profiler.ts";
export * from "./profile/roofline.ts";
export { type Clock, type PlanTime, timePlan, type TimePlanOptions } from "./profile/time_plan.ts";
export type { BufferPart } from "./readback.ts";
export * from "./segments.ts";
export { SparseInput, type SparseInputOptions, type SparseRows } from "./sparse_input.ts";
export * from "./split.ts";
export * from "./tape.ts";
export * from "./tensor.ts";
export * from "./tuning/mod.ts";
