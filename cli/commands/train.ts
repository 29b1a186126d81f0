import { type Command, Option } from "commander";
import { formatFigure } from "../../model/occupation/table.ts";
import { EXIT } from "../platform/errors.ts";
import { type Kernels, KERNELS } from "../run/device.ts";
import { realNumber, wholeNumber } from "../run/flags.ts";
import { interruptibly } from "../run/interrupt.ts";
import { Progress } from "../run/progress.ts";
import type { Length, OptimizerSettings } from "../run/settings.ts";
import { type SizeName, SIZES, sizes } from "../run/sizes.ts";
import { dryRun, train, type TrainRequest } from "../run/train.ts";

/** Flags of `tenure train`. */
interface TrainFlags {
  readonly output: string;
  readonly size: SizeName;
  readonly dModel?: number;
  readonly dHidden?: number;
  readonly numBlocks?: number;
  readonly numHeads?: number;
  readonly numKvHeads?: number;
  readonly headDim?: number;
  readonly dropout?: number;
  readonly numTrainEpochs?: number;
  readonly maxSteps?: number;
  readonly maxMinutes?: number;
  readonly seqLen: number;
  readonly batchTokens: number;
  readonly perDeviceTrainBatchSize?: number;
  readonly gradientAccumulationSteps: number;
  readonly titleWeight: number;
  readonly otherWeight: number;
  readonly learningRate: number;
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

/** Passes over the data unless told otherwise. */
const DEFAULT_EPOCHS = 4;

/** Adds `tenure train` to the program. */
export function trainCommand(program: Command): void {
  const command = program
    .command("train")
    .description("Train a transformer on prepared careers, or go on with a run.")
    .argument("<folder>", "folder that tenure prepare wrote")
    .requiredOption("-o, --output <run>", "folder of the run");
  addModelFlags(command);
  addLengthFlags(command);
  addBatchFlags(command);
  addOptimizerFlags(command);
  addRunFlags(command);
  command.addHelpText("after", HELP).action(async (folder: string, flags: TrainFlags) => {
    const request = requestOf(folder, flags);
    if (flags.dryRun === true) {
      process.stdout.write(await dryRun(request));
      return;
    }
    const outcome = await interruptibly((signal) => train({ ...request, signal }));
    const { reason, step, best } = outcome;
    const held =
      best === undefined
        ? ""
        : ` Best perplexity of held-out titles: ${formatFigure(Math.exp(best.loss))} at step ${best.step}.`;
    if (reason === "interrupted") {
      process.stderr.write(`Saved at step ${step}. Run the same command again to go on.\n`);
      process.exitCode = EXIT.retry;
      return;
    }
    process.stdout.write(
      `Trained ${step} steps (${reason}).${held} Next: tenure eval ${flags.output}\n`,
    );
  });
}

const HELP = `
Validation is the perplexity of held-out titles; the best checkpoint is kept and
is what eval and predict use. The same command in the same folder goes on from the
latest checkpoint, with the bits of a run that was never interrupted; SIGINT and
SIGTERM save after the step in progress and end with exit code 75.
With --max-minutes, a few steps are timed first, at learning rate 0, and the number
of steps that fits is fixed, since the learning rate follows it: an estimate, which a
machine that slows down will exceed. The number is kept when the run goes on.

Examples:
  $ tenure train runs/nlsy97 -o runs/small --max-minutes 30
  $ tenure train runs/nlsy97 -o runs/wide --size base --num-train-epochs 6
  $ tenure train runs/nlsy97 -o runs/small --dry-run`;

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
    .option("--dropout <share>", "share dropped (default: 0.05)", realNumber({ most: 0.99 }));
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
    .option("--learning-rate <x>", "highest learning rate", realNumber({ above: 0 }), 2e-3)
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

function requestOf(dataFolder: string, flags: TrainFlags): TrainRequest {
  const { seqLen, learningRate, warmupRatio, weightDecay, maxGradNorm } = flags;
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
    },
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
