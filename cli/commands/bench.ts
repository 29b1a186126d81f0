import { type Command, Option } from "commander";
import { type Kernels, KERNELS } from "../run/choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { Progress } from "../run/progress.ts";

/** Flags of `tenure bench roofline`. */
interface RooflineFlags extends DeviceFlags {
  readonly json?: boolean;
  readonly kernels: Kernels;
}

/** Adds `tenure bench` to the program. */
export function benchCommand(program: Command): void {
  const bench = program
    .command("bench")
    .description("Measure what this device can do.")
    .helpCommand(false);
  const roofline = bench
    .command("roofline")
    .description("Measure the ceilings of the adapter: memory, multiply-adds, matrices.")
    .option("--json", "print every launch as one JSON object")
    .addOption(new Option("--kernels <kind>", "kernels").choices(KERNELS).default("auto"));
  addDeviceFlags(roofline)
    .addHelpText("after", HELP)
    .action(async ({ json, kernels, ...flags }: RooflineFlags) => {
      const { benchRoofline } = await import("../run/profile.ts");
      const { formatRoofline } = await import("../run/profile_report.ts");
      const progress = new Progress();
      const { adapter, roofline: measured } = await benchRoofline({
        kernels,
        device: deviceOf(flags),
        progress,
      });
      process.stdout.write(
        json === true
          ? `${JSON.stringify({ adapter, ...measured })}\n`
          : `${formatRoofline(adapter, measured)}\n`,
      );
    });
}

const HELP = `
Each ceiling is the best of several launches of kernels that do nothing else: a copy of
buffers beyond every cache, chains of multiply-adds in registers, chains of matrices that a
subgroup holds. No kernel of a model can be faster on this device; tenure profile compares
each with them. Nothing else should run meanwhile.

Examples:
  $ tenure bench roofline
  $ tenure bench roofline --json > roofline.json`;
