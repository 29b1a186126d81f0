import {
  attentionBackwardKeyBlock,
  attentionBackwardQueryBlock,
} from "../../shaders/attention_backward_block.wgsl.ts";
import {
  attentionBlockBytes,
  type AttentionBlockConstants,
  blockSums,
} from "../../shaders/attention_block.wgsl.ts";
import { attentionForwardBlock } from "../../shaders/attention_forward_block.wgsl.ts";
import type { Storage } from "../../shaders/kernel.ts";
import {
  type AttentionFamily,
  attentionParams,
  type AttentionPass,
  type AttentionProblem,
  blocksOf,
} from "./attention_family.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Rows that a workgroup owns, rows that it walks over at a time, and its lanes. */
interface Block {
  readonly rows: number;
  readonly columns: number;
  readonly lanes: number;
}

const block = (rows: number, columns: number, lanes: number): Block => ({ rows, columns, lanes });

/** The likeliest first: many rows of a workgroup share each row that it loads. */
const BLOCKS: readonly Block[] = [
  block(64, 32, 128),
  block(32, 64, 128),
  block(64, 64, 256),
  block(32, 32, 64),
  block(16, 64, 64),
  block(64, 64, 128),
  block(64, 32, 64),
  block(32, 128, 256),
  block(16, 128, 128),
  block(16, 32, 32),
];

/** Sums that a lane may hold: of the default, and of any. */
const DEFAULT_SUMS = 64;
const MOST_SUMS = 128;

/** Workgroups that keep a GPU busy; no device tells how many it runs at a time. */
const ENOUGH_WORKGROUPS = 128;

/** Elements of a head that are staged at a time: the least, and by default, as every part waits. */
const LEAST_DEPTH = 8;
const DEFAULT_DEPTH = 32;

/** A workgroup a block of queries, or keys, of heads whose width is a multiple of 4: GPUs. */
export const blockAttention: AttentionFamily = {
  kernel: "block",
  candidates(device, problem, pass) {
    if (device.variant !== "tiled" || problem.headDim % 4 !== 0) return [];
    const fitting = BLOCKS.flatMap((one) => fittingDepths(device, problem, { pass, one }));
    const first = bestGuess(fitting, problem, pass);
    if (first === undefined) return [];
    return [first, ...fitting.filter((one) => one !== first)].map(
      ({ rows, columns, lanes, depth, staged }): Choice => ({
        kernel: "block",
        rows,
        columns,
        lanes,
        depth,
        staged,
      }),
    );
  },
  forward(tape, { problem, buffers }, choice) {
    const constants = constantsOf(problem, choice);
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "forward", constants.rows);
    tape.dispatch(attentionForwardBlock, { constants, params, buffers, workgroups });
  },
  query(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "query", constants.rows);
    tape.dispatch(attentionBackwardQueryBlock, { constants, params, buffers, workgroups });
  },
  key(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "key", constants.rows);
    tape.dispatch(attentionBackwardKeyBlock, { constants, params, buffers, workgroups });
  },
};

/** Ways of a block: the two largest parts of a head that fit, in each storage that may be staged. */
function fittingDepths(
  { traits }: TuningDevice,
  { headDim, storage }: AttentionProblem,
  { pass, one }: { readonly pass: AttentionPass; readonly one: Block },
): readonly AttentionBlockConstants[] {
  const depths = [1, 2, 4, 8, 16, 32].map((parts) => headDim / parts);
  const storages: readonly Storage[] = storage === "f16" ? ["f16", "f32"] : ["f32"];
  const isUseful = one.columns / 4 <= headDim / 2 && one.lanes <= traits.maxWorkgroupLanes;
  if (!isUseful) return [];
  return storages.flatMap((staged) =>
    depths
      .filter((depth) => depth % 4 === 0 && (depth >= LEAST_DEPTH || depth === headDim))
      .map((depth) => ({ headDim, storage, staged, ...one, depth }))
      .filter((way) => blockSums(way, pass) <= MOST_SUMS)
      .filter((way) => attentionBlockBytes(way, pass) <= traits.maxWorkgroupBytes)
      .slice(0, 2),
  );
}

/**
 * The first with few sums a lane and deep parts that keeps a GPU busy, or else the one of the most
 * workgroups.
 */
function bestGuess(
  ways: readonly AttentionBlockConstants[],
  problem: AttentionProblem,
  pass: AttentionPass,
): AttentionBlockConstants | undefined {
  const light = ways.filter((way) => blockSums(way, pass) <= DEFAULT_SUMS);
  const deep = light.filter(({ depth, headDim }) => depth >= Math.min(DEFAULT_DEPTH, headDim));
  const good = deep.length > 0 ? deep : light;
  const busy = good.find(({ rows }) => blocksOf(problem, pass, rows) >= ENOUGH_WORKGROUPS);
  return busy ?? good.toSorted((one, other) => one.rows - other.rows)[0] ?? ways[0];
}

function constantsOf(
  { headDim, storage }: AttentionProblem,
  choice: Choice,
): AttentionBlockConstants {
  const { rows, columns, lanes, depth, staged } = choice as Choice &
    Block & {
      readonly depth: number;
      readonly staged: Storage;
    };
  return { headDim, storage, staged, rows, columns, lanes, depth };
}
