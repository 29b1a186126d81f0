import type { Batch } from "./batch.ts";
import type { PackedDataset } from "./pack.ts";

/** Batches from `numTaken` on, epoch after epoch without end. */
export function* batchesFrom(data: PackedDataset, numTaken: number): Generator<Batch> {
  let skip = numTaken;
  for (let epoch = 0; ; epoch++) {
    const numBatches = data.numBatches(epoch);
    for (let index = Math.min(skip, numBatches); index < numBatches; index++) {
      yield data.batch(epoch, index);
    }
    skip = Math.max(0, skip - numBatches);
  }
}
