import type { Gpu } from "../../engine/gpu.ts";
import { timePlan } from "../../engine/profile/time_plan.ts";
import { type BenchRow, type LimitMs, rowOf } from "../report/row.ts";
import type { KernelCase } from "./kernel_case.ts";
import { prepareCase } from "./run_case.ts";

/** How thoroughly rows are measured. */
export interface Thoroughness {
  /** Measurements of each row. */
  readonly rounds: number;
  /** Least time of a measurement on the device, ms. */
  readonly minMs: number;
  /** No round of a row begins later than this after its first, ms. */
  readonly maxMs: number;
}

/** What rows to be kept are measured with, and what a first look takes. */
export const THOROUGH: Thoroughness = { rounds: 9, minMs: 20, maxMs: 5000 };
export const QUICK: Thoroughness = { rounds: 5, minMs: 5, maxMs: 1000 };

/** A row could not be trusted: what it computes is wrong. */
export class WrongResultError extends Error {
  override readonly name = "WrongResultError";
}

/**
 * Runs a case once, checks it, and times it on the device; its memory is free afterwards.
 *
 * @param gpu Where to; with `shader-f16`, if the case needs that.
 * @param kernelCase What to measure.
 * @param options How thoroughly, and the adapter's own limit, where it was measured.
 * @throws {WrongResultError} If its results are not those of the float64 reference.
 * @throws {RangeError} If the device cannot hold it.
 */
export async function measureCase(
  gpu: Gpu,
  kernelCase: KernelCase,
  { effort, limitMs }: { readonly effort: Thoroughness; readonly limitMs: LimitMs },
): Promise<BenchRow> {
  const { id, shape, dtype, flops, bytes } = kernelCase;
  const prepared = await prepareCase(gpu, kernelCase);
  try {
    const { plan, check, firstMs } = prepared;
    if (check.failure !== undefined) {
      throw new WrongResultError(`Cannot trust ${id}: ${check.failure}`);
    }
    const timed = await timePlan(gpu, plan, effort);
    const peakBytes = prepared.bytes;
    const about = { id, group: "kernels", shape, dtype, firstMs, peakBytes } as const;
    return rowOf({ ...about, error: check.worst }, timed, { work: { flops, bytes }, limitMs });
  } finally {
    prepared.destroy();
  }
}
