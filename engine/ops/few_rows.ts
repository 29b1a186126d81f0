import { alignmentOf, type WeightStorage } from "../../shaders/packed.wgsl.ts";
import {
  type FusedConstants,
  type FusedNorm,
  fusedKernel,
  fusedWorkgroups,
} from "../../shaders/fused_projection.wgsl.ts";
import { fusedFlatCode } from "../../shaders/fused_projection_flat.wgsl.ts";
import {
  chunkOf,
  columnsOf,
  fusedTiledBytes,
  fusedTiledCode,
} from "../../shaders/fused_projection_tiled.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import type { Choice, Tunable, TuningDevice } from "../tuning/tunable.ts";

/** Rows up to which a kernel that reads weights side by side is the faster one, f32 ones too. */
export const MOST_FEW_ROWS = 8;

/** What the choice of a kernel for few rows depends on: not on the rows, which keep their bits so. */
export interface FewRowsProblem {
  readonly weight: WeightStorage;
  readonly depth: number;
  /** Columns of each matrix. */
  readonly numColumns: readonly number[];
  readonly gated: boolean;
  readonly norm: FusedNorm;
}

/** One dispatch of few rows: what is fused, and the tensors by name of the kernel's buffers. */
export interface FewRowsProduct {
  readonly constants: Omit<FusedConstants, "alignment" | "tileRows">;
  readonly numRows: number;
  readonly depth: number;
  /** Columns of each matrix. */
  readonly numColumns: readonly number[];
  /** Windows of `x` and `y`. @default {none} */
  readonly window?: Readonly<Record<"aStride" | "aBegin" | "cStride" | "cBegin", number>>;
  readonly eps?: number;
  readonly buffers: Readonly<Record<string, Tensor>>;
}

/**
 * Register tiles of the flat variant: the fastest measured on Mesa's software driver among those
 * that it compiles within half a second.
 */
const FLAT_COLUMNS = { f32: 2, f16: 4, bf16: 4, int8: 4, int4: 4 } as const;
const FLAT_LANES = 8;

/** Kernels of few rows: how many columns a lane takes, and on GPUs how many lanes share a row. */
export const fewRows: Tunable<FewRowsProblem> = {
  name: "fewRows",
  bucket: ({ weight, depth, numColumns, gated, norm }) =>
    `${weight} ${gated ? "gated " : ""}${norm} n${numColumns.map(nearby).join("+n")} k${nearby(depth)}`,
  candidates,
  record: (tape, problem, make) => {
    const { weight, depth, numColumns, gated, norm } = problem;
    const results = gated ? numColumns[0]! : numColumns.reduce((sum, count) => sum + count, 0);
    dispatchFewRows(tape, {
      constants: {
        weight,
        gated,
        norm,
        matrices: numColumns.length,
        activation: "none",
        shift: false,
        bias: false,
        residual: false,
        accumulate: false,
      },
      numRows: 1,
      depth,
      numColumns,
      buffers: {
        x: make([1, depth]),
        ...(norm !== "none" && { gain: make([depth]) }),
        ...Object.fromEntries(
          numColumns.map((count, m) => [`w${m}`, make([count, depth], { dtype: weight })]),
        ),
        y: tape.activation([1, results], { label: "y" }),
      },
    });
  },
  flops: ({ depth, numColumns }) => 2 * depth * numColumns.reduce((sum, count) => sum + count, 0),
};

/** Records one dispatch of up to {@linkcode MOST_FEW_ROWS} rows. */
export function dispatchFewRows(tape: Tape, product: FewRowsProduct): void {
  const { numRows, depth, numColumns, constants: fused, buffers, eps = 0 } = product;
  const { weight, gated, norm, matrices } = fused;
  const choice = tape.choose(fewRows, { weight, depth, numColumns, gated, norm });
  const width = numColumns[0]!;
  const window = { aStride: depth, aBegin: 0, cStride: width, cBegin: 0, ...product.window };
  const { variant } = tape;
  // Software adapters compile code for each of the matrices in time that grows with the tile.
  const mostRows = variant === "flat" && matrices > 1 && !gated ? 4 : MOST_FEW_ROWS;
  const constants = {
    ...fused,
    alignment: alignmentOf(weight, depth),
    tileRows: Math.min(mostRows, 2 ** Math.ceil(Math.log2(numRows))),
  };
  const params = {
    numRows,
    depth,
    ...window,
    eps,
    numColumns0: width,
    numColumns1: matrices > 1 ? numColumns[1]! : 0,
    numColumns2: matrices > 2 ? numColumns[2]! : 0,
  };
  if (variant === "flat") {
    const { subgroupSize } = tape;
    const workgroupSize = subgroupSize > 0 ? subgroupSize : FLAT_LANES;
    const tileColumns = Number(choice["columns"]);
    const flat = { ...constants, tileColumns, workgroupSize, subgroupSize };
    const columns = workgroupSize * tileColumns;
    tape.dispatch(fusedKernel(flat, { name: "fusedProjectionFlat", code: fusedFlatCode }), {
      constants: flat,
      params,
      buffers,
      workgroups: fusedWorkgroups(flat, { numRows, numColumns, columns }),
    });
    return;
  }
  const vectors = [depth % chunkOf(constants), window.aStride % 4, window.aBegin % 4];
  const tiled = fitted(tape, {
    ...constants,
    lanes: Number(choice["lanes"]),
    share: Number(choice["share"]),
    columns: Number(choice["columns"]),
    subgroupSize: choice["subgroups"] === true ? tape.subgroupSize : 0,
    vectors: vectors.every((rest) => rest === 0),
  });
  tape.dispatch(fusedKernel(tiled, { name: "fusedProjectionTiled", code: fusedTiledCode }), {
    constants: tiled,
    params,
    buffers,
    workgroups: fusedWorkgroups(tiled, { numRows, numColumns, columns: columnsOf(tiled) }),
  });
}

/** Sums that a lane keeps in registers at most, four floats each. */
const MOST_SUMS = 24;

/**
 * Fewer columns a lane where they would not fit: that changes no bit of any result, so that it may
 * depend on the rows. With one column, 8 rows of a gate and what it gates fit every device.
 */
function fitted(
  { traits }: Pick<Tape, "traits">,
  constants: Parameters<typeof fusedTiledCode>[0],
): Parameters<typeof fusedTiledCode>[0] {
  const { columns, tileRows, gated } = constants;
  const fits =
    fusedTiledBytes(constants) <= traits.maxWorkgroupBytes &&
    tileRows * columns * (gated ? 2 : 1) <= MOST_SUMS;
  if (fits || (columns === 1 && tileRows === 1)) return constants;
  return columns > 1
    ? fitted({ traits }, { ...constants, columns: columns / 2 })
    : fitted({ traits }, { ...constants, tileRows: tileRows / 2 });
}

function candidates({ variant, subgroupSize, traits }: TuningDevice, problem: FewRowsProblem) {
  if (variant === "flat") return flatCandidates(problem);
  const { weight, depth, numColumns, gated } = problem;
  const total = gated ? numColumns[0]! : numColumns.reduce((sum, count) => sum + count, 0);
  const chunks = Math.ceil(depth / chunkOf({ weight, alignment: alignmentOf(weight, depth) }));
  const trees = [64, 128, 256]
    .filter((lanes) => lanes <= traits.maxWorkgroupLanes)
    .flatMap((lanes) =>
      [16, 32, 64, 128, 256]
        .filter((share) => share <= lanes && (share === 16 || share / 2 < chunks))
        .flatMap((share) =>
          [1, 2, 4].map((columns) => ({ lanes, share, columns, subgroups: false })),
        ),
    );
  const inSubgroups = [1, 2, 4, 8].map((columns) => {
    return { lanes: subgroupSize, share: subgroupSize, columns, subgroups: true };
  });
  const all = subgroupSize > 0 ? [...trees, ...inSubgroups] : trees;
  // Wide results give every core a workgroup though each takes several columns.
  const columns = total >= 8192 ? 4 : total >= 2048 ? 2 : 1;
  const isDefault = (one: Choice) =>
    one["lanes"] === 64 &&
    one["share"] === (chunks > 16 ? 32 : 16) &&
    one["columns"] === columns &&
    one["subgroups"] === false;
  return [...all.filter(isDefault), ...all.filter((one) => !isDefault(one))];
}

function flatCandidates({ weight, gated }: FewRowsProblem): Choice[] {
  const columns = FLAT_COLUMNS[weight] / (gated ? 2 : 1);
  const others = [1, 2, 4, 8].filter((count) => count !== columns);
  return [columns, ...others].map((count) => ({ columns: count }));
}

/** The power of two nearest to a size, so that like sizes share a choice. */
function nearby(size: number): number {
  return 2 ** Math.round(Math.log2(size));
}
