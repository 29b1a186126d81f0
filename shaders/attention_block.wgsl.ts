/**
 * What the attention kernels of blocks share on GPUs. A workgroup owns `rows` queries of a head, or
 * keys, and walks over `columns` keys, or queries, at a time. Two kinds of products make up all of
 * attention; both are computed in register tiles of what is staged in workgroup memory:
 *
 *     score[r, c] = left[r] · right[c]             of heads, `depth` elements at a time
 *     sum[r]     += Σ_c weight[r, c] · right[c]    of heads, as many rows at a time as fit
 *
 * Lanes form a grid, `columns / 4` across. A lane owns every `down`th row from its own, and of each
 * four columns, as far apart as lanes lie across; of sums it owns vectors as far apart. So lanes
 * side by side read vectors side by side, or rows that lie an odd number of vectors apart: no two
 * in the same banks. What several lanes need is stored and read as vectors of four.
 *
 * A barrier stands before staged memory is read, and another before it is overwritten.
 */
import type { Storage } from "./kernel.ts";
import { each } from "./wgsl.ts";

/** Constants of the kernels of blocks. */
export interface AttentionBlockConstants {
  /** A multiple of 4. */
  readonly headDim: number;
  /** Of heads in memory. */
  readonly storage: Storage;
  /** Of heads in workgroup memory: f16 only where they are stored as such. */
  readonly staged: Storage;
  /** Rows of a workgroup: 4 or 8 for each lane down. */
  readonly rows: number;
  /** Rows that are walked over at a time: 4 for each lane across. */
  readonly columns: number;
  /** Lanes of a workgroup. */
  readonly lanes: number;
  /** Elements of a head that are staged at a time for scores; a multiple of 4 that divides it. */
  readonly depth: number;
}

const COMPONENTS = ["x", "y", "z", "w"] as const;

/** The passes differ in how much they stage and sum. */
type Pass = "forward" | "query" | "key";

/** What follows from the constants: counts of vectors, and of lanes. */
export interface BlockShape {
  /** Lanes beside and above one another. */
  readonly across: number;
  readonly down: number;
  /** Vectors of a head. */
  readonly loads: number;
  /** Vectors from one staged row to the next: of a whole head, and of a part. */
  readonly stride: number;
  readonly depthStride: number;
  /** Vectors of the tile of walked rows. */
  readonly tile: number;
  /** Fours of walked rows that fit into it as whole heads; a power of two, as is `across`. */
  readonly fours: number;
  /** Owned rows, and vectors of a head, that a lane sums. */
  readonly laneRows: number;
  readonly laneVectors: number;
  /** Whether owned rows stay staged, and walked ones need not be staged again to be summed. */
  readonly isWhole: boolean;
}

/** {@linkcode BlockShape} of a choice of constants. */
export function blockShape(constants: AttentionBlockConstants): BlockShape {
  const { headDim, rows, columns, lanes, depth } = constants;
  const across = columns / 4;
  const down = lanes / across;
  const loads = headDim / 4;
  const [stride, depthStride] = [loads | 1, (depth / 4) | 1];
  const tile = Math.max(columns * depthStride, 4 * stride);
  return {
    across,
    down,
    loads,
    stride,
    depthStride,
    tile,
    fours: Math.min(across, 2 ** Math.floor(Math.log2(tile / (4 * stride)))),
    laneRows: rows / down,
    laneVectors: Math.ceil(loads / across),
    isWhole: depth === headDim,
  };
}

/** Numbers that a lane of a pass holds as sums. */
export function blockSums(constants: AttentionBlockConstants, pass: Pass): number {
  const { laneRows, laneVectors } = blockShape(constants);
  return laneRows * laneVectors * 4 * (pass === "key" ? 2 : 1);
}

/** Bytes of workgroup memory of a pass. */
export function attentionBlockBytes(constants: AttentionBlockConstants, pass: Pass): number {
  const { rows, lanes, staged } = constants;
  const { across, depthStride, tile, laneRows } = blockShape(constants);
  const numLefts = leftsOf(constants, pass);
  const heads = (staged === "f16" ? 8 : 16) * (numLefts * rows * depthStride + tile);
  const partials = pass === "forward" ? 4 * laneRows * lanes : 0;
  return heads + 16 * rows * (across + 1) + partials;
}

/** Operands of owned rows that are staged at the same time: the products take turns in parts. */
function leftsOf(constants: AttentionBlockConstants, pass: Pass): number {
  return blockShape(constants).isWhole && pass !== "forward" ? 2 : 1;
}

/** Workgroup memory of a pass, and `V`, in which heads are computed. */
export function blockMemory(constants: AttentionBlockConstants, pass: Pass): string {
  const { rows, lanes, staged } = constants;
  const { across, depthStride, tile, laneRows } = blockShape(constants);
  return `alias Staged = vec4<${staged}>;
    ${each(leftsOf(constants, pass), (i) => `var<workgroup> left${i}: array<Staged, ${rows * depthStride}>;`)}
    var<workgroup> tile: array<Staged, ${tile}>;
    var<workgroup> weights: array<vec4f, ${rows * (across + 1)}>;  // [rows, across], padded
    ${pass === "forward" ? `var<workgroup> partials: array<vec4f, ${(lanes * laneRows) / 4}>;` : ""}`;
}

/** Entry point: finds which row, head and block this workgroup works on, then runs `body`. */
export function blockEntryPoint(
  constants: AttentionBlockConstants,
  heads: "numHeads" | "numKvHeads",
  body: string,
): string {
  const { rows, lanes } = constants;
  const { across, down, loads, laneRows, laneVectors } = blockShape(constants);
  const isRagged = laneVectors * across > loads;
  const vector = (v: number) =>
    isRagged ? `min(laneAcross + ${v * across}u, ${loads - 1}u)` : `laneAcross + ${v * across}u`;
  return `
    @compute @workgroup_size(${lanes})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let numBlocks = (params.seqLen + ${rows - 1}u) / ${rows}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let head = index / numBlocks % params.${heads};
      let row = index / numBlocks / params.${heads};
      if (row >= params.numRows) { return; }
      let base = row * params.seqLen;
      let begin = index % numBlocks * ${rows}u;
      let last = min(begin + ${rows}u, params.seqLen) - 1u;
      let group = params.numHeads / params.numKvHeads;
      // A software driver would unroll loops of constant length, and compile them for minutes.
      let one = min(params.seqLen, 1u);
      let laneAcross = lane % ${across}u;
      let laneDown = lane / ${across}u;
      ${each(laneRows, (i) => `let own${i} = min(begin + laneDown + ${i * down}u, last);`)}
      ${each(laneVectors, (v) => `let vector${v} = ${vector(v)};`)}
      ${body}
    }`;
}

/** WGSL of the vector where the head of row `at` begins. */
export function headOf(
  { headDim }: AttentionBlockConstants,
  [heads, head]: readonly [heads: "numHeads" | "numKvHeads", head: string],
): (at: string) => string {
  return (at) => `((base + ${at}) * params.${heads} + ${head}) * ${headDim / 4}u`;
}

/** Rows of a buffer to stage. */
interface Staging {
  readonly from: string;
  readonly into: string;
  readonly count: number;
  /** WGSL of the row that is staged as the `n`th. */
  readonly row: string;
  /** WGSL of where its head begins. */
  readonly headOf: (at: string) => string;
  /** Vectors of each row, from `first` on, and how far apart they are staged. */
  readonly vectors: number;
  readonly first: string;
  readonly stride: number;
}

/** Statements that stage rows; neighboring lanes load neighboring vectors. */
function stage({ lanes }: AttentionBlockConstants, staging: Staging): string {
  const { from, into, count, row, headOf: head, vectors, first, stride } = staging;
  return `for (var e = lane; e < ${count * vectors}u; e += ${lanes}u) {
        let n = e / ${vectors}u;
        let i = e % ${vectors}u;
        ${into}[n * ${stride}u + i] = Staged(${from}[${head(row)} + ${first} + i]);
      }`;
}

/** A side of a product of scores. */
interface Operand {
  readonly from: string;
  readonly headOf: (at: string) => string;
}

/** Stages the owned rows of an operand, from vector `first` of their heads on. */
export function stageOwned(
  constants: AttentionBlockConstants,
  { from, headOf: head }: Operand,
  { into, first = "0u" }: { readonly into: string; readonly first?: string },
): string {
  const { depthStride } = blockShape(constants);
  return stage(constants, {
    from,
    into,
    count: constants.rows,
    row: "min(begin + n, last)",
    headOf: head,
    vectors: constants.depth / 4,
    first,
    stride: depthStride,
  });
}

/**
 * Statements that set `name0` … to the dot products of the lane's rows, each with its four columns
 * from `tileBegin` on, none beyond `final`. Of whole heads, `left` is staged before.
 */
export function scoreProduct(
  constants: AttentionBlockConstants,
  name: string,
  operands: {
    readonly left: Operand & { readonly into: string };
    readonly right: Operand;
    readonly final: string;
  },
): string {
  const { left, right, final } = operands;
  const { loads, depthStride, laneRows, isWhole } = blockShape(constants);
  const walked: Staging = {
    ...right,
    into: "tile",
    count: constants.columns,
    row: `min(tileBegin + n, ${final})`,
    vectors: constants.depth / 4,
    first: isWhole ? "0u" : "part",
    stride: depthStride,
  };
  const into = isWhole ? left.into : "left0";
  const part = `workgroupBarrier();
        ${isWhole ? "" : stageOwned(constants, left, { into, first: "part" })}
        ${stage(constants, walked)}
        workgroupBarrier();
        ${multiplyStaged(constants, name, into)}`;
  const begins = each(laneRows, (i) => `var ${name}${i} = vec4f();`);
  if (isWhole) return `${begins}\n${part}`;
  return `${begins}
      for (var part = 0u; part < ${loads}u * one; part += ${constants.depth / 4}u) { ${part} }`;
}

/** A loop over what is staged of heads, which adds to the scores. */
function multiplyStaged(constants: AttentionBlockConstants, name: string, left: string): string {
  const { across, down, depthStride, laneRows } = blockShape(constants);
  const right = (j: number) =>
    `let right${j} = vec4f(tile[(laneAcross + ${j * across}u) * ${depthStride}u + i]);`;
  const column = (x: string) =>
    `let ${x} = vec4f(${Array.from({ length: 4 }, (_, j) => `right${j}.${x}`).join(", ")});`;
  const sum = (i: number) => {
    const terms = COMPONENTS.reduce((rest, x) => `fma(vec4f(l.${x}), ${x}, ${rest})`, name + i);
    return `{ let l = vec4f(${left}[(laneDown + ${i * down}u) * ${depthStride}u + i]); ${name}${i} = ${terms}; }`;
  };
  return `for (var i = 0u; i < ${constants.depth / 4}u * one; i++) {
          ${each(4, right)}
          ${COMPONENTS.map(column).join(" ")}
          ${each(laneRows, sum)}
        }`;
}

/** Statement that hands the weights of a lane's `i`th row to the others. */
export function storeWeights(
  constants: AttentionBlockConstants,
  i: number,
  weights: string,
): string {
  const { across, down } = blockShape(constants);
  return `weights[(laneDown + ${i * down}u) * ${across + 1}u + laneAcross] = ${weights};`;
}

/**
 * Statements that add to `name0x0` … the lane's vectors of the walked rows, weighed. Follows a
 * barrier after the last read of the tile where `isStaged` is false, and else one after the weights.
 */
export function addWeighted(
  constants: AttentionBlockConstants,
  name: string,
  walked: Operand & { readonly final: string; readonly isStaged: boolean },
): string {
  const { across, loads, stride, fours } = blockShape(constants);
  if (walked.isStaged) return addStaged(constants, name, "0u");
  const staging: Staging = {
    ...walked,
    into: "tile",
    count: 4 * fours,
    row: `min(tileBegin + n / ${fours}u * ${across}u + four + n % ${fours}u, ${walked.final})`,
    vectors: loads,
    first: "0u",
    stride,
  };
  const turn = `${stage(constants, staging)}
        workgroupBarrier();
        ${addStaged(constants, name, "four")}`;
  if (fours === across) return `{ let four = 0u; ${turn} }`;
  return `for (var four = 0u; four < ${across}u * one; four += ${fours}u) {
        if (four > 0u) { workgroupBarrier(); }
        ${turn}
      }`;
}

/** A loop over the staged fours of walked rows, the first of which is `four`. */
function addStaged(constants: AttentionBlockConstants, name: string, four: string): string {
  const { across, down, stride, fours, laneRows, laneVectors } = blockShape(constants);
  const weight = (i: number) =>
    `let w${i} = weights[(laneDown + ${i * down}u) * ${across + 1}u + ${four} + f];`;
  const add = (j: number, v: number) => `{
            let x = vec4f(tile[(f + ${j * fours}u) * ${stride}u + vector${v}]);
            ${each(laneRows, (i) => `${name}${i}x${v} = fma(vec4f(w${i}.${COMPONENTS[j]!}), x, ${name}${i}x${v});`)}
          }`;
  return `for (var f = 0u; f < ${fours}u * one; f++) {
          ${each(laneRows, weight)}
          ${each(4, (j) => each(laneVectors, (v) => add(j, v)))}
        }`;
}

/** Declares the sums of a lane. */
export function declareSums(constants: AttentionBlockConstants, name: string): string {
  const { laneRows, laneVectors } = blockShape(constants);
  return each(laneRows, (i) => each(laneVectors, (v) => `var ${name}${i}x${v} = vec4f();`));
}

/** Stores the sums of a lane, `of` row `i` and vector `v`, or adds them to what is stored. */
export function storeSums(
  constants: AttentionBlockConstants,
  into: Operand & { readonly accumulate?: boolean },
  of: (i: number, v: number) => string,
): string {
  const { across, down, loads, laneRows, laneVectors } = blockShape(constants);
  const { from, headOf: head, accumulate = false } = into;
  const store = (i: number, v: number) => {
    const at = `${from}[${head(`own${i}`)} + vector${v}]`;
    const sum = `${accumulate ? `vec4f(${at}) + ` : ""}${of(i, v)}`;
    const isWithin = (v + 1) * across > loads ? `if (laneAcross + ${v * across}u < ${loads}u)` : "";
    return `${isWithin} { ${at} = vec4<${constants.storage}>(${sum}); }`;
  };
  return each(
    laneRows,
    (i) => `if (begin + laneDown + ${i * down}u <= last) {
        ${each(laneVectors, (v) => store(i, v))}
      }`,
  );
}

/**
 * Statements that combine a value of each lane's rows over the lanes across, in their order, by a
 * function of two: `name0` … hold four rows each, and end the same in all lanes of a row. Another
 * barrier must follow before `memory` is written again.
 */
export function combineRows(
  constants: AttentionBlockConstants,
  name: string,
  { memory, by }: { readonly memory: string; readonly by: (one: string, two: string) => string },
): string {
  const { across, laneRows } = blockShape(constants);
  const { lanes } = constants;
  const at = (part: number) => `${memory}[${part * lanes}u + laneDown * ${across}u`;
  return `${each(laneRows / 4, (part) => `${at(part)} + laneAcross] = ${name}${part};`)}
      workgroupBarrier();
      ${each(laneRows / 4, (part) => `${name}${part} = ${at(part)}];`)}
      for (var n = 1u; n < ${across}u * one; n++) {
        ${each(laneRows / 4, (part) => `${name}${part} = ${by(`${name}${part}`, `${at(part)} + n]`)};`)}
      }`;
}

/**
 * Declares `at`, the walked rows of a lane, and what is known of each, as vectors by name; of rows
 * beyond `final`, what is known of it.
 */
export function columnsOf(
  constants: AttentionBlockConstants,
  final: string,
  known: Readonly<Record<string, (at: string) => string>>,
): string {
  const { across } = blockShape(constants);
  const four = (of: (j: number) => string) => Array.from({ length: 4 }, (_, j) => of(j)).join(", ");
  const vectors = Object.entries(known).map(
    ([name, of]) => `let ${name} = vec4(${four((j) => of(`min(at[${j}], ${final})`))});`,
  );
  return `let at = tileBegin + laneAcross + vec4u(${four((j) => `${j * across}u`)});
        ${vectors.join("\n")}`;
}

/** Component of row `i` in what holds four rows each. */
export function ofRow(name: string, i: number): string {
  return `${name}${i >> 2}.${COMPONENTS[i & 3]!}`;
}
