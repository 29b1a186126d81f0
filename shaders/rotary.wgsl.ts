/**
 * Rotary position embedding: rotates pairs of a head's elements by an angle that grows with the
 * position.
 *
 *     forward   (a, b) → (a · cos − b · sin,  b · cos + a · sin)      angle = position · θ^(−2i/headDim)
 *     backward  the rotation by −angle
 *
 * Pair `i` of a head of width d is (i, i + d/2) in the layout "half" (Llama as Hugging Face stores
 * it, GPT-NeoX) and (2i, 2i + 1) in "interleaved" (the paper, GPT-J, llama2.c).
 *
 * Su et al., "RoFormer", 2021. https://arxiv.org/abs/2104.09864
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Which elements of a head rotate together. */
export type RotaryLayout = "half" | "interleaved";

/** Constants of {@linkcode rotaryKernel}. */
export interface RotaryConstants extends LaneConstants {
  readonly layout: RotaryLayout;
  readonly storage: Storage;
  /** Rotates by −angle: the gradient. */
  readonly inverse: boolean;
  readonly accumulate: boolean;
}

const PARAMS = { numPairs: "u32", rowPairs: "u32", headPairs: "u32", maxSeqLen: "u32" } as const;

const BUFFERS = { x: "read", table: "read", positions: "read", y: "read_write" } as const;

/** `y = rotate(x)`, a pair `i` at a time; `rowPairs` and `headPairs` are pairs of a token and of a head. */
export const rotaryKernel: Kernel<RotaryConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "rotary",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ layout, storage, inverse, accumulate, ...lanes }) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;        // [numTokens, numHeads · headDim]
    @group(0) @binding(2) var<storage, read> table: array<f32>;           // [maxSeqLen, headDim]: cos, sin
    @group(0) @binding(3) var<storage, read> positions: array<u32>;       // [numTokens]
    @group(0) @binding(4) var<storage, read_write> y: array<${storage}>;  // as x

    ${mainOfElements(
      lanes,
      "params.numPairs",
      `let position = min(positions[i / params.rowPairs], params.maxSeqLen - 1u);
        let frequency = i % params.headPairs;
        let cosine = table[2u * position * params.headPairs + frequency];
        let sine = ${inverse ? "-" : ""}table[(2u * position + 1u) * params.headPairs + frequency];
        let first = 2u * i${layout === "half" ? " - frequency" : ""};
        let second = first + ${layout === "half" ? "params.headPairs" : "1u"};
        let a = f32(x[first]);
        let b = f32(x[second]);
        ${storeOrAdd("y[first]", "a * cosine - b * sine", accumulate, storage)}
        ${storeOrAdd("y[second]", "b * cosine + a * sine", accumulate, storage)}`,
    )}`,
};
