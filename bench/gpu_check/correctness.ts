import { kernelCases, prepareCase } from "../cases/mod.ts";
import type { CheckContext, Finding } from "./section.ts";

/**
 * Every kernel case at small sizes against float64, with Dawn's checks on and the default choices;
 * other choices are held against these by the tuner.
 */
export async function checkKernels(
  { safe: { gpu }, say }: CheckContext,
  deadline: number,
): Promise<Finding> {
  const failures: string[] = [];
  const skipped: string[] = [];
  let [numCases, numChecked, worst] = [0, 0, 0];
  for (const kernelCase of kernelCases("small")) {
    const { id } = kernelCase;
    if (kernelCase.needsFloat16 && !gpu.traits.hasFloat16) {
      skipped.push(`${id}: the adapter has no shader-f16`);
      continue;
    }
    if (performance.now() > deadline) {
      skipped.push(`${id}: there was no time left`);
      continue;
    }
    try {
      const { check, destroy } = await prepareCase(gpu, kernelCase);
      destroy();
      numCases += 1;
      numChecked += check.numChecked;
      worst = Math.max(worst, check.worst);
      if (check.failure !== undefined) failures.push(`${id}: ${check.failure}`);
    } catch (error) {
      failures.push(`${id}: ${(error as Error).message}`);
    }
    if (numCases % 20 === 0) say(`${numCases} cases`);
  }
  const line = `${numCases} cases, ${numChecked} values within ${worst.toFixed(2)} of their tolerance`;
  return {
    body: { numCases, numChecked, worst, failures, skipped },
    lines: skipped.length === 0 ? [line] : [line, `${skipped.length} cases skipped`],
    failures,
  };
}
