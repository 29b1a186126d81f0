import { matmulFlat } from "../../shaders/linear_flat.wgsl.ts";
import {
  type MatmulFamily,
  type MatmulProblem,
  powerOfTwo,
  type Product,
  widthOf,
} from "./matmul_family.ts";
import type { Tape } from "../tape.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** A lane's rows, its columns, and terms of a turn of the inner loop. */
interface FlatTile {
  readonly tileRows: number;
  readonly tileColumns: number;
  readonly step: number;
}

/**
 * Tiles by layout: first the default, which Mesa's software driver compiles within half a second;
 * the others are for a tuner. Where neighbors in memory are not read four at a time, a longer step
 * only makes the code longer.
 */
const TILES: Readonly<Record<MatmulProblem["layout"], readonly FlatTile[]>> = {
  nn: [
    { tileRows: 16, tileColumns: 4, step: 1 },
    { tileRows: 8, tileColumns: 4, step: 4 },
    { tileRows: 16, tileColumns: 4, step: 4 },
    { tileRows: 16, tileColumns: 8, step: 1 },
    { tileRows: 32, tileColumns: 4, step: 1 },
    { tileRows: 8, tileColumns: 8, step: 1 },
    { tileRows: 8, tileColumns: 4, step: 1 },
  ],
  nt: [
    { tileRows: 16, tileColumns: 4, step: 4 },
    { tileRows: 16, tileColumns: 2, step: 4 },
    { tileRows: 8, tileColumns: 4, step: 4 },
    { tileRows: 8, tileColumns: 8, step: 4 },
    { tileRows: 16, tileColumns: 4, step: 1 },
    { tileRows: 8, tileColumns: 4, step: 1 },
  ],
  tn: [
    { tileRows: 16, tileColumns: 4, step: 2 },
    { tileRows: 16, tileColumns: 4, step: 1 },
    { tileRows: 16, tileColumns: 8, step: 1 },
    { tileRows: 32, tileColumns: 4, step: 1 },
    { tileRows: 8, tileColumns: 8, step: 1 },
    { tileRows: 8, tileColumns: 4, step: 4 },
    { tileRows: 8, tileColumns: 4, step: 1 },
  ],
};

/** Lanes of a workgroup without subgroups. */
const LANES = 8;

/** Products on software adapters. */
export const flatProducts: MatmulFamily = {
  kernel: "flat",
  candidates({ variant }: TuningDevice, problem: MatmulProblem): readonly Choice[] {
    if (variant !== "flat") return [];
    const tiles = TILES[problem.layout]
      .filter(({ step }) => problem.alignment.depth % step === 0)
      .map((tile) => ({
        kernel: "flat",
        ...tile,
        tileRows: Math.min(tile.tileRows, powerOfTwo(problem.numRows)),
      }));
    return tiles.filter(
      (tile, index) =>
        tiles.findIndex((other) => JSON.stringify(other) === JSON.stringify(tile)) === index,
    );
  },
  record(tape: Tape, { problem, epilogue, params, buffers }: Product, choice: Choice): void {
    const { layout, alignment, numBatches, numRows, numColumns } = problem;
    const { tileRows, tileColumns, step } = choice as Choice & FlatTile;
    const { subgroupSize } = tape;
    const workgroupSize = subgroupSize > 0 ? subgroupSize : LANES;
    // Elements of each operand that a lane has a use for, of those that lie side by side.
    const side = { a: layout === "tn" ? tileRows : step, b: layout === "nt" ? step : tileColumns };
    const tiles =
      Math.ceil(numRows / tileRows) * Math.ceil(numColumns / (workgroupSize * tileColumns));
    tape.dispatch(matmulFlat, {
      constants: {
        ...epilogue,
        layout,
        parts: numBatches > 1 ? "batch" : "one",
        tileRows,
        tileColumns,
        step,
        workgroupSize,
        subgroupSize,
        widths: {
          a: side.a % 4 === 0 ? widthOf(alignment.a) : 1,
          b: side.b % 4 === 0 ? widthOf(alignment.b) : 1,
          c: tileColumns % 4 === 0 ? widthOf(alignment.c) : 1,
        },
      },
      params,
      buffers,
      workgroups: tiles * numBatches,
    });
  },
};
