import type { EncodedResume } from "../../data/mod.ts";
import { PackedDataset } from "../../data/pack.ts";
import type { Validation } from "../../model/train/trainer.ts";
import type { BatchSettings } from "./settings.ts";

/** What decides the order of batches. */
export interface PackingOptions extends BatchSettings {
  readonly seed: number;
  readonly padId: number;
}

/** Resumes to learn from. */
export function trainingData(
  resumes: readonly EncodedResume[],
  { seqLen, numRows, titleWeight, otherWeight, seed, padId }: PackingOptions,
): PackedDataset {
  return new PackedDataset(resumes, { seqLen, numRows, titleWeight, otherWeight, seed, padId });
}

/** Steps of so many passes over the data, each of `accumulation` batches. */
export function stepsOfEpochs(
  data: PackedDataset,
  { epochs, accumulation }: { readonly epochs: number; readonly accumulation: number },
): number {
  let numBatches = 0;
  for (let epoch = 0; epoch < Math.floor(epochs); epoch++) numBatches += data.numBatches(epoch);
  const whole = Math.floor(epochs);
  if (epochs > whole) numBatches += (epochs - whole) * data.numBatches(whole);
  return Math.max(1, Math.ceil(numBatches / accumulation));
}

/** Passes over the data that so many batches make. */
export function epochsOf(data: PackedDataset, numBatches: number): number {
  return numBatches / data.numBatches(0);
}

/**
 * Held-out people: the loss is the mean of −log P(title) over person-years, so that its
 * exponential is the perplexity of titles as the paper scores them.
 */
export function validationData(
  resumes: readonly EncodedResume[],
  { seqLen, numRows, seed, padId }: PackingOptions,
): Validation & { readonly numBatches: number } {
  const weights = { titleWeight: 1, otherWeight: 0, titleEndWeight: 0 };
  const data = new PackedDataset(resumes, { seqLen, numRows, seed, padId, ...weights });
  const numBatches = data.numBatches(0);
  return {
    numBatches,
    count: resumes.reduce((sum, { titles }) => sum + titles.length, 0),
    *batches() {
      for (let index = 0; index < numBatches; index++) yield data.batch(0, index);
    },
  };
}
