import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { prepare, type PrepareRequest } from "../../cli/run/prepare.ts";
import { Progress } from "../../cli/run/progress.ts";
import { sizes } from "../../cli/run/sizes.ts";
import { train, type TrainOutcome, type TrainRequest } from "../../cli/run/train.ts";

// What somebody has tuned on this machine must not change the bits that tests see.
process.env["TENURE_TUNING"] = "off";

/** A folder that is removed when the file's tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tenure-cli-"));
  after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Progress that nobody sees. */
export function silentProgress(): Progress {
  return new Progress({ write: () => true });
}

/** How a few people are worded. */
export const WORDING: PrepareRequest["wording"] = {
  dataset: "SYNTHETIC",
  birthYear: true,
  titles: "authentic",
  titleSeed: 1,
  lastRows: 0,
};

/** Prepares a few synthetic people. */
export async function prepareFew(
  folder: string,
  changes: Partial<PrepareRequest> = {},
): Promise<ReturnType<typeof prepare>> {
  return prepare({
    source: { population: "survey", numPeople: 40 },
    folder,
    seed: 1,
    vocabSize: 700,
    wording: WORDING,
    ...changes,
  });
}

/** Settings of a model that takes twelve steps in seconds; dropout, so that randomness counts. */
export const TINY_SETTINGS: TrainRequest["settings"] = {
  model: {
    ...sizes({ dModel: 16, dHidden: 24, numBlocks: 1, numHeads: 2, numKvHeads: 1 }),
    dropout: 0.1,
  },
  batch: { seqLen: 256, numRows: 1, accumulation: 2, titleWeight: 1, otherWeight: 0.1 },
  optimizer: {
    learningRate: 1e-2,
    warmupRatio: 0.1,
    decay: "cosine",
    finalShare: 0.05,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.98,
    eps: 1e-8,
    maxGradNorm: 1,
  },
  validation: { evalSteps: 3, patience: 0 },
  length: { unit: "steps", count: 12 },
  seed: 1,
  kernels: "auto",
};

/** Trains a tiny model without a word. */
export async function trainTiny(
  folders: Pick<TrainRequest, "dataFolder" | "runFolder">,
  changes: Partial<TrainRequest> = {},
): Promise<TrainOutcome> {
  return train({
    ...folders,
    settings: TINY_SETTINGS,
    saveSteps: 0,
    saveTotalLimit: 2,
    progress: silentProgress(),
    ...changes,
  });
}

/** Events of a run's log. */
export function readLog(runFolder: string): Record<string, unknown>[] {
  return readFileSync(join(runFolder, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
