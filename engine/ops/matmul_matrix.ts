import { matmulMatrix } from "../../shaders/linear_matrix.wgsl.ts";
import {
  type LoadWidth,
  matrixBytes,
  matrixLanes,
  type MatrixTiling,
} from "../../shaders/linear_matrix_tiles.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { MatrixTraits } from "../tuning/traits.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";
import { type MatmulFamily, type MatmulProblem, type Product, widthOf } from "./matmul_family.ts";
import { addParts, unread } from "./matmul_tiled.ts";

/** A way to compute a product with subgroup matrices. */
interface MatrixChoice extends Pick<
  MatrixTiling,
  "subgroupRows" | "subgroupColumns" | "step" | "stages"
> {
  /** Results of a workgroup. */
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Parts of the depth whose sums are added in the end. */
  readonly splits: number;
}

/** Rows and columns of a tile, subgroups along each, terms of a step and stages: the likeliest first. */
const TILES = [
  [128, 128, 2, 2, 32, 1],
  [128, 128, 2, 2, 32, 2],
  [128, 128, 2, 4, 32, 1],
  [128, 128, 2, 4, 32, 2],
  [128, 128, 2, 4, 64, 1],
  [128, 256, 2, 4, 32, 1],
  [256, 128, 4, 2, 32, 1],
  [128, 64, 2, 2, 32, 1],
  [128, 64, 2, 2, 32, 2],
  [64, 128, 2, 2, 32, 1],
  [64, 64, 2, 2, 32, 1],
  [64, 64, 2, 2, 32, 2],
  [64, 64, 2, 2, 64, 1],
  [64, 32, 2, 2, 32, 1],
  [32, 64, 2, 2, 32, 1],
  [32, 32, 2, 2, 32, 1],
  [32, 32, 1, 1, 32, 1],
  [128, 128, 2, 2, 32, 0],
  [64, 64, 2, 2, 32, 0],
  [32, 32, 1, 1, 16, 0],
] as const;

/** Sums of one lane beyond which they would leave too few registers for anything else. */
const MOST_SUMS = 128;

/** Workgroups that keep a GPU busy; no device tells how many it runs at a time. */
const ENOUGH_WORKGROUPS = 128;

/** Terms of a part that are worth a dispatch to add it. */
const LEAST_PART = 256;

/** Bytes that the sums of all parts may take. */
const MOST_SUMS_BYTES = 2 ** 26;

/**
 * Products of halves on GPUs whose subgroups multiply matrices, summed in f32. Operands of f32 are
 * left to other kernels: they would have to be rounded.
 */
export const matrixProducts: MatmulFamily = {
  kernel: "matrix",
  candidates({ variant, traits }: TuningDevice, problem: MatmulProblem): readonly Choice[] {
    const { matrix } = traits;
    const { a, b } = problem.storage;
    if (matrix === undefined || variant !== "tiled" || a !== "f16" || b !== "f16") return [];
    const choices = TILES.flatMap(
      ([tileRows, tileColumns, subgroupRows, subgroupColumns, step, stages]) =>
        [1, 2, 4, 8, 16, 32].map((splits) => ({
          tileRows,
          tileColumns,
          subgroupRows,
          subgroupColumns,
          step,
          stages,
          splits,
        })),
    );
    return choices
      .filter((choice) => fits(choice, matrix, traits) && isUseful(choice, problem))
      .map((choice) => ({ kernel: "matrix", ...choice }));
  },
  record(tape: Tape, product: Product, choice: Choice): void {
    const chosen = choice as Choice & MatrixChoice;
    if (chosen.splits > 1) {
      recordSplits(tape, product, chosen);
      return;
    }
    const { problem, epilogue, params, buffers } = product;
    tape.dispatch(matmulMatrix, {
      constants: {
        ...epilogue,
        ...constantsOf(tape, problem, chosen),
        parts: problem.numBatches > 1 ? "batch" : "one",
        widthC: widthOf(problem.alignment.c),
      },
      params,
      buffers,
      workgroups: tilesOf(chosen, problem),
    });
  },
};

/** A choice in matrices of a device. */
function tilingOf(matrix: MatrixTraits, choice: MatrixChoice): MatrixTiling {
  const { tileRows, tileColumns, subgroupRows, subgroupColumns, step, stages } = choice;
  return {
    matrix,
    subgroupRows,
    subgroupColumns,
    matrixRows: tileRows / subgroupRows / matrix.m,
    matrixColumns: tileColumns / subgroupColumns / matrix.n,
    step,
    stages,
  };
}

/** Whether a device can run a tile: a whole number of its matrices. */
function fits(choice: MatrixChoice, matrix: MatrixTraits, traits: TuningDevice["traits"]): boolean {
  const tiling = tilingOf(matrix, choice);
  const { matrixRows, matrixColumns, step } = tiling;
  const sums = (matrixRows * matrix.m * matrixColumns * matrix.n) / matrix.subgroupSize;
  return (
    [matrixRows, matrixColumns, step / matrix.k].every(Number.isInteger) &&
    sums <= MOST_SUMS &&
    matrixLanes(tiling) <= traits.maxWorkgroupLanes &&
    matrixBytes(tiling) <= traits.maxWorkgroupBytes
  );
}

/** Whether a product fills most of a tile, is whole tiles where it must be, and is worth its parts. */
function isUseful(choice: MatrixChoice, problem: MatmulProblem): boolean {
  const { tileRows, tileColumns, stages, splits } = choice;
  const { numRows, numColumns, depth, numBatches } = problem;
  if (tileRows >= Math.max(33, 2 * numRows) || tileColumns >= Math.max(33, 2 * numColumns)) {
    return false;
  }
  if (stages === 0 && !isWhole(choice, problem)) return false;
  return (
    splits === 1 ||
    (numBatches === 1 &&
      depth >= splits * LEAST_PART &&
      tilesOf(choice, problem) * splits <= 8 * ENOUGH_WORKGROUPS &&
      4 * splits * numRows * numColumns <= MOST_SUMS_BYTES)
  );
}

/** Whether nothing of any tile or step lies beyond a product. */
function isWhole(
  { tileRows, tileColumns, step }: MatrixChoice,
  { numRows, numColumns, depth }: MatmulProblem,
): boolean {
  return numRows % tileRows === 0 && numColumns % tileColumns === 0 && depth % step === 0;
}

/** Workgroups of a product. */
function tilesOf(
  { tileRows, tileColumns }: MatrixChoice,
  { numRows, numColumns, numBatches }: MatmulProblem,
): number {
  return numBatches * Math.ceil(numRows / tileRows) * Math.ceil(numColumns / tileColumns);
}

/** Constants that do not depend on what becomes of the sums. */
function constantsOf(tape: Tape, problem: MatmulProblem, choice: MatrixChoice) {
  const { layout, alignment } = problem;
  return {
    ...tilingOf(tape.traits.matrix!, choice),
    layout,
    isWhole: isWhole(choice, problem),
    widthA: alignment.a as LoadWidth,
    widthB: alignment.b as LoadWidth,
  };
}

/** Sums of each part, which ends with a step, then one kernel that adds them in order. */
function recordSplits(tape: Tape, product: Product, choice: MatrixChoice): void {
  const { problem, epilogue, params, buffers } = product;
  const { numRows, numColumns, depth } = problem;
  const partDepth = Math.ceil(depth / choice.splits / choice.step) * choice.step;
  const numParts = Math.ceil(depth / partDepth);
  const sums = tape.activation([numParts, numRows, numColumns], { label: "sums of parts" });
  tape.dispatch(matmulMatrix, {
    constants: {
      accumulate: false,
      bias: false,
      activation: "none",
      residual: false,
      ...constantsOf(tape, problem, choice),
      storage: { ...epilogue.storage, bias: "f32", residual: "f32", c: "f32" },
      parts: "splits",
      widthC: widthOf(numColumns),
    },
    params: { ...params, numParts, partDepth },
    buffers: { ...unread(buffers), c: sums },
    workgroups: tilesOf(choice, problem) * numParts,
  });
  addParts(tape, product, sums);
}
