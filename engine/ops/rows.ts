import type { RowConstants } from "../../shaders/rows.wgsl.ts";
import type { Variant } from "../gpu.ts";

/** One subgroup of Mesa's software driver: a larger workgroup would only loop over subgroups. */
const FLAT_LANES = 8;

/** Lanes that share a row on a GPU; a row of a small model has 128 columns or more. */
const TILED_LANES = 64;

/** Constants of kernels that walk rows, as fits a variant. */
export function rowConstants(variant: Variant): RowConstants {
  return { variant, workgroupSize: variant === "flat" ? FLAT_LANES : TILED_LANES };
}
