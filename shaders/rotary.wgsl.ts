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
import { kernel, paramsBinding, type Storage } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

/** Which elements of a head rotate together. */
export type RotaryLayout = "half" | "interleaved";

/** Constants of {@linkcode rotaryKernel}. */
export interface RotaryConstants {
  readonly layout: RotaryLayout;
  readonly storage: Storage;
  /** Rotates by −angle: the gradient. */
  readonly inverse: boolean;
  readonly accumulate: boolean;
  readonly workgroupSize: number;
}

const PARAMS = { numPairs: "u32", rowPairs: "u32", headPairs: "u32", maxSeqLen: "u32" } as const;

/** `y = rotate(x)`, a lane a pair; `rowPairs` and `headPairs` are pairs of a token and of a head. */
export const rotaryKernel = kernel({
  name: "rotary",
  params: PARAMS,
  buffers: { x: "read", table: "read", positions: "read", y: "read_write" },
  code: ({ layout, storage, inverse, accumulate, workgroupSize }: RotaryConstants) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;        // [numTokens, numHeads · headDim]
    @group(0) @binding(2) var<storage, read> table: array<f32>;           // [maxSeqLen, headDim]: cos, sin
    @group(0) @binding(3) var<storage, read> positions: array<u32>;       // [numTokens]
    @group(0) @binding(4) var<storage, read_write> y: array<${storage}>;  // as x

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let pair = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      if (pair >= params.numPairs) { return; }
      let position = min(positions[pair / params.rowPairs], params.maxSeqLen - 1u);
      let i = pair % params.headPairs;
      let cosine = table[2u * position * params.headPairs + i];
      let sine = ${inverse ? "-" : ""}table[(2u * position + 1u) * params.headPairs + i];
      #if ${layout === "half"}
      let first = 2u * pair - i;
      let second = first + params.headPairs;
      #else
      let first = 2u * pair;
      let second = first + 1u;
      #endif
      let a = f32(x[first]);
      let b = f32(x[second]);
      ${storeOrAdd("y[first]", `${storage}(a * cosine - b * sine)`, accumulate)}
      ${storeOrAdd("y[second]", `${storage}(b * cosine + a * sine)`, accumulate)}
    }`,
});
