import { join } from "node:path";
import type { AdapterKind } from "../platform/adapter.ts";
import { openAdapter } from "../platform/dawn.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import type { DeviceChoice } from "./device.ts";
import { DEFAULT_TOLERANCE } from "./choices.ts";
import { type EvalResult, evaluateRun } from "./evaluate.ts";
import { prepare } from "./prepare.ts";
import { openPrepared, readSplit } from "./prepared.ts";
import type { Progress } from "./progress.ts";
import { sizes } from "./sizes.ts";
import { countTable } from "./split_counts.ts";
import { train, type TrainRequest } from "./train.ts";

/** What a demo takes on an adapter. */
interface DemoPlan {
  readonly numPeople: number;
  readonly model: TrainRequest["settings"]["model"];
  readonly epochs: number;
  /** Small, so that few tokens make many steps. */
  readonly numRows: number;
}

/** Runs are short enough to do without dropout. */
const WITHOUT_DROPOUT = { dropout: 0 };

/** 222,000 weights and 800,000 tokens. */
const FAST: DemoPlan = {
  numPeople: 3000,
  model: sizes({ dModel: 64, dHidden: 128, numBlocks: 3, numHeads: 4, ...WITHOUT_DROPOUT }),
  epochs: 5,
  numRows: 2,
};

/** 120,000 weights and 320,000 tokens: a fifth of the arithmetic. */
const SLOW: DemoPlan = {
  numPeople: 1500,
  model: sizes({ dModel: 48, dHidden: 96, numBlocks: 2, numHeads: 3, ...WITHOUT_DROPOUT }),
  epochs: 4,
  numRows: 1,
};

/** Sizes by adapter, so that each ends in a few minutes on two cores. */
const PLANS: Readonly<Record<AdapterKind, DemoPlan>> = {
  gpu: FAST,
  lavapipe: FAST,
  swiftshader: SLOW,
  software: SLOW,
};

/** Room for every title that occurs as one token. */
const VOCAB_SIZE = 1536;

/** Tokens of a row. */
const SEQ_LEN = 512;

/** What `tenure demo` is asked to do. */
export interface DemoRequest {
  readonly folder: string;
  readonly seed: number;
  readonly progress: Progress;
  /** How the device is opened. */
  readonly device?: DeviceChoice;
  readonly signal: AbortSignal;
}

/** What a demo leaves. */
export interface DemoResult {
  readonly evaluation: EvalResult;
  /** Somebody to predict. */
  readonly exampleId: string;
}

/**
 * The main job on synthetic careers: prepare, train, evaluate, with sizes that suit the adapter.
 *
 * @throws {CliError} With exit code 1 if it was interrupted: it begins anew each time.
 */
export async function demo(request: DemoRequest): Promise<DemoResult> {
  const { folder, seed, progress, device = {}, signal } = request;
  const plan = PLANS[(await openAdapter(device)).kind];
  const [dataFolder, runFolder] = [join(folder, "data"), join(folder, "run")];
  progress.line(`1. Draw ${plan.numPeople.toLocaleString("en")} synthetic people and split them`);
  const { counts } = await prepare({
    source: { population: "survey", numPeople: plan.numPeople },
    folder: dataFolder,
    seed,
    vocabSize: VOCAB_SIZE,
    wording: {
      dataset: "SYNTHETIC",
      birthYear: true,
      titles: "authentic",
      titleSeed: seed,
      lastRows: 0,
    },
    overwrite: true,
  });
  if (signal.aborted) throw interrupted();
  progress.line(`${countTable(counts)}\n\n2. Train a transformer on their resumes`);
  const { reason } = await train({
    dataFolder,
    runFolder,
    settings: settingsOf(plan, seed),
    saveSteps: 0,
    saveTotalLimit: 1,
    overwrite: true,
    progress,
    device,
    signal,
  });
  if (reason === "interrupted") throw interrupted();
  progress.line("\n3. Ask it for every year of the test people, beside the baselines");
  const evaluation = await evaluateRun({
    model: runFolder,
    split: "test",
    limit: 0,
    tolerance: DEFAULT_TOLERANCE,
    progress,
    device,
    signal,
  });
  const [example] = await readSplit(await openPrepared(dataFolder), "test");
  return { evaluation, exampleId: example!.id };
}

/** There is nothing to go on with, hence no exit code that says so. */
function interrupted(): CliError {
  return new CliError(
    EXIT.failure,
    "Cannot finish the demo: it must run to its end, got interrupted; the next one begins anew",
  );
}

function settingsOf({ model, epochs, numRows }: DemoPlan, seed: number): TrainRequest["settings"] {
  return {
    model,
    batch: {
      seqLen: SEQ_LEN,
      numRows,
      accumulation: 1,
      titleWeight: 1,
      otherWeight: 0.1,
    },
    optimizer: {
      learningRate: 5e-3,
      warmupRatio: 0.05,
      decay: "cosine",
      finalShare: 0.05,
      weightDecay: 0.1,
      beta1: 0.9,
      beta2: 0.95,
      eps: 1e-8,
      maxGradNorm: 1,
    },
    validation: { evalSteps: 0, patience: 0 },
    length: { unit: "epochs", count: epochs },
    seed,
    kernels: "auto",
  };
}
