import type { Command } from "commander";
import { EXIT } from "../platform/errors.ts";

/** Adds `tenure doctor` to the program. */
export function doctor(program: Command): void {
  program
    .command("doctor")
    .description("Report which adapter runs, what it can do, and what would be faster.")
    .option("--fast", "open the adapter as --fast does")
    .option("--json", "print one JSON object instead of text")
    .addHelpText(
      "after",
      `
Ends with exit code 4 when no adapter works.

Examples:
  $ tenure doctor
  $ tenure doctor --json | jq .adapter.kind
  $ TENURE_ADAPTER=swiftshader tenure doctor`,
    )
    .action(async ({ json, fast = false }: { json?: boolean; fast?: boolean }) => {
      const { diagnose, formatDiagnosis } = await import("../run/doctor.ts");
      const diagnosis = await diagnose(fast);
      process.stdout.write(
        json ? `${JSON.stringify(diagnosis, null, 2)}\n` : formatDiagnosis(diagnosis),
      );
      if (!diagnosis.ok) process.exitCode = EXIT.device;
    });
}
