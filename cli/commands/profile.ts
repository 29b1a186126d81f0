import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import type { WeightDType } from "../../engine/pack.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { BUILT_IN_SIZES } from "../run/built_in_sizes.ts";
import { type Kernels, KERNELS, type Phase, PHASES, WEIGHT_DTYPES } from "../run/choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { wholeNumber } from "../run/flags.ts";
import type { ProfileRequest } from "../run/profile.ts";
import { Progress } from "../run/progress.ts";
import { MODEL_ARGUMENT } from "./model_flags.ts";

/** Flags of `tenure profile`. */
interface ProfileFlags extends DeviceFlags {
  readonly size?: string;
  readonly what: Phase;
  readonly rows: number;
  readonly length?: number;
  readonly dtype: WeightDType;
  readonly checkpoint?: boolean;
  readonly runs: number;
  readonly roofline: boolean;
  readonly trace?: string;
  readonly json?: boolean;
  readonly revision?: string;
  readonly kernels: Kernels;
}

/** Adds `tenure profile` to the program. */
export function profileCommand(program: Command): void {
  const choice = (flags: string, text: string, choices: readonly string[]) =>
    new Option(flags, text).choices(choices);
  const count = wholeNumber({ least: 1 });
  const command = program
    .command("profile")
    .description("Show where the time of a training step, a prompt or a token goes.")
    .argument("[model]", `${MODEL_ARGUMENT}; none for random weights of --size`)
    .addOption(choice("--size <name>", "sizes without a model", Object.keys(BUILT_IN_SIZES)))
    .addOption(choice("--what <work>", "what is run", PHASES).default("train"))
    .option("--rows <n>", "rows of a batch, or texts side by side", count, 1)
    .option(
      "--length <n>",
      "tokens of a row; when decoding, those before it (default: 256, or what the model takes)",
      count,
    )
    .addOption(
      choice(
        "--dtype <type>",
        "how weights are held; when training, activations (f32, f16)",
        WEIGHT_DTYPES,
      ).default("f32"),
    )
    .option("--checkpoint", "when training, keep no activations of a block for backward")
    .option("--runs <n>", "times that each dispatch is measured", count, 5)
    .option("--no-roofline", "do not measure the adapter's ceilings first")
    .option("--trace <file>", "write a timeline that ui.perfetto.dev opens")
    .option("--json", "print all figures as one JSON object")
    .option("--revision <name>", "branch, tag or commit of an org/name (default: main)")
    .addOption(choice("--kernels <kind>", "kernels", KERNELS).default("auto"));
  addDeviceFlags(command).addHelpText("after", HELP).action(run);
}

const HELP = `
Reading the table: "ms" is the time of all dispatches of a kernel in one step, each measured
in a pass of its own; "GFLOP/s" and "GB/s" count the least operations and bytes that its
formula asks for; "of limit" compares with what this adapter could do at best, by the
ceilings that tenure bench roofline prints: a kernel at 80 % can gain little, one at 5 % a
lot. The largest bar with the smallest share is where to begin.

Nothing is trained: weights are given back after every run. docs/profiling.md says more.

Examples:
  $ tenure profile --size gpt2-124m --rows 4 --length 1024     a training step
  $ tenure profile org/name --what decode --length 512         a token behind 512 others
  $ tenure profile model.gguf --what prefill --dtype int8
  $ tenure profile runs/model --trace run.json                 then open it in ui.perfetto.dev`;

async function run(path: string | undefined, flags: ProfileFlags): Promise<void> {
  const progress = new Progress();
  if (flags.trace !== undefined) await checkFolderOf(flags.trace);
  const request = requestOf(path, flags);
  const { profileModel } = await import("../run/profile.ts");
  const { formatProfile } = await import("../run/profile_report.ts");
  const profiled = await profileModel({ ...request, progress });
  const { profile, ...subject } = profiled;
  if (flags.trace !== undefined) {
    const { chromeTrace } = await import("../../engine/profile/chrome_trace.ts");
    const { writeAtomically } = await import("../platform/files.ts");
    await writeAtomically(flags.trace, JSON.stringify(chromeTrace(profile)));
    progress.line(`Wrote ${flags.trace}: open it in https://ui.perfetto.dev`);
  }
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ ...subject, ...profile })}\n`
      : `${formatProfile(profiled)}\n`,
  );
}

/** Refuses a trace that could not be written, before minutes are spent on it. */
async function checkFolderOf(trace: string): Promise<void> {
  const folder = dirname(resolve(trace));
  if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return;
  throw new CliError(
    EXIT.usage,
    `Cannot write "${trace}": the folder must exist, got no folder "${folder}"`,
  );
}

function requestOf(
  path: string | undefined,
  { size, what, rows, length, dtype, checkpoint, runs, roofline, ...flags }: ProfileFlags,
): Omit<ProfileRequest, "progress"> {
  const { revision, kernels } = flags;
  if ((path === undefined) === (size === undefined)) {
    throw new CliError(
      EXIT.usage,
      `Cannot profile: there must be either a model or --size, got ${path === undefined ? "neither" : "both"}`,
    );
  }
  const model =
    path === undefined ? { size: size! } : { path, ...(revision !== undefined && { revision }) };
  return {
    model,
    what,
    numRows: rows,
    ...(length !== undefined && { length }),
    dtype,
    checkpoint: checkpoint === true,
    runs,
    roofline,
    kernels,
    device: deviceOf(flags),
  };
}
