/**
 * Occupation models on the visitor's GPU, for pages: an engine in a worker, and its types.
 *
 * @module
 */
export type * from "./engine/api.ts";
export { createEngine, type EngineOptions, type EngineStore } from "./engine/engine.ts";
export { EngineError, type EngineErrorKind, type EngineErrorParts } from "./engine/errors.ts";
export { type MessageEnd, serveEngine } from "./engine/serve_engine.ts";
export { createWorkerEngine } from "./engine/worker_engine.ts";
