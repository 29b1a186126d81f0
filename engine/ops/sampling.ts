import { advanceHistory, advanceInputs } from "../../shaders/sampling_advance.wgsl.ts";
import { listLengthOf, sampleKernel } from "../../shaders/sampling.wgsl.ts";
import type { SharedRowConstants } from "../../shaders/sampling_lanes.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, type Tensor } from "../tensor.ts";
import type { SamplerState } from "./sampler_state.ts";

export * from "./sampler_state.ts";

/** What {@linkcode sampleTokens} works on. */
export interface SampleInputs {
  /** `[numRows, vocabSize]` f32; −3.4e38, or NaN, masks a token. */
  readonly logits: Tensor;
  /** Settings and progress of every row. */
  readonly state: SamplerState;
}

/** Results of {@linkcode sampleTokens}; 0xffffffff and 0 in finished rows. */
export interface SampledTokens {
  /** `[numRows]` u32. */
  readonly tokens: Tensor;
  /** `log softmax(logits)[token]`, `[numRows]` f32. */
  readonly logProbabilities: Tensor;
}

/** One subgroup of Mesa's software driver, for adapters that have none to share a row in. */
const FLAT_LANES = 8;

/** Lanes that share a row on a GPU: as many as every WebGPU device has in a workgroup. */
const TILED_LANES = 256;

/** Lanes of a workgroup on a GPU, where each takes a row. */
const ELEMENT_LANES = 64;

/**
 * Chooses one token for every row of logits, as the row's settings say. Logits stay on the device.
 *
 * In this order: the repetition penalty; the temperature; top-k; top-p of what is left; min-p.
 * Then one of the kept tokens is drawn by its probability, or, at temperature 0, the most
 * probable token after the penalty is taken, the lowest id of equals.
 *
 *   - Tokens that are as probable as the last one kept are kept too, by top-k and by top-p.
 *   - At temperature 0, top-k, top-p, min-p and the seed change nothing.
 *   - A token e⁸⁷ times less probable than the most probable one is never drawn.
 *   - A row whose tokens are all masked is drawn from uniformly.
 *
 * Log-probabilities are those of the unmodified distribution: of the logits as they come, before
 * penalty, temperature and filters.
 *
 * A row depends on its logits, settings, seen tokens and step alone, not on the other rows; the
 * same device gives the same bits each time. Sums are in f32, in a fixed order. A plan records one
 * dispatch, and needs 8 bytes a logit besides. Not differentiable. Progress is left to
 * `advanceRows()`.
 *
 * @see {@link https://arxiv.org/abs/1904.09751 | Holtzman et al., 2020}, for top-p
 *
 * @param tape Where to record.
 * @param inputs Logits and the sampler's state.
 * @returns Token and log-probability of each row.
 * @throws {RangeError} If the logits are not `[numRows, vocabSize]` of the state.
 * @throws {TypeError} If the logits are not f32.
 */
export function sampleTokens(tape: Tape, { logits, state }: SampleInputs): SampledTokens {
  const { numRows, vocabSize, seen, settings, steps, finished } = state;
  if (logits.shape.length !== 2 || logits.shape[0] !== numRows || logits.shape[1] !== vocabSize) {
    throw new RangeError(
      `Cannot sample from "${logits.label}": logits must be [${numRows}, ${vocabSize}], got ${describe(logits)}`,
    );
  }
  if (logits.dtype !== "f32") {
    throw new TypeError(
      `Cannot sample from "${logits.label}": logits must be f32, got ${describe(logits)}`,
    );
  }
  const constants = constantsOf(tape);
  const listLength = listLengthOf(constants, vocabSize);
  const candidates = tape.activation([numRows, listLength, 2], {
    label: "candidates",
    dtype: "u32",
  });
  const tokens = tape.activation([numRows], { label: "sampled tokens", dtype: "u32" });
  const logProbabilities = tape.activation([numRows], { label: "sampled log-probabilities" });
  const idBits = Math.max(2, 2 * Math.ceil(Math.log2(vocabSize) / 2));
  const isAlone = constants.variant === "flat" && constants.subgroupSize === 0;
  tape.dispatch(sampleKernel, {
    constants,
    params: { numRows, vocabSize, listLength, idBits },
    buffers: { logits, seen, settings, steps, finished, candidates, tokens, logProbabilities },
    workgroups: isAlone ? Math.ceil(numRows / FLAT_LANES) : numRows,
  });
  return { tokens, logProbabilities };
}

function constantsOf({ variant, subgroupSize }: Tape): SharedRowConstants {
  if (variant === "tiled") return { variant, workgroupSize: TILED_LANES, subgroupSize: 0 };
  return { variant, workgroupSize: subgroupSize > 0 ? subgroupSize : FLAT_LANES, subgroupSize };
}

/** What {@linkcode advanceRows} works on. */
export interface AdvanceInputs {
  /** What `sampleTokens()` chose. */
  readonly sampled: SampledTokens;
  /** Its history, steps, finished rows and seen tokens go on. */
  readonly state: SamplerState;
  /** Token that each row's next step reads, `[numRows]` u32; persistent. */
  readonly tokens: Tensor;
  /** Where in its cache each row's next step stores, `[numRows]` u32; persistent. */
  readonly places: Tensor;
  /** Position of each row's next token, `[numRows]` u32; persistent. */
  readonly positions: Tensor;
  /** First place that each row's next token sees, `[numRows]` u32; persistent. */
  readonly starts?: Tensor;
  /** Places that a token sees at most, its own included; null for all. @default {null} */
  readonly slidingWindow?: number | null;
  /** Places of a row's cache. @default {the history's capacity} */
  readonly capacity?: number;
}

/**
 * Takes every row that goes on to its next step, on the device: what was sampled becomes history,
 * seen, and the next input; place, position and step count on.
 *
 * A row finishes after an end token (which its history keeps), when its history is full, or when
 * its cache has no place for another token. The place of a finished row is 0xffffffff, by which
 * later kernels know that it stores and reads nothing; all else of it stays as it is, in every bit.
 *
 * @param tape Where to record; two dispatches.
 * @param inputs What was sampled, the sampler's state, and the inputs of the next step.
 * @throws {RangeError} If a tensor is not `[numRows] u32`, or a size no positive integer.
 */
export function advanceRows(tape: Tape, inputs: AdvanceInputs): void {
  const { sampled, state, tokens, places, positions } = inputs;
  const { capacity = state.capacity, slidingWindow = null } = inputs;
  const { numRows, vocabSize, endTokens, steps, finished, seen, history, logProbabilities } = state;
  const expected = describe({ shape: [numRows], dtype: "u32" });
  const { starts = tape.activation([numRows], { label: "starts", dtype: "u32" }) } = inputs;
  for (const tensor of [sampled.tokens, tokens, places, positions, starts]) {
    if (describe(tensor) === expected) continue;
    throw new RangeError(
      `Cannot advance rows: "${tensor.label}" must be ${expected}, got ${describe(tensor)}`,
    );
  }
  for (const [what, size] of [
    ["the cache's capacity", capacity],
    ["slidingWindow", slidingWindow ?? 1],
  ] as const) {
    if (Number.isSafeInteger(size) && size >= 1) continue;
    throw new RangeError(`Cannot advance rows: ${what} must be a positive integer, got ${size}`);
  }
  const workgroupSize = tape.variant === "flat" ? FLAT_LANES : ELEMENT_LANES;
  const dispatch = { constants: { workgroupSize }, workgroups: Math.ceil(numRows / workgroupSize) };
  tape.dispatch(advanceHistory, {
    ...dispatch,
    params: { numRows, vocabSize, capacity: state.capacity },
    buffers: {
      sampled: sampled.tokens,
      sampledLogProbabilities: sampled.logProbabilities,
      endTokens,
      steps,
      finished,
      seen,
      history,
      logProbabilities,
    },
  });
  tape.dispatch(advanceInputs, {
    ...dispatch,
    params: { numRows, capacity, window: slidingWindow ?? 0xffff_ffff },
    buffers: { sampled: sampled.tokens, finished, tokens, places, positions, starts },
  });
}
