import { type Command, Option } from "commander";
import { DEFAULT_TOLERANCE } from "../run/choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { realNumber, wholeNumber } from "../run/flags.ts";
import { Progress } from "../run/progress.ts";

/** Flags of `tenure eval`. */
interface EvalFlags extends DeviceFlags {
  readonly model?: string;
  readonly data?: string;
  readonly otherData?: boolean;
  readonly split: "test" | "valid";
  readonly limit: number;
  readonly tolerance: number;
  readonly json?: boolean;
}

/** Adds `tenure eval` to the program. */
export function evalCommand(program: Command): void {
  const command = program
    .command("eval")
    .description("Measure the perplexity of a trained model beside empirical baselines.")
    .argument("<model>", "folder of a run (its best checkpoint) or of a checkpoint")
    .option("--model <path>", "the model beneath adapters, if it has moved since training")
    .option("--data <folder>", "prepared folder (default: the one it learned from)")
    .option("--other-data", "allow data that the run did not learn from")
    .addOption(
      new Option("--split <part>", "people to judge by").choices(["test", "valid"]).default("test"),
    )
    .option("--limit <n>", "judge by the first people only; 0 for all", wholeNumber(), 0)
    .option(
      "--tolerance <p>",
      "probability that may stay unexplored at an observation; 0 explores every title",
      realNumber({ most: 1 }),
      DEFAULT_TOLERANCE,
    )
    .option("--json", "print one JSON object instead of a table");
  addDeviceFlags(command)
    .addHelpText(
      "after",
      `
The baselines learn from the training people of the same folder. Writes eval.json into
the folder of the run; with a checkpoint, --split valid, --limit, --tolerance or other
data, a name that says so, as eval-valid-limit100.json.

--data must have the training people that the run learned from. --other-data allows
others, and refuses people whose ids the run has seen, as far as its own are there.

Examples:
  $ tenure eval runs/small
  $ tenure eval runs/small/checkpoint-200 --split valid --limit 100
  $ tenure eval runs/small --json | jq '.models[0].perplexity'`,
    )
    .action(async (model: string, flags: EvalFlags) => {
      const { model: baseModel, data, otherData, split, limit, tolerance, json } = flags;
      const { formatEvaluation } = await import("../run/eval_text.ts");
      const { evaluateRun } = await import("../run/evaluate.ts");
      const result = await evaluateRun({
        model,
        ...(baseModel !== undefined && { baseModel }),
        ...(data !== undefined && { dataFolder: data }),
        otherData: otherData === true,
        split,
        limit,
        tolerance,
        device: deviceOf(flags),
        progress: new Progress(),
      });
      const text =
        json === true ? JSON.stringify(result.report, null, 2) : formatEvaluation(result);
      process.stdout.write(`${text}\n`);
    });
}
