import type { Command } from "commander";
import type { DeviceChoice } from "./device.ts";

/** Flags of every command that computes. */
export interface DeviceFlags {
  readonly fast?: boolean;
  readonly tuning?: string;
}

/** Adds the flags that say how the device is opened. */
export function addDeviceFlags(command: Command): Command {
  return command
    .option("--fast", "switch off Dawn's checks of kernels and calls: see docs/tuning.md")
    .option(
      "--tuning <which>",
      'choices of kernels: "auto" (what tenure tune found here), "off", or a file (default: auto)',
    );
}

/** How the flags want the device opened. */
export function deviceOf({ fast, tuning }: DeviceFlags): DeviceChoice {
  return { ...(fast === true && { fast }), ...(tuning !== undefined && { tuning }) };
}
