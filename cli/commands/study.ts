import { basename, join } from "node:path";
import type { Command } from "commander";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { interruptibly } from "../run/interrupt.ts";
import { Progress } from "../run/progress.ts";
import { CliError, EXIT } from "../platform/errors.ts";

/** Flags of `tenure study`. */
interface StudyFlags extends DeviceFlags {
  readonly output?: string;
  readonly only?: readonly string[];
  readonly dryRun?: boolean;
  readonly reportOnly?: boolean;
}

/** Adds `tenure study` to the program. */
export function studyCommand(program: Command): void {
  const command = program
    .command("study")
    .description("Fit many models on many people, and write a report with standard errors.")
    .argument("<file>", "the study, as YAML: populations, models, ablations, claims")
    .option("-o, --output <folder>", "where cache and report go (default: runs/<name of the file>)")
    .option("--only <models...>", "run these models alone; the report covers all that is finished")
    .option("--dry-run", "say what is finished and what is left, and run nothing")
    .option("--report-only", "write the report of what is finished, and run nothing");
  addDeviceFlags(command)
    .addHelpText(
      "after",
      `
Runs what is missing and never does a step twice: each is kept under a name made of all
that decides it. Stop it at any time and run it again; it goes on where it was. A model
that fails is told at the end, and the others go on.

The report is <output>/report/index.html, one file that needs no network, with the same
tables as CSV, Markdown and LaTeX beside it, and a card for each model. Predictions of
every observation are kept as Parquet in <output>/cache/answers.

Examples:
  $ tenure study studies/smoke.yaml                 synthetic people, a few minutes
  $ tenure study studies/nlsy.yaml --dry-run        what there is to do
  $ tenure study studies/nlsy.yaml --only empirical logit
  $ tenure study studies/nlsy.yaml -o runs/nlsy`,
    )
    .action(async (file: string, flags: StudyFlags) => {
      const { output = join("runs", basename(file).replace(/\.ya?ml$/i, "")) } = flags;
      const { openStudy, runStudy } = await import("../study/run.ts");
      const progress = new Progress();
      if (flags.dryRun === true) {
        const { describePlan } = await import("../study/describe_plan.ts");
        const opened = await openStudy(file, progress);
        process.stdout.write(`${await describePlan(opened, output)}\n`);
        return;
      }
      const { report, numSteps, numKept, failures } = await interruptibly((signal) =>
        runStudy({
          file,
          output,
          ...(flags.only !== undefined && { only: flags.only }),
          reportOnly: flags.reportOnly === true,
          progress,
          device: deviceOf(flags),
          signal,
        }),
      );
      process.stdout.write(
        `${numSteps} steps, ${numKept} of them done before.\nReport: ${report}\n`,
      );
      if (failures.length === 0) return;
      throw new CliError(
        EXIT.failure,
        `Cannot finish the study: every step must succeed, got ${failures.length} that failed: ${failures.join("; ")}`,
      );
    });
}
