import {
  attentionBackwardKeySubgroup,
  attentionBackwardQuerySubgroup,
} from "../../shaders/attention_backward_subgroup.wgsl.ts";
import { attentionForwardSubgroup } from "../../shaders/attention_forward_subgroup.wgsl.ts";
import {
  type AttentionFamily,
  attentionParams,
  type AttentionProblem,
  blocksOf,
} from "./attention_family.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Owned rows, and vectors of walked ones: the best guess first, by measurement on lavapipe. */
const BLOCKS = [
  { rows: 16, walked: 2 },
  { rows: 8, walked: 2 },
  { rows: 16, walked: 4 },
  { rows: 8, walked: 1 },
] as const;

/** As fast as any for heads up to this width, and compiled soonest. */
const NARROW = { headDim: 32, block: { rows: 16, walked: 1 } } as const;

/** Numbers of sums that a lane may hold: beyond, a software driver compiles for many seconds. */
const MAX_SUMS = 256;

/** A subgroup a block of queries, or keys: software adapters whose subgroups have one size. */
export const subgroupAttention: AttentionFamily = {
  kernel: "subgroup",
  candidates({ variant, subgroupSize }, { headDim }, pass) {
    const isPower = subgroupSize >= 4 && Number.isInteger(Math.log2(subgroupSize));
    if (variant !== "flat" || !isPower || headDim % 4 !== 0) return [];
    const columns = Math.ceil(headDim / (4 * subgroupSize)) * 4;
    const sums = pass === "key" ? 2 * columns : columns;
    const blocks = headDim <= NARROW.headDim ? [NARROW.block, ...BLOCKS] : BLOCKS;
    const fit = blocks.filter(({ rows }) => rows * sums <= MAX_SUMS);
    return (fit.length > 0 ? fit : [{ rows: 8, walked: 2 }]).map((block) => ({
      kernel: "subgroup",
      ...block,
    }));
  },
  forward(tape, { problem, buffers }, choice) {
    const constants = constantsOf(tape, problem, choice);
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "forward", constants.rows);
    tape.dispatch(attentionForwardSubgroup, { constants, params, buffers, workgroups });
  },
  query(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(tape, problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "query", constants.rows);
    tape.dispatch(attentionBackwardQuerySubgroup, { constants, params, buffers, workgroups });
  },
  key(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(tape, problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "key", constants.rows);
    tape.dispatch(attentionBackwardKeySubgroup, { constants, params, buffers, workgroups });
  },
};

function constantsOf(
  { subgroupSize }: Pick<TuningDevice, "subgroupSize">,
  { headDim, storage }: AttentionProblem,
  choice: Choice,
) {
  const rows = choice["rows"] as number;
  const walked = choice["walked"] as number;
  return { headDim, storage, subgroupSize, rows, walked };
}
