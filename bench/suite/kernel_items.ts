import { kernelCases, measureCase, type Scale } from "../cases/mod.ts";
import type { BenchItem } from "./item.ts";

/** Every kernel case, each checked before it is timed. */
export function kernelItems(scale: Scale, isQuick: boolean): BenchItem[] {
  return kernelCases(scale)
    .filter((kernelCase) => kernelCase.isQuick || !isQuick)
    .map((kernelCase) => ({
      ids: [kernelCase.id],
      run: async (context) => {
        if (kernelCase.needsFloat16 && !context.gpu.traits.hasFloat16) return [];
        return [await measureCase(context.gpu, kernelCase, context)];
      },
    }));
}
