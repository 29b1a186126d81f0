import { timePlan } from "../../engine/profile/time_plan.ts";
import { type KernelCase, kernelCases, prepareCase, type Scale } from "../cases/mod.ts";
import { type BenchRow, rowOf } from "../report/row.ts";
import { type BenchContext, type BenchItem, WrongResultError } from "./item.ts";

/** Every kernel case, each checked before it is timed. */
export function kernelItems(scale: Scale, isQuick: boolean): BenchItem[] {
  return kernelCases(scale)
    .filter((kernelCase) => kernelCase.isQuick || !isQuick)
    .map((kernelCase) => ({
      ids: [kernelCase.id],
      run: async (context) => {
        if (kernelCase.needsFloat16 && !context.gpu.traits.hasFloat16) return [];
        return [await measureCase(kernelCase, context)];
      },
    }));
}

/**
 * Runs a case once, checks it, and times it on the device.
 *
 * @throws {WrongResultError} If its results are not those of the float64 reference.
 */
async function measureCase(kernelCase: KernelCase, context: BenchContext): Promise<BenchRow> {
  const { gpu, effort, limitMs } = context;
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
