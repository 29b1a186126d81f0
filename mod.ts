/**
 * Predicts people's next occupations with language models, on any GPU.
 *
 * The core in one import: kernels as data under `shaders`, everything else by
 * name. Each folder is also an entry of its own, such as `tenure/engine`.
 *
 * @module
 */
export * from "./data/mod.ts";
export * from "./engine/mod.ts";
export * from "./model/mod.ts";
export * as shaders from "./shaders/mod.ts";
