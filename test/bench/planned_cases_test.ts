import assert from "node:assert/strict";
import { test } from "node:test";
import { type KernelCase, kernelCases, planCase } from "../../bench/cases/mod.ts";
import { paperAdapter } from "../../cli/platform/paper_adapter.ts";
import { Gpu } from "../../engine/gpu.ts";
import { costOf } from "../../engine/profile/costs.ts";
import { openTestAdapter } from "../support.ts";

const adapter = await openTestAdapter();

/** A device without memory, of either variant, whose kernels may use halves. */
const paperGpu = (variant: "flat" | "tiled") =>
  Gpu.open(paperAdapter(adapter), { variant, traits: { hasFloat16: true } });

/** Groups whose operations are all counted alike by the cases and by the kernels' costs. */
const COUNTED = new Set(["matmul", "attention", "cross-entropy"]);

/** Operations that dispatches take, as the profiler counts them. */
function flopsOf(paper: Gpu, kernelCase: KernelCase): number {
  const { dispatches } = planCase(paper, kernelCase);
  return dispatches.reduce((sum, dispatch) => sum + costOf(dispatch).flops, 0);
}

for (const scale of ["small", "full"] as const) {
  for (const variant of ["flat", "tiled"] as const) {
    test(`every ${scale} case can be recorded on paper, ${variant}, and takes what it says`, async () => {
      const paper = await paperGpu(variant);
      for (const kernelCase of kernelCases(scale)) {
        const { id, flops, bytes, group } = kernelCase;
        const before = paper.allocatedBytes;
        const plan = planCase(paper, kernelCase);
        assert.ok(plan.dispatches.length > 0, id);
        assert.ok(plan.bytes > 0 && plan.bytes < 8 * 2 ** 30, `${id}: ${plan.bytes} bytes`);
        assert.equal(paper.allocatedBytes, before, `${id} must free what it allocates`);
        if (group === "elementwise" || group === "norm" || group === "matmul") {
          assert.ok(bytes <= 6 * plan.bytes, `${id}: traffic of ${bytes} in ${plan.bytes} bytes`);
        }
        if (!COUNTED.has(group)) continue;
        const ratio = flopsOf(paper, kernelCase) / flops;
        assert.ok(ratio > 0.8 && ratio < 1.7, `${id}: kernels do ${ratio} times the operations`);
      }
    });
  }
}
