/**
 * Products of few rows with what stands around them in a transformer's block, in one dispatch: a
 * step of decoding is bound by its dispatches and by reading the weights.
 *
 *     x′ = x, norm(x)                                              as the forward pass normalizes
 *     y  = x′ · Wᵀ + bias  (+ residual)                            one matrix
 *     y  = f(x′ · Wᵀ + bias)                                       with an activation
 *     y  = silu(x′ · Gᵀ + biasG) · (x′ · Uᵀ + biasU)               gated: two matrices
 *     y  = [x′ · Qᵀ + biasQ | x′ · Kᵀ + biasK | x′ · Vᵀ + biasV]   beside: up to three matrices,
 *                                                                  each of whose results lies whole
 *
 * Weights are in any storage, the same for all matrices; everything else is f32, as are all sums.
 */
import { type Activation, activationFunction, GATED_FUNCTION } from "./activation.wgsl.ts";
import { storageBindings } from "./elementwise.wgsl.ts";
import { type Access, type Kernel, paramsBinding } from "./kernel.ts";
import { type WeightConstants, weightFunctions, weightType } from "./packed.wgsl.ts";

/** How `x` is normalized before it is multiplied. */
export type FusedNorm = "none" | "rmsNorm" | "layerNorm";

/** What is fused, whichever kernel does it. */
export interface FusedConstants extends WeightConstants {
  /** Matrices beside one another, or one, or two of which the first is the gate. */
  readonly matrices: number;
  readonly gated: boolean;
  readonly norm: FusedNorm;
  /** Whether a layer norm adds a shift. */
  readonly shift: boolean;
  /** Whether every matrix has a bias. */
  readonly bias: boolean;
  readonly activation: Activation | "none";
  readonly residual: boolean;
  /** Adds to `y` instead of storing. */
  readonly accumulate: boolean;
  /** Rows that a lane or a group of lanes takes. */
  readonly tileRows: number;
}

/**
 * `x`, and `y` of one matrix, may be windows of columns of wider matrices: `aStride`, `aBegin`,
 * `cStride`, `cBegin`. `numColumns`m are those of matrix m, 0 where there is none.
 */
export const FUSED_PARAMS = {
  numRows: "u32",
  depth: "u32",
  aStride: "u32",
  aBegin: "u32",
  cStride: "u32",
  cBegin: "u32",
  numColumns0: "u32",
  numColumns1: "u32",
  numColumns2: "u32",
  eps: "f32",
} as const;

/** Storage buffers of a fused projection, in binding order. */
function fusedBuffers(
  constants: Pick<FusedConstants, "matrices" | "norm" | "shift" | "bias" | "residual">,
): Record<string, Access> {
  const { matrices, norm, shift, bias, residual } = constants;
  const each = (name: string) => Array.from({ length: matrices }, (_, m) => `${name}${m}`);
  const read = [
    "x", // [numRows, aStride]
    ...(norm === "none" ? [] : ["gain"]), // [depth]
    ...(shift ? ["shift"] : []), // [depth]
    ...each("w"), // [numColumns, depth], packed
    ...(bias ? each("bias") : []), // [numColumns], or [cStride]
    ...(residual ? ["residual"] : []), // as y
  ];
  return {
    ...Object.fromEntries(read.map((name) => [name, "read" as const])),
    y: "read_write", // [numRows, cStride], or beside: the matrices' results one after another
  };
}

/** A kernel for what is to be fused; its buffers depend on it. */
export function fusedKernel<Constants extends FusedConstants>(
  constants: Constants,
  { name, code }: { readonly name: string; readonly code: (constants: Constants) => string },
): Kernel<Constants, typeof FUSED_PARAMS> {
  return { name, params: FUSED_PARAMS, buffers: fusedBuffers(constants), code };
}

/** Declarations that both kernels begin with; `x`, gain and shift are read `width` at a time. */
export function fusedBindings(constants: FusedConstants, width: 1 | 4): string {
  const { activation, gated } = constants;
  const vector = width === 4 ? "vec4f" : "f32";
  const typeOf = (name: string) => {
    if (/^w\d$/.test(name)) return weightType(constants);
    return name === "x" || name === "gain" || name === "shift" ? vector : "f32";
  };
  return `${paramsBinding(FUSED_PARAMS)}
    ${storageBindings(fusedBuffers(constants), typeOf)}

    ${weightFunctions(constants)}
    ${activation === "none" ? "" : activationFunction(activation)}
    ${gated ? GATED_FUNCTION : ""}`;
}

/** Sets of matrices whose columns share workgroups: each alone, or the gate and what it gates. */
function setsOf({ matrices, gated }: FusedConstants): readonly (readonly number[])[] {
  return gated ? [[0, 1]] : Array.from({ length: matrices }, (_, m) => [m]);
}

/** WGSL expression: where the results of a set begin in `y`. */
function beginOf(set: readonly number[]): string {
  const before = Array.from({ length: set[0]! }, (_, m) => `params.numColumns${m}`);
  return before.length === 0 ? "0u" : `params.numRows * (${before.join(" + ")})`;
}

/** WGSL expression: columns of the matrix that the results of a set lie in. */
function strideOf({ matrices, gated }: FusedConstants, set: readonly number[]): string {
  return matrices === 1 || gated ? "params.cStride" : `params.numColumns${set[0]}`;
}

/** WGSL expression: the index in `y` of row `m` and column `n` of a set. */
export function indexOf(
  constants: FusedConstants,
  set: readonly number[],
  { m, n }: { readonly m: string; readonly n: string },
): string {
  const begin = constants.matrices === 1 ? "params.cBegin" : beginOf(set);
  return `${begin} + ${m} * ${strideOf(constants, set)} + ${n}`;
}

/** WGSL expression: what is stored at `at`, from the sums of the matrices of a set. */
export function resultOf(
  constants: FusedConstants,
  set: readonly number[],
  { sums, n, at }: { readonly sums: readonly string[]; readonly n: string; readonly at: string },
): string {
  const { bias, gated, activation, residual, accumulate, matrices } = constants;
  const column = matrices === 1 ? `params.cBegin + ${n}` : n;
  const biased = sums.map((sum, i) => (bias ? `(${sum} + bias${set[i]}[${column}])` : sum));
  const activated = gated
    ? `activateGated(${biased.join(", ")})`
    : activation === "none"
      ? biased[0]!
      : `activate(${biased[0]})`;
  const added = residual ? `residual[${at}] + ${activated}` : activated;
  return accumulate ? `y[${at}] + (${added})` : added;
}

/** WGSL expression: tiles of a row of tiles before set `i`. */
function tilesBefore(i: number): string {
  return Array.from({ length: i }, (_, j) => `tiles${j}`).join(" + ") || "0u";
}

/**
 * WGSL statements that find the first `row` and the `tile` of a workgroup in a row of tiles, each so
 * many columns wide; there may be a workgroup too many, where the plan folded them.
 */
export function findTile(constants: FusedConstants, columns: number): string {
  const sets = setsOf(constants);
  const tiles = sets.map(
    (set, i) => `let tiles${i} = (params.numColumns${set[0]} + ${columns - 1}u) / ${columns}u;`,
  );
  return `${tiles.join(" ")}
      let tilesAcross = ${tilesBefore(sets.length)};
      let group = workgroup.y * grid.x + workgroup.x;
      let row = group / tilesAcross * ${constants.tileRows}u;
      let tile = group % tilesAcross;
      if (row >= params.numRows) { return; }
      let lastRow = params.numRows - 1u;`;
}

/** WGSL statements that run `body` for the set that `tile` is of, with its `firstColumn`. */
export function inSet(
  constants: FusedConstants,
  columns: number,
  body: (set: readonly number[]) => string,
): string {
  return setsOf(constants)
    .map(
      (set, i, { length }) => `${i + 1 < length ? `if (tile < ${tilesBefore(i + 1)})` : ""} {
        let firstColumn = (tile - (${tilesBefore(i)})) * ${columns}u;
        ${body(set)}
      }`,
    )
    .join(" else ");
}

/** Workgroups of a dispatch: tiles of every set, for every tile of rows. */
export function fusedWorkgroups(
  constants: FusedConstants,
  {
    numRows,
    numColumns,
    columns,
  }: { readonly numRows: number; readonly numColumns: readonly number[]; readonly columns: number },
): number {
  const tiles = setsOf(constants).map((set) => Math.ceil(numColumns[set[0]!]! / columns));
  const across = tiles.reduce((sum, count) => sum + count, 0);
  return Math.ceil(numRows / constants.tileRows) * across;
}
