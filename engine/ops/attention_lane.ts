import { attentionForward } from "../../shaders/attention.wgsl.ts";
import {
  attentionBackwardKey,
  attentionBackwardQuery,
} from "../../shaders/attention_backward.wgsl.ts";
import {
  type AttentionFamily,
  attentionParams,
  type AttentionProblem,
  blocksOf,
} from "./attention_family.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

const FLAT_LANES = 8;
const TILED_LANES = [64, 32, 128] as const;
/** The most rows that are staged at a time. */
const TILED_ROWS = 32;
/** Bytes of workgroup memory that every WebGPU adapter has. */
const WORKGROUP_BYTES = 16_384;

/** A lane a query, or a key, which it holds in registers: any head, best for narrow ones. */
export const laneAttention: AttentionFamily = {
  kernel: "lane",
  candidates({ variant, subgroupSize, traits }, { headDim }) {
    if (variant === "flat") {
      return [{ kernel: "lane", workgroupSize: subgroupSize || FLAT_LANES, tile: 0 }];
    }
    const tile = Math.min(TILED_ROWS, Math.floor(WORKGROUP_BYTES / (8 * headDim)));
    return TILED_LANES.filter((lanes) => lanes <= traits.maxWorkgroupLanes).map(
      (workgroupSize) => ({ kernel: "lane", workgroupSize, tile }),
    );
  },
  forward(tape, { problem, buffers }, choice) {
    const constants = constantsOf(tape, problem, choice);
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "forward", constants.workgroupSize);
    tape.dispatch(attentionForward, { constants, params, buffers, workgroups });
  },
  query(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(tape, problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "query", constants.workgroupSize);
    tape.dispatch(attentionBackwardQuery, { constants, params, buffers, workgroups });
  },
  key(tape, { problem, buffers, sums }, choice) {
    const constants = { ...constantsOf(tape, problem, choice), ...sums };
    const params = attentionParams(problem);
    const workgroups = blocksOf(problem, "key", constants.workgroupSize);
    tape.dispatch(attentionBackwardKey, { constants, params, buffers, workgroups });
  },
};

function constantsOf(
  { variant, subgroupSize }: Pick<TuningDevice, "variant" | "subgroupSize">,
  { headDim, storage }: AttentionProblem,
  choice: Choice,
) {
  return {
    headDim,
    workgroupSize: choice["workgroupSize"] as number,
    tile: choice["tile"] as number,
    subgroupSize: variant === "flat" ? subgroupSize : 0,
    storage,
  };
}
