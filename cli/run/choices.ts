import type { Variant } from "../../engine/gpu.ts";
import type { WeightDType } from "../../engine/pack.ts";

/*
 * What flags may be set to. Apart from what does the work, so that a command knows its flags
 * without loading that.
 */

/** Which kernels run; `"auto"` leaves it to the adapter. */
export type Kernels = Variant | "auto";

/** Choices of {@linkcode Kernels} on the command line. */
export const KERNELS: readonly Kernels[] = ["auto", "flat", "tiled"];

/** How weights may be held on the command line. */
export const WEIGHT_DTYPES: readonly WeightDType[] = ["f32", "f16", "bf16", "int8", "int4"];

/** Formats of files that a model is written in. */
export const EXPORT_FORMATS = ["safetensors", "gguf"] as const;

/** One of {@linkcode EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Types that weights are written as. */
export const EXPORT_DTYPES = ["f32", "f16", "bf16", "q8_0"] as const;

/** One of {@linkcode EXPORT_DTYPES}. */
export type ExportDtype = (typeof EXPORT_DTYPES)[number];

/** What a model does that can be profiled, or that kernels can be tuned for. */
export const PHASES = ["train", "prefill", "decode"] as const;

/** One of {@linkcode PHASES}. */
export type Phase = (typeof PHASES)[number];

/** Probability that may stay unexplored at an observation, unless told otherwise. */
export const DEFAULT_TOLERANCE = 1e-2;
