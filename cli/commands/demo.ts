import type { Command } from "commander";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { wholeNumber } from "../run/flags.ts";
import { interruptibly } from "../run/interrupt.ts";
import { formatDuration, Progress } from "../run/progress.ts";

/** Flags of `tenure demo`. */
interface DemoFlags extends DeviceFlags {
  readonly output: string;
  readonly seed: number;
}

/** Adds `tenure demo` to the program. */
export function demoCommand(program: Command): void {
  const command = program
    .command("demo")
    .description("Do everything once on synthetic careers: prepare, train, evaluate.")
    .option("-o, --output <folder>", "where to leave data and run", "runs/demo")
    .option("--seed <n>", "seed of people, weights and order", wholeNumber(), 1);
  addDeviceFlags(command)
    .addHelpText(
      "after",
      `
Needs no download, and ends within minutes on two cores without a GPU: people and
model are fewer and smaller on a slower adapter. An earlier demo in the folder is
replaced.

Examples:
  $ tenure demo
  $ TENURE_ADAPTER=swiftshader tenure demo -o runs/slow`,
    )
    .action(async ({ output, seed, ...device }: DemoFlags) => {
      const begin = performance.now();
      const { demo } = await import("../run/demo.ts");
      const { formatEvaluation } = await import("../run/eval_text.ts");
      const progress = new Progress();
      const result = await interruptibly((signal) =>
        demo({ folder: output, seed, progress, device: deviceOf(device), signal }),
      );
      process.stdout.write(
        `${formatEvaluation(result.evaluation)}\nAll of it took ${formatDuration(performance.now() - begin)}.\n\n${nextSteps(output, result.exampleId)}`,
      );
    });
}

function nextSteps(folder: string, id: string): string {
  return `Next:
  npx tenure predict ${folder}/run --career ${folder}/data/test.jsonl --id ${id} --show-text
  npx tenure prepare <careers.tsv.gz> -o runs/real     with a table of real careers
  npx tenure train runs/real -o runs/model --max-minutes 30
  npx tenure eval runs/model
`;
}
