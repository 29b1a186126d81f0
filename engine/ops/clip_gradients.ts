import {
  CHUNK_LENGTH,
  type ClipConstants,
  clipScale,
  partialsPerChunk,
  sumSquares,
} from "../../shaders/clip_gradients.wgsl.ts";
import { runsOf } from "../parameters.ts";
import { part, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, type Parameter, sizeOf, type Tensor } from "../tensor.ts";

const FLAT: ClipConstants = { variant: "flat", workgroupSize: 8 };
const TILED: ClipConstants = { variant: "tiled", workgroupSize: 256 };

/**
 * Records the norm of all gradients together, and how much to scale them by.
 *
 *     norm = √(Σ g²) / lossScale        clip = [min(1, maxNorm / norm) / lossScale, 0, norm]
 *
 * Summed in f32, in a fixed order. Where a gradient is NaN or infinite, or the sum overflows,
 * `clip` is `[0, 1, 0]`, which makes `adamWStep()` skip the step. Scales nothing by itself.
 *
 * @see {@link https://arxiv.org/abs/1211.5063 | Pascanu, Mikolov & Bengio, 2013}
 *
 * @param tape Where to record; after the backward pass, or on a tape of its own.
 * @param parameters Whose gradients; each counts once, however often it is named.
 * @param maxNorm `[1]` f32, positive; data. 3.4e38 clips nothing.
 * @param lossScale `[1]` f32, what the gradients were multiplied by, a power of two; data. None if
 *   absent.
 * @returns `clip`, `[3]` f32: scale, 1 if not finite, norm.
 * @throws {RangeError} If there are no parameters, or `maxNorm` or `lossScale` is not `[1] f32`.
 */
export function clipGradients(
  tape: Tape,
  parameters: readonly Parameter[],
  maxNorm: Tensor,
  lossScale?: Tensor,
): Tensor {
  const unique = [...new Set(parameters.map(({ gradient }) => gradient))];
  const gradients = runsOf(unique, (gradient) => [gradient]).flatMap(({ spans }) =>
    partsOf(spans[0]!, tape.maxBindingBytes),
  );
  if (gradients.length === 0 || describe(maxNorm) !== "[1] f32") {
    throw new RangeError(
      `Cannot clip gradients: parameters must be given and maxNorm be [1] f32, got ${gradients.length} and ${describe(maxNorm)}`,
    );
  }
  if (lossScale !== undefined && describe(lossScale) !== "[1] f32") {
    throw new RangeError(
      `Cannot clip gradients: lossScale must be [1] f32, got ${describe(lossScale)}`,
    );
  }
  const constants = tape.variant === "flat" ? FLAT : TILED;
  const perChunk = partialsPerChunk(constants);
  const chunksOf = ({ shape }: Tensor) => Math.ceil(sizeOf(shape) / CHUNK_LENGTH);
  const numPartials = gradients.reduce((sum, gradient) => sum + chunksOf(gradient) * perChunk, 0);
  const partials = tape.activation([numPartials], { label: "sums of squares" });
  let begin = 0;
  for (const gradient of gradients) {
    const workgroups = chunksOf(gradient);
    tape.dispatch(sumSquares, {
      constants,
      params: { length: sizeOf(gradient.shape), begin },
      buffers: { gradient, partials },
      workgroups,
    });
    begin += workgroups * perChunk;
  }
  const clip = tape.activation([3], { label: "clip" });
  tape.dispatch(clipScale, {
    constants: {
      ...(tape.variant === "flat" ? { ...FLAT, workgroupSize: 1 } : TILED),
      scaled: lossScale !== undefined,
    },
    params: { numPartials },
    buffers: { partials, maxNorm, lossScale: lossScale ?? maxNorm, clip },
    workgroups: 1,
  });
  return clip;
}

/** Gradients as ranges of elements that can be bound, cut where the sums of squares are anyway. */
function partsOf(gradients: Tensor, maxBytes: number): Tensor[] {
  return rowChunks(gradients, maxBytes, { multiple: CHUNK_LENGTH }).map((range) =>
    part(gradients, range),
  );
}
