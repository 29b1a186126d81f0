import type { Command } from "commander";
import { formatFigure } from "../../model/occupation/text_table.ts";
import { EXIT } from "../platform/errors.ts";
import { interruptibly } from "../run/interrupt.ts";
import { addTrainFlags, type TrainFlags, trainRequest } from "../run/train_flags.ts";

/** Adds `tenure train` to the program. */
export function trainCommand(program: Command): void {
  const command = program
    .command("train")
    .description(
      "Train a transformer on prepared careers, a new one or somebody's, or go on with a run.",
    )
    .argument("<folder>", "folder that tenure prepare wrote")
    .requiredOption("-o, --output <run>", "folder of the run");
  addTrainFlags(command);
  command.addHelpText("after", HELP).action(async (folder: string, flags: TrainFlags) => {
    const request = trainRequest(folder, flags);
    const { dryRun, train } = await import("../run/train.ts");
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

What a run takes in memory is told before it begins, and refused if the device has less.
With --model, the configuration, the weights and the tokenizer are those of a model that
exists; careers are worded as they were prepared. --lora-r trains low-rank adapters
alone: checkpoints hold them as PEFT does, and name the model they stand on. Its weights
may then take fewer bits: --base-dtype int8 or int4 (QLoRA).

Examples:
  $ tenure train runs/nlsy97 -o runs/small --max-minutes 30
  $ tenure train runs/nlsy97 -o runs/wide --size base --num-train-epochs 6
  $ tenure train runs/nlsy97 -o runs/small --dry-run
  $ tenure train runs/nlsy97 -o runs/smol --model HuggingFaceTB/SmolLM2-135M
  $ tenure train runs/nlsy97 -o runs/qlora --model ./Llama-3.2-1B --lora-r 16 \\
      --base-dtype int4 --checkpoint-activations`;
