/** Device, tensors, ops and plans. @module */
export * from "./gpu.ts";
export * from "./plan.ts";
export * from "./tape.ts";
export * from "./tensor.ts";
export * from "./segments.ts";
export * from "./ops/activation.ts";
export * from "./ops/adam_w.ts";
export * from "./ops/add.ts";
export * from "./ops/clip_gradients.ts";
export * from "./ops/dropout.ts";
export * from "./ops/embedding.ts";
export * from "./ops/layer_norm.ts";
export * from "./ops/linear.ts";
export * from "./ops/rms_norm.ts";
export * from "./ops/rotary.ts";
export * from "./ops/swi_glu.ts";
