/**
 * What the attention kernels share: one lane owns one query or one key and walks over the keys or
 * queries in order, so that nothing is added atomically. All lanes of a workgroup walk over the same
 * rows. The tiled variant stages them in workgroup memory, with a barrier before they are read and
 * another before they are overwritten. The flat variant shares them by broadcast where a workgroup
 * is one subgroup, and else lets every lane load them.
 */

import type { Storage } from "./kernel.ts";
import { each } from "./wgsl.ts";

/** `enable subgroups;` where the kernel shares loads by broadcast; goes before all declarations. */
export function enableSubgroups({ subgroupSize }: AttentionConstants): string {
  return subgroupSize > 0 ? "enable subgroups;" : "";
}

/** Constants of the attention kernels. */
export interface AttentionConstants {
  readonly headDim: number;
  readonly workgroupSize: number;
  /** Rows staged in workgroup memory at a time; 0 for the flat variant, which stages none. */
  readonly tile: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share loads in; 0 for none. Flat only. */
  readonly subgroupSize: number;
}

/** Params of every attention kernel. */
export const ATTENTION_PARAMS = {
  numRows: "u32",
  seqLen: "u32",
  numHeads: "u32",
  numKvHeads: "u32",
} as const;

/** A masked score; finite, since WGSL may assume that no infinity exists. */
export const MASKED = "-3.4e38";

/** Elements in one load: vectors of 4 where the head's width allows. */
function widthOf(headDim: number): 1 | 4 {
  return headDim % 4 === 0 ? 4 : 1;
}

/** How many loads a head takes. */
export function loadsOf(headDim: number): number {
  return headDim / widthOf(headDim);
}

/** Type of one load's worth of f32: `f32` or `vec4f`. */
export function vectorType(headDim: number): "f32" | "vec4f" {
  return widthOf(headDim) === 4 ? "vec4f" : "f32";
}

/** Element type of the buffers that hold heads. */
export function storageType(headDim: number, storage: Storage): string {
  return widthOf(headDim) === 4 ? `vec4<${storage}>` : storage;
}

/** Statement that sets `name` to `Σ_i a(i) · b(i)`, a chain of fused multiply-adds. */
export function dotProduct(
  name: string,
  headDim: number,
  [a, b]: readonly [(i: number) => string, (i: number) => string],
): string {
  let sum = `${a(0)} * ${b(0)}`;
  for (let i = 1; i < loadsOf(headDim); i++) sum = `fma(${a(i)}, ${b(i)}, ${sum})`;
  if (widthOf(headDim) === 1) return `let ${name} = ${sum};`;
  return `let ${name}Sums = ${sum};
          let ${name} = (${name}Sums.x + ${name}Sums.y) + (${name}Sums.z + ${name}Sums.w);`;
}

/** Entry point: finds which row, head and block of lanes this workgroup works on, then runs `body`. */
export function entryPoint(
  { headDim, workgroupSize, subgroupSize }: AttentionConstants,
  heads: "numHeads" | "numKvHeads",
  body: string,
): string {
  return `
    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      let numBlocks = (params.seqLen + ${workgroupSize - 1}u) / ${workgroupSize}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let head = index / numBlocks % params.${heads};
      let row = index / numBlocks / params.${heads};
      if (row >= params.numRows) { return; }
      let base = row * params.seqLen;
      let begin = index % numBlocks * ${workgroupSize}u;
      let last = min(begin + ${workgroupSize}u, params.seqLen) - 1u;
      let own = min(begin + lane, last);
      let inside = begin + lane <= last;
      let group = params.numHeads / params.numKvHeads;
      let dHeads = params.numHeads * ${loadsOf(headDim)}u;
      let dKvHeads = params.numKvHeads * ${loadsOf(headDim)}u;
      ${body}
    }`;
}

/** Statement that stores a vector of f32, or adds it in f32 to what is stored. */
export function storeVector(
  target: string,
  value: string,
  { element, accumulate = false }: { readonly element: string; readonly accumulate?: boolean },
): string {
  return `${target} = ${element}(${accumulate ? `V(${target}) + ` : ""}${value});`;
}

/** Workgroup memory of {@linkcode walk}; nothing in the flat variant. */
export function staging({ headDim, tile }: AttentionConstants): string {
  if (tile === 0) return "";
  const type = vectorType(headDim);
  return `var<workgroup> stagedOne: array<${type}, ${tile * loadsOf(headDim)}>;
    var<workgroup> stagedTwo: array<${type}, ${tile * loadsOf(headDim)}>;`;
}

/** Two buffers to walk over, the WGSL of where their vectors begin, and the range of rows. */
export interface Walk {
  readonly one: string;
  readonly two: string;
  /** Where the vector of row `at` begins, in loads; the same in both buffers. */
  readonly offset: string;
  readonly first: string;
  readonly final: string;
  /** WGSL that moves its argument past rows that no lane needs, never beyond `final`. */
  readonly skip?: (at: string) => string;
}

/**
 * A loop over the rows `first` to `final`, both included. `body` reads load `i` of the walked
 * vectors of row `at` through the expressions it is given.
 */
export function walk(
  { headDim, workgroupSize, tile, subgroupSize }: AttentionConstants,
  { one, two, offset, first, final, skip = () => "" }: Walk,
  body: (one: (i: number) => string, two: (i: number) => string) => string,
): string {
  const loads = loadsOf(headDim);
  const type = vectorType(headDim);
  if (subgroupSize > 0) {
    const shared = (name: string, i: number) =>
      `subgroupBroadcast(${name}${Math.floor(i / subgroupSize)}, ${i % subgroupSize}u)`;
    const load = (name: string, buffer: string, group: number) =>
      `let ${name}${group} = ${type}(${buffer}[vector + min(${group * subgroupSize}u + lane, ${loads - 1}u)]);`;
    return `for (var at = ${first}; at <= ${final}; at++) {
        ${skip("at")}
        let vector = ${offset};
        ${each(Math.ceil(loads / subgroupSize), (g) => `${load("one", one, g)} ${load("two", two, g)}`)}
        ${body(
          (i) => shared("one", i),
          (i) => shared("two", i),
        )}
      }`;
  }
  if (tile === 0) {
    return `for (var at = ${first}; at <= ${final}; at++) {
        ${skip("at")}
        let vector = ${offset};
        ${body(
          (i) => `${type}(${one}[vector + ${i}u])`,
          (i) => `${type}(${two}[vector + ${i}u])`,
        )}
      }`;
  }
  return `for (var tileBegin = ${first}; tileBegin <= ${final}; tileBegin += ${tile}u) {
        ${skip("tileBegin")}
        let tileRows = min(${tile}u, ${final} - tileBegin + 1u);
        for (var e = lane; e < tileRows * ${loads}u; e += ${workgroupSize}u) {
          let at = tileBegin + e / ${loads}u;
          let vector = ${offset};
          stagedOne[e] = ${type}(${one}[vector + e % ${loads}u]);
          stagedTwo[e] = ${type}(${two}[vector + e % ${loads}u]);
        }
        workgroupBarrier();
        for (var j = 0u; j < tileRows; j++) {
          let at = tileBegin + j;
          ${body(
            (i) => `stagedOne[j * ${loads}u + ${i}u]`,
            (i) => `stagedTwo[j * ${loads}u + ${i}u]`,
          )}
        }
        workgroupBarrier();
      }`;
}
