import { type Command, Option } from "commander";
import type { ActivationDType } from "../../model/transformer/activation_dtype.ts";
import { type Kernels, KERNELS } from "./choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "./device_flags.ts";
import { realNumber, wholeNumber } from "./flags.ts";
import { addPretrainedFlags, type PretrainedFlags, pretrainedOf } from "./pretrained_flags.ts";
import { Progress } from "./progress.ts";
import type { Length, OptimizerSettings } from "./settings.ts";
import { type SizeName, SIZES, sizes } from "./sizes.ts";
import type { PretrainedRequest, TrainRequest } from "./train.ts";

/** Flags of `tenure train`. */
export interface TrainFlags extends PretrainedFlags, DeviceFlags {
  readonly dtype?: ActivationDType;
  readonly checkpointActivations?: boolean;
  readonly maxMemory?: number;
  readonly output: string;
  readonly size: SizeName;
  readonly dModel?: number;
  readonly dHidden?: number;
  readonly numBlocks?: number;
  readonly numHeads?: number;
  readonly numKvHeads?: number;
  readonly headDim?: number;
  readonly numTrainEpochs?: number;
  readonly maxSteps?: number;
  readonly maxMinutes?: number;
  readonly seqLen: number;
  readonly batchTokens: number;
  readonly perDeviceTrainBatchSize?: number;
  readonly gradientAccumulationSteps: number;
  readonly titleWeight: number;
  readonly otherWeight: number;
  readonly learningRate?: number;
  readonly lrSchedulerType: OptimizerSettings["decay"];
  readonly warmupRatio: number;
  readonly minLrRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly adamBeta1: number;
  readonly adamBeta2: number;
  readonly adamEpsilon: number;
  readonly seed: number;
  readonly evalSteps: number;
  readonly patience: number;
  readonly saveSteps: number;
  readonly saveTotalLimit: number;
  readonly resumeFromCheckpoint?: string | true;
  readonly force?: boolean;
  readonly overwrite?: boolean;
  readonly kernels: Kernels;
  readonly dryRun?: boolean;
}

/** Highest learning rates unless told otherwise: small steps keep what a model knows. */
const LEARNING_RATES = { new: 2e-3, whole: 2e-5, adapters: 2e-4 } as const;

/** Passes over the data unless told otherwise. */
const DEFAULT_EPOCHS = 4;

/** Adds the flags of `tenure train`. */
export function addTrainFlags(command: Command): void {
  addModelFlags(command);
  addPretrainedFlags(command);
  addLengthFlags(command);
  addBatchFlags(command);
  addOptimizerFlags(command);
  addMemoryFlags(command);
  addRunFlags(command);
  addDeviceFlags(command);
}

function addModelFlags(command: Command): void {
  const size = wholeNumber({ least: 1 });
  command
    .addOption(
      new Option("--size <name>", "preset of the model's sizes; the flags below change them")
        .choices(Object.keys(SIZES))
        .default("small"),
    )
    .option("--d-model <n>", "width of the model", size)
    .option("--d-hidden <n>", "width of the MLP's hidden layer", size)
    .option("--num-blocks <n>", "blocks", size)
    .option("--num-heads <n>", "query heads", size)
    .option("--num-kv-heads <n>", "key and value heads (default: as query heads)", size)
    .option("--head-dim <n>", "width of a head (default: model by heads)", size)
    .option(
      "--dropout <share>",
      "share dropped (default: 0.05; with --model, the model's own)",
      realNumber({ most: 0.99 }),
    );
}

function addMemoryFlags(command: Command): void {
  command
    .addOption(
      new Option(
        "--dtype <type>",
        "activations; f16 needs a GPU with shader-f16 (default: f32)",
      ).choices(["f32", "f16"]),
    )
    .option(
      "--checkpoint-activations",
      "compute activations again for backward: less memory, slower",
    )
    .option(
      "--max-memory <GiB>",
      "memory the run may take (default: what the device has, as far as known)",
      realNumber({ above: 0 }),
    );
}

function addLengthFlags(command: Command): void {
  const others = { epochs: "numTrainEpochs", steps: "maxSteps", minutes: "maxMinutes" };
  const length = (flag: string, unit: keyof typeof others, text: string) =>
    new Option(flag, text).conflicts(Object.values(others).filter((name) => name !== others[unit]));
  command
    .addOption(
      length(
        "--num-train-epochs <n>",
        "epochs",
        `passes over the data (default: ${DEFAULT_EPOCHS})`,
      ).argParser(realNumber({ above: 0 })),
    )
    .addOption(
      length("--max-steps <n>", "steps", "steps instead").argParser(wholeNumber({ least: 1 })),
    )
    .addOption(
      length("--max-minutes <n>", "minutes", "minutes instead, turned into steps").argParser(
        realNumber({ above: 0 }),
      ),
    );
}

function addBatchFlags(command: Command): void {
  const count = wholeNumber({ least: 1 });
  command
    .option("--seq-len <n>", "tokens of a row, which holds several resumes", count, 512)
    .option("--batch-tokens <n>", "tokens of a batch: as many rows as fit", count, 1024)
    .option("--per-device-train-batch-size <n>", "rows of a batch, instead", count)
    .option("--gradient-accumulation-steps <n>", "batches of a step", count, 1)
    .option("--title-weight <x>", "weight of the loss of titles' tokens", realNumber(), 1)
    .option("--other-weight <x>", "weight of the loss of all other tokens", realNumber(), 0.1);
}

function addOptimizerFlags(command: Command): void {
  const share = realNumber({ most: 1 });
  const beta = realNumber({ most: 0.999_999 });
  command
    .option(
      "--learning-rate <x>",
      `highest learning rate (default: ${formatRates()})`,
      realNumber({ above: 0 }),
    )
    .addOption(
      new Option("--lr-scheduler-type <kind>", "course of the learning rate")
        .choices(["cosine", "linear", "constant"])
        .default("cosine"),
    )
    .option("--warmup-ratio <share>", "share of the steps in which it rises", share, 0.05)
    .option("--min-lr-rate <share>", "share of it that is left at the end", share, 0.05)
    .option("--weight-decay <x>", "decay of matrices", realNumber(), 0.1)
    .option("--max-grad-norm <x>", "limit of the gradients' norm; 0 for none", realNumber(), 1)
    .option("--adam-beta1 <x>", "decay of AdamW's first moment", beta, 0.9)
    .option("--adam-beta2 <x>", "decay of AdamW's second moment", beta, 0.98)
    .option("--adam-epsilon <x>", "AdamW's epsilon", realNumber({ above: 0 }), 1e-8)
    .option("--seed <n>", "seed of weights, order and dropout", wholeNumber(), 1);
}

function addRunFlags(command: Command): void {
  command
    .option("--eval-steps <n>", "steps between validations; 0 for ten in all", wholeNumber(), 0)
    .option("--patience <n>", "validations without a best that end it; 0 never", wholeNumber(), 0)
    .option("--save-steps <n>", "steps between checkpoints; 0 for none", wholeNumber(), 100)
    .option("--save-total-limit <n>", "checkpoints kept", wholeNumber({ least: 1 }), 2)
    .option("--resume-from-checkpoint [path]", '"latest", or the path of a checkpoint')
    .option("--force", "go on although settings or data have changed")
    .option("--overwrite", "begin anew in a folder that holds a run")
    .addOption(new Option("--kernels <kind>", "kernels").choices(KERNELS).default("auto"))
    .option("--dry-run", "say what a step would take, without running it");
}

/**
 * What flags ask for.
 *
 * @throws {CliError} With exit code 2 if a flag needs another that is absent.
 */
export function trainRequest(dataFolder: string, flags: TrainFlags): TrainRequest {
  const pretrained = pretrainedOf(flags);
  const { seqLen, warmupRatio, weightDecay, maxGradNorm, dtype, checkpointActivations } = flags;
  const { learningRate = defaultRate(pretrained) } = flags;
  const { resumeFromCheckpoint: resume } = flags;
  const numRows =
    flags.perDeviceTrainBatchSize ?? Math.max(1, Math.floor(flags.batchTokens / seqLen));
  return {
    dataFolder,
    runFolder: flags.output,
    settings: {
      model: modelOf(flags),
      batch: {
        seqLen,
        numRows,
        accumulation: flags.gradientAccumulationSteps,
        titleWeight: flags.titleWeight,
        otherWeight: flags.otherWeight,
      },
      optimizer: {
        learningRate,
        warmupRatio,
        decay: flags.lrSchedulerType,
        finalShare: flags.minLrRate,
        weightDecay,
        beta1: flags.adamBeta1,
        beta2: flags.adamBeta2,
        eps: flags.adamEpsilon,
        maxGradNorm,
      },
      validation: { evalSteps: flags.evalSteps, patience: flags.patience },
      length: lengthOf(flags),
      seed: flags.seed,
      kernels: flags.kernels,
      ...(dtype === "f16" && { dtype }),
      ...(checkpointActivations === true && { checkpoint: true }),
    },
    ...(pretrained !== undefined && { pretrained }),
    ...(flags.maxMemory !== undefined && { maxMemoryGiB: flags.maxMemory }),
    device: deviceOf(flags),
    saveSteps: flags.saveSteps,
    saveTotalLimit: flags.saveTotalLimit,
    ...(resume !== undefined && { resumeFrom: resume === true ? "latest" : resume }),
    force: flags.force === true,
    overwrite: flags.overwrite === true,
    progress: new Progress(),
  };
}

function modelOf({ size, ...flags }: TrainFlags): TrainRequest["settings"]["model"] {
  const { numHeads, numKvHeads, headDim, dropout } = flags;
  const preset = SIZES[size];
  return sizes({
    dModel: flags.dModel ?? preset.dModel,
    dHidden: flags.dHidden ?? preset.dHidden,
    numBlocks: flags.numBlocks ?? preset.numBlocks,
    numHeads: numHeads ?? preset.numHeads,
    ...(numKvHeads !== undefined && { numKvHeads }),
    ...(headDim !== undefined && { headDim }),
    ...(dropout !== undefined && { dropout }),
  });
}

function lengthOf({ numTrainEpochs, maxSteps, maxMinutes }: TrainFlags): Length {
  if (maxMinutes !== undefined) return { unit: "minutes", count: maxMinutes };
  if (maxSteps !== undefined) return { unit: "steps", count: maxSteps };
  return { unit: "epochs", count: numTrainEpochs ?? DEFAULT_EPOCHS };
}

function defaultRate(pretrained: PretrainedRequest | undefined): number {
  if (pretrained === undefined) return LEARNING_RATES.new;
  return pretrained.lora === undefined ? LEARNING_RATES.whole : LEARNING_RATES.adapters;
}

function formatRates(): string {
  const { new: fresh, whole, adapters } = LEARNING_RATES;
  const [a, b, c] = [fresh, whole, adapters].map((rate) => rate.toExponential());
  return `${a}; with --model ${b}, with --lora-r ${c}`;
}
