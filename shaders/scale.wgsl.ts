/** `y (+)= factor · x`, one element at a time. */
import {
  type ElementwiseConstants,
  enableF16,
  storageBindings,
  storeOrAdd,
} from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import { mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

const PARAMS = { length: "u32", factor: "f32" } as const;
const BUFFERS = { x: "read", y: "read_write" } as const;

/** Multiplies by a number; computed in f32. */
export const scaleKernel: Kernel<ElementwiseConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "scale",
  params: PARAMS,
  buffers: BUFFERS,
  code: (constants) => wgsl`
    ${enableF16(constants.storage)}
    alias T = ${constants.storage};
    ${paramsBinding(PARAMS)}
    ${storageBindings(BUFFERS, () => "T")}

    ${mainOfElements(
      constants,
      "params.length",
      storeOrAdd("y[i]", "params.factor * f32(x[i])", constants.accumulate, constants.storage),
    )}`,
};
