/**
 * Dropout: zeroes elements at random and scales the others, so that the mean stays.
 *
 *     forward   y  = mask · x / (1 − rate)
 *     backward  dx = mask · dy / (1 − rate)
 *
 * The mask is not stored: four elements share one draw of Philox, keyed by the seed and counted
 * by (element / 4, id of the op, step, micro-batch), and backward draws it again.
 *
 * Srivastava et al., "Dropout", 2014. https://jmlr.org/papers/v15/srivastava14a.html
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { PHILOX } from "./philox.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Elements of one draw, and so of a lane. */
export const ELEMENTS_PER_DRAW = 4;

const PARAMS = {
  length: "u32",
  numDraws: "u32",
  id: "u32",
  threshold: "u32",
  scale: "f32",
} as const;

/** Constants of {@linkcode dropoutKernel}. */
export interface DropoutConstants extends LaneConstants {
  readonly storage: Storage;
  readonly accumulate: boolean;
}

const BUFFERS = { x: "read", randomness: "read", y: "read_write" } as const;

/** `y = mask · x · scale`; an element stays where its 32 random bits reach `threshold`. */
export const dropoutKernel: Kernel<DropoutConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "dropout",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ storage, accumulate, ...lanes }) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;        // [length]
    @group(0) @binding(2) var<storage, read> randomness: array<u32>;      // [4]: seed (2), step, micro-batch
    @group(0) @binding(3) var<storage, read_write> y: array<${storage}>;  // [length]

    ${PHILOX}

    ${mainOfElements(
      lanes,
      "params.numDraws",
      `let counter = vec4u(i, params.id, randomness[2], randomness[3]);
        let bits = philox(counter, vec2u(randomness[0], randomness[1]));
        for (var j = 0u; j < ${ELEMENTS_PER_DRAW}u; j++) {
          let element = ${ELEMENTS_PER_DRAW}u * i + j;
          if (element < params.length) {
            let value = select(0.0, f32(x[element]) * params.scale, bits[j] >= params.threshold);
            ${storeOrAdd("y[element]", "value", accumulate, storage)}
          }
        }`,
    )}`,
};
