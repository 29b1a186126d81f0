import { type Command, Option } from "commander";
import { perplexityTable } from "../../model/occupation/table.ts";
import { type EvalResult, evaluateRun } from "../run/evaluate.ts";
import { realNumber, wholeNumber } from "../run/flags.ts";
import { formatDuration, Progress } from "../run/progress.ts";

/** Flags of `tenure eval`. */
interface EvalFlags {
  readonly data?: string;
  readonly split: "test" | "valid";
  readonly limit: number;
  readonly tolerance: number;
  readonly json?: boolean;
}

/** Adds `tenure eval` to the program. */
export function evalCommand(program: Command): void {
  program
    .command("eval")
    .description("Measure the perplexity of a trained model beside empirical baselines.")
    .argument("<model>", "folder of a run (its best checkpoint) or of a checkpoint")
    .option("--data <folder>", "prepared folder (default: the one it learned from)")
    .addOption(
      new Option("--split <part>", "people to judge by").choices(["test", "valid"]).default("test"),
    )
    .option("--limit <n>", "judge by the first people only; 0 for all", wholeNumber(), 0)
    .option(
      "--tolerance <p>",
      "probability that may stay unexplored at an observation; 0 explores every title",
      realNumber({ most: 1 }),
      1e-3,
    )
    .option("--json", "print one JSON object instead of a table")
    .addHelpText(
      "after",
      `
The baselines learn from the training people of the same folder. Writes eval.json
(or eval-valid.json) into the folder of the run.

Examples:
  $ tenure eval runs/small
  $ tenure eval runs/small/checkpoint-200 --split valid --limit 100
  $ tenure eval runs/small --json | jq '.models[0].perplexity'`,
    )
    .action(async (model: string, flags: EvalFlags) => {
      const { data, split, limit, tolerance, json } = flags;
      const result = await evaluateRun({
        model,
        ...(data !== undefined && { dataFolder: data }),
        split,
        limit,
        tolerance,
        progress: new Progress(),
      });
      const text = json === true ? JSON.stringify(result.report, null, 2) : formatResult(result);
      process.stdout.write(`${text}\n`);
    });
}

/** The table and what to know about it. */
export function formatResult({ report, evaluations }: EvalResult): string {
  const { checkpoint, numPeople, split, tolerance, unexplored, differences, seconds } = report;
  const lines = differences.map(
    ({ to, difference, standardError }) =>
      `Language model minus ${to}: ${signed(difference)} (s.e. ${standardError.toFixed(3)})`,
  );
  const pruning =
    tolerance === 0
      ? "every title explored"
      : `at most ${unexplored.largest.toExponential(1)} of probability unexplored at an observation, ${unexplored.mean.toExponential(1)} on average`;
  return [
    perplexityTable(evaluations),
    "",
    ...lines,
    `${checkpoint}: ${numPeople} ${split} people in ${formatDuration(1000 * seconds)}; ${pruning}.`,
  ].join("\n");
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}
