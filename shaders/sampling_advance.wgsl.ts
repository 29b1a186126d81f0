/**
 * What follows a sampled token: the row's history, and the inputs of its next step.
 *
 * Two kernels, since together they would bind more buffers than every device has. A lane a row; a
 * finished row stays as it is in every bit, but for its place, which says that it has none.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

/** Place of a row that has finished: nothing of it is to be stored or read. */
export const NO_PLACE = 0xffff_ffff;

/** Token of a row that has finished. */
export const NO_TOKEN = 0xffff_ffff;

/** Why a row has finished, as `finished` holds it; 0 while it goes on. */
export const FINISHED = { byEndToken: 1, byCapacity: 2 } as const;

const HISTORY_PARAMS = { numRows: "u32", vocabSize: "u32", capacity: "u32" } as const;

const HISTORY_BUFFERS = {
  sampled: "read",
  sampledLogProbabilities: "read",
  endTokens: "read",
  steps: "read_write",
  finished: "read_write",
  seen: "read_write",
  history: "read_write",
  logProbabilities: "read_write",
} as const;

/** Appends tokens to the history and to what was seen; finishes rows. */
export const advanceHistory: Kernel<
  { readonly workgroupSize: number },
  typeof HISTORY_PARAMS,
  typeof HISTORY_BUFFERS
> = {
  name: "advanceHistory",
  params: HISTORY_PARAMS,
  buffers: HISTORY_BUFFERS,
  code: ({ workgroupSize }) =>
    wgsl`
    ${paramsBinding(HISTORY_PARAMS)}
    @group(0) @binding(1) var<storage, read> sampled: array<u32>;                   // [numRows]
    @group(0) @binding(2) var<storage, read> sampledLogProbabilities: array<f32>;   // [numRows]
    @group(0) @binding(3) var<storage, read> endTokens: array<u32>;                 // [1 + maxEndTokens]: count, ids
    @group(0) @binding(4) var<storage, read_write> steps: array<u32>;               // [numRows]
    @group(0) @binding(5) var<storage, read_write> finished: array<u32>;            // [numRows]
    @group(0) @binding(6) var<storage, read_write> seen: array<u32>;                // [numRows, ⌈vocabSize / 32⌉], bits
    @group(0) @binding(7) var<storage, read_write> history: array<u32>;             // [numRows, capacity]
    @group(0) @binding(8) var<storage, read_write> logProbabilities: array<f32>;    // [numRows, capacity]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let row = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      if (row >= params.numRows) { return; }
      if (finished[row] != 0u) { return; }
      let step = min(steps[row], params.capacity - 1u);
      let token = min(sampled[row], params.vocabSize - 1u);
      history[row * params.capacity + step] = token;
      logProbabilities[row * params.capacity + step] = sampledLogProbabilities[row];
      seen[row * ((params.vocabSize + 31u) / 32u) + token / 32u] |= 1u << (token % 32u);
      steps[row] = step + 1u;
      if (step + 1u >= params.capacity) { finished[row] = ${FINISHED.byCapacity}u; }
      for (var i = 1u; i <= endTokens[0]; i++) {
        if (endTokens[i] == token) { finished[row] = ${FINISHED.byEndToken}u; }
      }
    }`,
};

const INPUT_PARAMS = { numRows: "u32", capacity: "u32", window: "u32" } as const;

const INPUT_BUFFERS = {
  sampled: "read",
  finished: "read_write",
  tokens: "read_write",
  places: "read_write",
  positions: "read_write",
  starts: "read_write",
} as const;

/** Token, place, position and first visible place of each row's next step; finishes rows without a place for it. */
export const advanceInputs: Kernel<
  { readonly workgroupSize: number },
  typeof INPUT_PARAMS,
  typeof INPUT_BUFFERS
> = {
  name: "advanceInputs",
  params: INPUT_PARAMS,
  buffers: INPUT_BUFFERS,
  code: ({ workgroupSize }) =>
    wgsl`
    ${paramsBinding(INPUT_PARAMS)}
    @group(0) @binding(1) var<storage, read> sampled: array<u32>;           // [numRows]
    @group(0) @binding(2) var<storage, read_write> finished: array<u32>;    // [numRows]
    @group(0) @binding(3) var<storage, read_write> tokens: array<u32>;      // [numRows]
    @group(0) @binding(4) var<storage, read_write> places: array<u32>;      // [numRows]
    @group(0) @binding(5) var<storage, read_write> positions: array<u32>;   // [numRows]
    @group(0) @binding(6) var<storage, read_write> starts: array<u32>;      // [numRows]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let row = (workgroup.y * grid.x + workgroup.x) * ${workgroupSize}u + lane;
      if (row >= params.numRows) { return; }
      let place = places[row];
      if (finished[row] == 0u && place < params.capacity - 1u) {
        tokens[row] = sampled[row];
        places[row] = place + 1u;
        positions[row] += 1u;
        starts[row] = place + 2u - min(place + 2u, params.window);
        return;
      }
      if (finished[row] == 0u) { finished[row] = ${FINISHED.byCapacity}u; }
      places[row] = ${NO_PLACE}u;
    }`,
};
