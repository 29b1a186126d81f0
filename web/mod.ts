/**
 * Occupation models on the visitor's GPU, for pages: an engine in a worker, and its types.
 *
 * @module
 */
export { type Career, type Education, EDUCATION_LEVELS, type Observation } from "../data/career.ts";
export { type Occupation, OCCUPATIONS } from "../data/occupations.ts";
export type { Wording } from "../data/wording.ts";
export type * from "./engine/api.ts";
export { createEngine, type EngineOptions, type EngineStore } from "./engine/engine.ts";
export { EngineError, type EngineErrorKind, type EngineErrorParts } from "./engine/errors.ts";
export { type MessageEnd, serveEngine } from "./engine/serve_engine.ts";
export { createWorkerEngine } from "./engine/worker_engine.ts";
