import { addSplits } from "../../shaders/linear_splits.wgsl.ts";
import { matmulTiled, tiledBytes, tiledLanes } from "../../shaders/linear_tiled.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { type MatmulFamily, type MatmulProblem, type Product, widthOf } from "./matmul_family.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Outputs of a workgroup and of a lane, and terms that are staged at a time. */
interface Tile {
  readonly tileRows: number;
  readonly tileColumns: number;
  readonly tileDepth: number;
  readonly laneRows: number;
  readonly laneColumns: number;
}

/** A way to compute a product: a tile, and into how many parts its depth is split. */
interface TiledChoice extends Tile {
  readonly prefetch: boolean;
  readonly splits: number;
}

const tile = (
  [tileRows, tileColumns, tileDepth]: readonly [number, number, number],
  [laneRows, laneColumns]: readonly [number, number],
): Tile => ({ tileRows, tileColumns, tileDepth, laneRows, laneColumns });

/** Largest first: more work for each byte that is loaded, but fewer workgroups. */
const TILES: readonly Tile[] = [
  tile([128, 128, 8], [8, 8]),
  tile([128, 128, 16], [8, 8]),
  tile([128, 64, 16], [8, 4]),
  tile([64, 128, 16], [4, 8]),
  tile([64, 64, 16], [8, 8]),
  tile([64, 64, 16], [8, 4]),
  tile([64, 64, 16], [4, 4]),
  tile([32, 64, 16], [4, 4]),
  tile([32, 32, 16], [4, 4]),
  tile([16, 64, 32], [4, 4]),
];

/** Tiles for the default, largest first; the last one where none gives enough workgroups. */
const DEFAULTS = [TILES[0]!, TILES[2]!, TILES[6]!, TILES[8]!];

/** Workgroups that keep a GPU busy; no device tells how many it runs at a time. */
const ENOUGH_WORKGROUPS = 128;

/** Terms of a part that are worth a dispatch to add it. */
const LEAST_PART = 256;

const MOST_SPLITS = 32;

/** Bytes that the sums of all parts may take. */
const MOST_SUMS_BYTES = 2 ** 26;

/** Products on GPUs, staged in workgroup memory. */
export const tiledProducts: MatmulFamily = {
  kernel: "tiled",
  candidates(device: TuningDevice, problem: MatmulProblem): readonly Choice[] {
    if (device.variant !== "tiled") return [];
    const fitting = TILES.filter((one) => isWithin(device, one));
    const first = bestGuess(fitting, problem);
    const useful = fitting.filter((one) => isUseful(one, problem));
    const choices = [
      first,
      ...useful.map((one) => ({ ...one, prefetch: false, splits: 1 })),
      ...useful
        .filter(({ laneRows }) => laneRows === 8)
        .map((one) => ({ ...one, prefetch: true, splits: 1 })),
      ...[2, 4, 8, 16, MOST_SPLITS].flatMap((splits) =>
        useful
          .filter((one) => SPLIT_TILES.includes(one) && mayTry(one, problem, splits))
          .map((one) => ({ ...one, prefetch: false, splits })),
      ),
    ];
    const isFirst = (choice: TiledChoice, index: number) =>
      choices.findIndex((other) => JSON.stringify(other) === JSON.stringify(choice)) === index;
    return choices.filter(isFirst).map((choice) => ({ kernel: "tiled", ...choice }));
  },
  record(tape: Tape, product: Product, choice: Choice): void {
    const chosen = choice as Choice & TiledChoice;
    if (chosen.splits > 1) recordSplits(tape, product, chosen);
    else recordTiles(tape, product, chosen);
  },
};

/** Tiles that splits are tried with. */
const SPLIT_TILES = [TILES[0]!, TILES[4]!, TILES[6]!];

/** Whether a device can run a tile. */
function isWithin({ traits }: TuningDevice, one: Tile): boolean {
  return tiledLanes(one) <= traits.maxWorkgroupLanes && tiledBytes(one) <= traits.maxWorkgroupBytes;
}

/** Whether a product fills more than half of a tile's rows and columns, or the tile is small. */
function isUseful({ tileRows, tileColumns }: Tile, { numRows, numColumns }: MatmulProblem) {
  return tileRows < Math.max(33, 2 * numRows) && tileColumns < Math.max(65, 2 * numColumns);
}

/** Whether so many parts are worth their sums. */
function mayTry(one: Tile, problem: MatmulProblem, splits: number): boolean {
  const { depth, numRows, numColumns, numBatches } = problem;
  return (
    numBatches === 1 &&
    depth >= splits * LEAST_PART &&
    tilesOf(one, problem) * splits <= 8 * ENOUGH_WORKGROUPS &&
    4 * splits * numRows * numColumns <= MOST_SUMS_BYTES
  );
}

/** The largest tile that keeps a GPU busy; or a depth that is split; or a small tile. */
function bestGuess(fitting: readonly Tile[], problem: MatmulProblem): TiledChoice {
  const plain = { prefetch: false, splits: 1 };
  const busy = DEFAULTS.find(
    (one) =>
      fitting.includes(one) && isUseful(one, problem) && tilesOf(one, problem) >= ENOUGH_WORKGROUPS,
  );
  if (busy !== undefined) return { ...busy, ...plain };
  const middle = TILES[6]!;
  const splits = [MOST_SPLITS, 16, 8, 4, 2].find(
    (count) =>
      mayTry(middle, problem, count) && tilesOf(middle, problem) * count <= 2 * ENOUGH_WORKGROUPS,
  );
  if (splits !== undefined && isUseful(middle, problem) && fitting.includes(middle)) {
    return { ...middle, prefetch: false, splits };
  }
  return { ...DEFAULTS.at(-1)!, ...plain };
}

/** Workgroups of a product. */
function tilesOf(
  { tileRows, tileColumns }: Tile,
  { numRows, numColumns, numBatches }: MatmulProblem,
): number {
  return numBatches * Math.ceil(numRows / tileRows) * Math.ceil(numColumns / tileColumns);
}

/** Widths that operands are read in. */
function widthsOf({ alignment }: MatmulProblem) {
  return { a: widthOf(alignment.a), b: widthOf(alignment.b), c: widthOf(alignment.c) };
}

const tileOf = ({ tileRows, tileColumns, tileDepth, laneRows, laneColumns }: Tile): Tile => ({
  tileRows,
  tileColumns,
  tileDepth,
  laneRows,
  laneColumns,
});

function recordTiles(tape: Tape, product: Product, chosen: TiledChoice): void {
  const { problem, epilogue, params, buffers } = product;
  tape.dispatch(matmulTiled, {
    constants: {
      ...epilogue,
      ...tileOf(chosen),
      prefetch: chosen.prefetch,
      layout: problem.layout,
      parts: problem.numBatches > 1 ? "batch" : "one",
      widths: widthsOf(problem),
    },
    params,
    buffers,
    workgroups: tilesOf(chosen, problem),
  });
}

/** Sums of each part, then one kernel that adds them in order. */
function recordSplits(tape: Tape, product: Product, chosen: TiledChoice): void {
  const { problem, epilogue, params, buffers } = product;
  const { numRows, numColumns, depth } = problem;
  const partDepth = Math.ceil(depth / chosen.splits / chosen.tileDepth) * chosen.tileDepth;
  const numParts = Math.ceil(depth / partDepth);
  const sums = tape.activation([numParts, numRows, numColumns], { label: "sums of parts" });
  const plain = { accumulate: false, bias: false, activation: "none", residual: false } as const;
  const { a, b } = epilogue.storage;
  const widths = widthsOf(problem);
  tape.dispatch(matmulTiled, {
    constants: {
      ...plain,
      ...tileOf(chosen),
      storage: { a, b, bias: "f32", residual: "f32", c: "f32" },
      prefetch: chosen.prefetch,
      layout: problem.layout,
      parts: "splits",
      widths: { ...widths, c: widthOf(numColumns) },
    },
    params: { ...params, numParts, partDepth },
    buffers: { ...unread(buffers), c: sums },
    workgroups: tilesOf(chosen, problem) * numParts,
  });
  addParts(tape, product, sums);
}

/** Binds what the kernel reads anyway where it reads neither bias nor residual. */
export function unread({
  a,
  b,
}: Product["buffers"]): Pick<Product["buffers"], "a" | "b" | "bias" | "residual"> {
  return { a, b, bias: b, residual: b };
}

/** Records the sum of parts, and the epilogue. */
export function addParts(tape: Tape, product: Product, sums: Tensor): void {
  const { problem, epilogue, params, buffers } = product;
  const { bias, residual, c } = buffers;
  const { storage, ...rest } = epilogue;
  const length = problem.numRows * problem.numColumns;
  const width = widthOf(problem.alignment.c);
  const lanes = lanesOf(tape.variant);
  const { numColumns, cStride, cBegin, scale } = params;
  tape.dispatch(addSplits, {
    constants: {
      ...rest,
      ...lanes,
      width,
      storage: { bias: storage.bias, residual: storage.residual, c: storage.c },
    },
    params: { length, numParts: sums.shape[0]!, numColumns, cStride, cBegin, scale },
    buffers: { sums, bias, residual, c },
    workgroups: laneWorkgroups(lanes, length / width),
  });
}
