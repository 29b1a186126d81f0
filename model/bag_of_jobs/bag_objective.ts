import type { Gpu } from "../../engine/gpu.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { sparseRows } from "../../engine/ops/sparse_rows.ts";
import { SparseInput, type SparseRows } from "../../engine/sparse_input.ts";
import type { Parameter } from "../../engine/tensor.ts";
import { packParameters } from "../../engine/parameters.ts";
import { sliceRows, SparseBuilder } from "../logit/design.ts";
import { normal, uniform } from "../random.ts";
import type { LabeledBatch, Objective } from "../train/objective.ts";

/** Observations as sparse rows; fewer than a full batch at the end. */
export interface BagBatch extends LabeledBatch {
  readonly sparse: Required<SparseRows>;
  readonly targets: Uint32Array<ArrayBuffer>;
}

/** Sizes of a bag of jobs. */
export interface BagSizes {
  readonly numFeatures: number;
  readonly numOccupations: number;
  readonly dModel: number;
}

/** Weights of a bag of jobs on a device: embeddings of features, and of next jobs. */
export interface BagParameters {
  readonly embedding: Parameter;
  readonly output: Parameter;
}

/** Target of a row that holds nothing. */
const IGNORED = 0xffff_ffff;

/** Random weights: logits begin near zero, and all features contribute alike. */
export function bagParameters(gpu: Gpu, sizes: BagSizes, seed: number): BagParameters {
  const { numFeatures, numOccupations, dModel } = sizes;
  const [embedding, output] = packParameters(gpu, [
    { label: "embedding", shape: [numFeatures, dModel] },
    { label: "output", shape: [numOccupations, dModel] },
  ]);
  const deviation = 1 / Math.sqrt(dModel);
  gpu.write(embedding!, normal(numFeatures * dModel, { seed, stream: 0, deviation }));
  gpu.write(output!, normal(numOccupations * dModel, { seed, stream: 1, deviation }));
  return { embedding: embedding!, output: output! };
}

/**
 * Bags of jobs as an objective of training: `loss = Σ −log softmax(output · x)[target]`.
 *
 * @param parameters What is trained.
 * @param maxEntries Most features of an observation.
 */
export function bagObjective(
  { embedding, output }: BagParameters,
  maxEntries: number,
): Objective<BagBatch> {
  const numFeatures = embedding.shape[0]!;
  return {
    parameters: [embedding, output],
    record(gpu, tape, { numRows }) {
      const sparse = new SparseInput(gpu, {
        numRows,
        numFeatures,
        maxEntries: numRows * maxEntries,
      });
      const targets = gpu.tensor([numRows], { label: "targets", dtype: "u32" });
      const weights = gpu.tensor([numRows], { label: "weights of rows" });
      const x = sparseRows(tape, embedding, sparse);
      const outputs = linearCrossEntropy(tape, { x, weight: output, targets, weights });
      return {
        ...outputs,
        write: (batch, { weightScale = 1 } = {}) => {
          sparse.write(batch.sparse);
          const ids = new Uint32Array(numRows).fill(IGNORED);
          ids.set(batch.targets);
          gpu.write(targets, ids);
          const scales = new Float32Array(numRows);
          gpu.write(weights, scales.fill(weightScale, 0, batch.targets.length));
        },
        destroy: () => {
          sparse.destroy();
          targets.buffer.destroy();
          weights.buffer.destroy();
        },
      };
    },
    totalWeight: ({ targets }) => targets.length,
  };
}

/** Observations in order, so many at a time. */
export function* inOrder(
  { sparse, targets }: Omit<BagBatch, "label">,
  numRows: number,
): Generator<BagBatch> {
  for (let begin = 0; begin < targets.length; begin += numRows) {
    const end = Math.min(begin + numRows, targets.length);
    yield {
      label: `rows ${begin} to ${end}`,
      sparse: sliceRows(sparse, begin, end) as Required<SparseRows>,
      targets: targets.slice(begin, end),
    };
  }
}

/** Observations in a new random order each epoch, without end. */
export function* shuffled(
  data: Omit<BagBatch, "label">,
  { numRows, seed }: { readonly numRows: number; readonly seed: number },
): Generator<BagBatch> {
  for (let epoch = 0; ; epoch++) {
    const keys = uniform(data.targets.length, { seed, stream: 2 + epoch, bound: 1 });
    const order = Uint32Array.from(keys, (_, row) => row).toSorted(
      (a, b) => keys[a]! - keys[b]! || a - b,
    );
    for (let begin = 0; begin < order.length; begin += numRows) {
      const label = `epoch ${epoch + 1}, batch ${begin / numRows + 1}`;
      yield { label, ...pick(data, order.subarray(begin, begin + numRows)) };
    }
  }
}

function pick({ sparse, targets }: Omit<BagBatch, "label">, chosen: Uint32Array) {
  const { starts, columns, values } = sparse;
  const rows = new SparseBuilder();
  for (const row of chosen) {
    for (let k = starts[row]!; k < starts[row + 1]!; k++) rows.add(columns[k]!, values[k]);
    rows.endRow();
  }
  return { sparse: rows.build(), targets: Uint32Array.from(chosen, (row) => targets[row]!) };
}
