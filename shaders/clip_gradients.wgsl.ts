/**
 * Norm of all gradients together, in an order that does not change, and the scale that clips it.
 *
 *     partials[c] = Σ g² over a chunk        norm = √(Σ_c partials[c]) / lossScale
 *     clip = [min(1, maxNorm / norm) / lossScale, 0, norm],  or [0, 1, 0] where the sum is not finite
 *
 * The loss scale is a power of two: dividing by it rounds nothing.
 *
 * WGSL lets a compiler assume that no NaN exists, so that `x != x` may be folded to false: the
 * partial sums are read back as bits.
 *
 * Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 2013.
 * https://arxiv.org/abs/1211.5063
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { workgroupSum } from "./reduce.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Gradient elements that one workgroup sums. */
export const CHUNK_LENGTH = 4096;

/** Constants of both kernels. */
export interface ClipConstants {
  readonly variant: "flat" | "tiled";
  readonly workgroupSize: number;
}

const PARTIAL_PARAMS = { length: "u32", begin: "u32" } as const;
const CLIP_PARAMS = { numPartials: "u32" } as const;

/** Sums of squares that one workgroup stores: one a lane without workgroup memory. */
export function partialsPerChunk({ variant, workgroupSize }: ClipConstants): number {
  return variant === "flat" ? workgroupSize : 1;
}

const PARTIAL_BUFFERS = { gradient: "read", partials: "read_write" } as const;

/** Sums of squares of one gradient into `partials`, from `begin` on. */
export const sumSquares: Kernel<ClipConstants, typeof PARTIAL_PARAMS, typeof PARTIAL_BUFFERS> = {
  name: "sumSquares",
  params: PARTIAL_PARAMS,
  buffers: PARTIAL_BUFFERS,
  code: ({ variant, workgroupSize }) =>
    wgsl`
    ${paramsBinding(PARTIAL_PARAMS)}
    @group(0) @binding(1) var<storage, read> gradient: array<f32>;        // [length]
    @group(0) @binding(2) var<storage, read_write> partials: array<f32>;  // [numPartials]

    ${variant === "tiled" ? workgroupSum(workgroupSize) : ""}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let chunk = workgroup.y * grid.x + workgroup.x;
      let begin = chunk * ${CHUNK_LENGTH}u;
      // All lanes take as many steps, or the loop would need a mask.
      let end = min(begin + ${CHUNK_LENGTH}u, params.length);
      var sum = 0.0;
      for (var i = begin; i < end; i += ${workgroupSize}u) {
        let g = gradient[min(i + lane, params.length - 1u)];
        sum += select(0.0, g * g, i + lane < end);
      }
      let isChunk = begin < params.length;
      #if ${variant === "tiled"}
      let total = workgroupSum(sum, lane);
      if (isChunk && lane == 0u) { partials[params.begin + chunk] = total; }
      #else
      if (isChunk) { partials[params.begin + chunk * ${workgroupSize}u + lane] = sum; }
      #endif
    }`,
};

/** Constants of {@linkcode clipScale}. */
export interface ClipScaleConstants extends ClipConstants {
  /** Divides by `lossScale`; without it, `lossScale` is bound but unread. */
  readonly scaled: boolean;
}

const CLIP_BUFFERS = {
  partials: "read",
  maxNorm: "read",
  lossScale: "read",
  clip: "read_write",
} as const;

/** `clip`, from all partial sums; one workgroup. */
export const clipScale: Kernel<ClipScaleConstants, typeof CLIP_PARAMS, typeof CLIP_BUFFERS> = {
  name: "clipScale",
  params: CLIP_PARAMS,
  buffers: CLIP_BUFFERS,
  code: ({ variant, workgroupSize, scaled }) =>
    wgsl`
    ${paramsBinding(CLIP_PARAMS)}
    @group(0) @binding(1) var<storage, read> partials: array<u32>;    // [numPartials], bits of f32
    @group(0) @binding(2) var<storage, read> maxNorm: array<f32>;     // [1]
    @group(0) @binding(3) var<storage, read> lossScale: array<f32>;   // [1]
    @group(0) @binding(4) var<storage, read_write> clip: array<f32>;  // [3]: scale, nonFinite, norm

    ${variant === "tiled" ? workgroupSum(workgroupSize) : "fn workgroupSum(value: f32, lane: u32) -> f32 { return value; }"}

    // Infinities and NaN have all bits of the exponent set.
    fn isNonFinite(bits: u32) -> bool { return (bits & 0x7f800000u) == 0x7f800000u; }

    @compute @workgroup_size(${workgroupSize})
    fn main(@builtin(local_invocation_index) lane: u32) {
      var sum = 0.0;
      var numNonFinite = 0.0;
      for (var block = 0u; block < params.numPartials; block += ${64 * workgroupSize}u) {
        // Sums of sums round less than one long sum.
        var blockSum = 0.0;
        let blockEnd = min(block + ${64 * workgroupSize}u, params.numPartials);
        for (var i = block + lane; i < blockEnd; i += ${workgroupSize}u) {
          let bits = partials[i];
          numNonFinite += select(0.0, 1.0, isNonFinite(bits));
          blockSum += bitcast<f32>(bits);
        }
        sum += blockSum;
      }
      let total = workgroupSum(sum, lane);
      let isBad = workgroupSum(numNonFinite, lane) > 0.0 || isNonFinite(bitcast<u32>(total));
      if (lane == 0u) {
        let norm = sqrt(total)${scaled ? " / lossScale[0]" : ""};
        var scale = 1.0;
        if (norm > maxNorm[0]) { scale = maxNorm[0] / norm; }
        ${scaled ? "scale /= lossScale[0];" : ""}
        clip[0] = select(scale, 0.0, isBad);
        clip[1] = select(0.0, 1.0, isBad);
        clip[2] = select(norm, 0.0, isBad);
      }
    }`,
};
