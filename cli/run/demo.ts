import { join } from "node:path";
import type { AdapterKind } from "../platform/adapter.ts";
import { openAdapter } from "../platform/dawn.ts";
import { type EvalResult, evaluateRun } from "./evaluate.ts";
import { prepare } from "./prepare.ts";
import type { Progress } from "./progress.ts";
import { sizes } from "./sizes.ts";
import { countTable } from "./split_counts.ts";
import { train, type TrainRequest } from "./train.ts";

/** What a demo takes on an adapter. */
interface DemoPlan {
  readonly numPeople: number;
  readonly vocabSize: number;
  readonly numTestPeople: number;
  readonly model: TrainRequest["settings"]["model"];
  readonly epochs: number;
  readonly batchTokens: number;
}

const FAST: DemoPlan = {
  numPeople: 3000,
  vocabSize: 640,
  numTestPeople: 0,
  model: sizes({ dModel: 64, dHidden: 128, numBlocks: 3, numHeads: 4 }),
  epochs: 3,
  batchTokens: 2048,
};

/** Sizes by adapter, so that each ends in a few minutes on two cores. */
const PLANS: Readonly<Record<AdapterKind, DemoPlan>> = {
  gpu: FAST,
  lavapipe: FAST,
  swiftshader: FAST,
  software: FAST,
};

/** Tokens of a row. */
const SEQ_LEN = 512;

/** What `tenure demo` is asked to do. */
export interface DemoRequest {
  readonly folder: string;
  readonly seed: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * The main job on synthetic careers: prepare, train, evaluate, with sizes that suit the adapter.
 *
 * @returns Undefined if it was interrupted.
 */
export async function demo(request: DemoRequest): Promise<EvalResult | undefined> {
  const { folder, seed, progress, signal } = request;
  const plan = PLANS[(await openAdapter()).kind];
  const [dataFolder, runFolder] = [join(folder, "data"), join(folder, "run")];
  progress.line(`1. Draw ${plan.numPeople.toLocaleString("en")} synthetic people and split them`);
  const { counts } = await prepare({
    source: { population: "survey", numPeople: plan.numPeople },
    folder: dataFolder,
    seed,
    vocabSize: plan.vocabSize,
    wording: {
      dataset: "SYNTHETIC",
      birthYear: true,
      titles: "authentic",
      titleSeed: seed,
      lastRows: 0,
    },
    overwrite: true,
  });
  progress.line(`${countTable(counts)}\n\n2. Train a transformer on their resumes`);
  const { reason } = await train({
    dataFolder,
    runFolder,
    settings: settingsOf(plan, seed),
    saveSteps: 0,
    saveTotalLimit: 1,
    overwrite: true,
    progress,
    signal,
  });
  if (reason === "interrupted") return undefined;
  progress.line("\n3. Ask it for every year of the test people, beside the baselines");
  return evaluateRun({
    model: runFolder,
    split: "test",
    limit: plan.numTestPeople,
    tolerance: 1e-3,
    progress,
  });
}

function settingsOf(
  { model, epochs, batchTokens }: DemoPlan,
  seed: number,
): TrainRequest["settings"] {
  return {
    model,
    batch: {
      seqLen: SEQ_LEN,
      numRows: batchTokens / SEQ_LEN,
      accumulation: 1,
      titleWeight: 1,
      otherWeight: 0.1,
    },
    optimizer: {
      learningRate: 3e-3,
      warmupRatio: 0.05,
      decay: "cosine",
      finalShare: 0.05,
      weightDecay: 0.1,
      beta1: 0.9,
      beta2: 0.98,
      eps: 1e-8,
      maxGradNorm: 1,
    },
    validation: { evalSteps: 0, patience: 0 },
    length: { unit: "epochs", count: epochs },
    seed,
    kernels: "auto",
  };
}
