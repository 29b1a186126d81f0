import { type Command, Option } from "commander";
import type { WeightDType } from "../../engine/pack.ts";
import type { Choice } from "../../engine/tuning/tunable.ts";
import { alignTable } from "../../model/occupation/text_table.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { BUILT_IN_SIZES } from "../run/built_in_sizes.ts";
import { type Kernels, KERNELS, type Phase, PHASES, WEIGHT_DTYPES } from "../run/choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import { realNumber, wholeNumber } from "../run/flags.ts";
import { Progress } from "../run/progress.ts";
import type { PlannedQuestion, TuneOutcome, TuneRequest } from "../run/tune.ts";
import { untilStopped } from "../run/until_stopped.ts";
import { MODEL_ARGUMENT } from "./model_flags.ts";

/** Flags of `tenure tune`. */
interface TuneFlags extends DeviceFlags {
  readonly size?: string;
  readonly rows: number;
  readonly length?: number;
  readonly dtype: WeightDType;
  readonly for: readonly Phase[];
  readonly only?: readonly string[];
  readonly again?: boolean;
  readonly rounds: number;
  readonly budget?: number;
  readonly kernels: Kernels;
  readonly dryRun?: boolean;
  readonly list?: boolean;
  readonly clear?: boolean;
  readonly json?: boolean;
}

/** Adds `tenure tune` to the program. */
export function tuneCommand(program: Command): void {
  const sizes = Object.keys(BUILT_IN_SIZES);
  const count = wholeNumber({ least: 1 });
  const command = program
    .command("tune")
    .description(
      "Measure which kernels are fastest on this device, and keep that for all commands.",
    )
    .argument("[model]", `${MODEL_ARGUMENT}; of its files only the configuration is read`)
    .addOption(new Option("--size <name>", "shapes of a model without its files").choices(sizes))
    .option("--rows <n>", "rows of a training batch", count, 8)
    .option("--length <n>", "tokens of a row (default: 512, or what the model takes)", count)
    .addOption(
      new Option("--dtype <type>", "how weights are held; f16: activations of training, too")
        .choices(WEIGHT_DTYPES)
        .default("f32"),
    )
    .addOption(
      new Option("--for <phases...>", "what to tune for").choices(PHASES).default([...PHASES]),
    )
    .option("--only <kernels...>", "tune these alone, such as matmul")
    .option("--again", "measure again what was measured before")
    .option("--rounds <n>", "measurements of the best few", count, 5)
    .option("--budget <seconds>", "begin nothing new after so long", realNumber({ above: 0 }));
  addDeviceFlags(command)
    .addOption(new Option("--kernels <kind>", "kernels").choices(KERNELS).default("auto"))
    .option("--dry-run", "say what would be measured")
    .option("--list", "say what was measured, on which devices")
    .option("--clear", "forget what was measured")
    .option("--json", "print JSON instead of a table")
    .addHelpText("after", HELP)
    .action(async (model: string | undefined, flags: TuneFlags) => {
      const { list, clear, tuning } = flags;
      if (list === true) process.stdout.write(await listed(flags));
      else if (clear === true) {
        const { clearTuning } = await import("../run/tune.ts");
        for (const path of await clearTuning(tuning)) process.stdout.write(`Deleted ${path}\n`);
      } else await run(model, flags);
    });
}

const HELP = `
Kernels come in several ways, of which the fastest depends on the device. Each is measured
on random numbers of the model's shapes; one that fails, or gives another result than the
default, is left out, and the default stays unless another is clearly faster. What is
found holds for shapes alike, rounded to powers of two, until driver or kernel change.

Choices are kept in the cache folder of this system, or with --tuning in a file; all
commands follow them, or with --tuning off none. A training run records its own, and
goes on with them: with the same choices, a device gives the same bits.

Use the device for nothing else meanwhile. Stopped early, it keeps what it has.

Examples:
  $ tenure tune --size small
  $ tenure tune HuggingFaceTB/SmolLM2-135M --for train --rows 4 --length 1024
  $ tenure tune --size llama-3.2-1b --dtype int4 --for prefill decode --budget 120
  $ tenure tune --size gpt2-124m --only matmul --dry-run
  $ tenure tune --list`;

async function run(model: string | undefined, flags: TuneFlags): Promise<void> {
  const request = requestOf(model, flags);
  const { planTuning, tuneKernels } = await import("../run/tune.ts");
  if (flags.dryRun === true) {
    const planned = await planTuning(request);
    process.stdout.write(flags.json === true ? `${json(planned.map(plain))}\n` : plan(planned));
    return;
  }
  await untilStopped(async (signal) => {
    const outcome = await tuneKernels({ ...request, signal });
    process.stdout.write(flags.json === true ? `${json(report(outcome))}\n` : table(outcome));
  });
}

function requestOf(path: string | undefined, flags: TuneFlags): TuneRequest {
  const { size, rows, length, dtype, for: phases, only, again, rounds, budget, kernels } = flags;
  if (path !== undefined && size !== undefined) {
    throw new CliError(EXIT.usage, "Cannot tune: there must be either a model or --size, got both");
  }
  return {
    model: path === undefined ? { size: size ?? "small" } : { path },
    numRows: rows,
    ...(length !== undefined && { seqLen: length }),
    dtype,
    phases,
    ...(only !== undefined && { only }),
    again: again === true,
    rounds,
    ...(budget !== undefined && { budgetMs: 1000 * budget }),
    kernels,
    device: deviceOf(flags),
    progress: new Progress(),
  };
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function plain({ key, count, numCandidates, question }: PlannedQuestion) {
  return { kernel: question.tunable.name, key, uses: count, candidates: numCandidates };
}

function plan(planned: readonly PlannedQuestion[]): string {
  if (planned.length === 0) return "Nothing is left to measure; --again measures it again.\n";
  const rows = planned.map(({ key, count, numCandidates, question: { tunable } }) => [
    tunable.name,
    shapeOf(key),
    String(count),
    String(numCandidates),
  ]);
  return `${alignTable([["Kernel", "Shape", "Uses", "Candidates"], ...rows])}\n`;
}

/** The key without the kernel's name. */
function shapeOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}

function report({ device, results, skipped, known, isStopped }: TuneOutcome) {
  return {
    device,
    results: results.map(({ question, ...rest }) => ({ ...rest, problem: question.problem })),
    skipped: Object.fromEntries(skipped),
    known,
    isStopped,
  };
}

function table({ results, skipped, known, isStopped }: TuneOutcome): string {
  const lines: string[] = [];
  if (results.length > 0) {
    const rows = results.map(({ key, question, defaultMs, ms, choice, isDefault }) => [
      question.tunable.name,
      shapeOf(key),
      defaultMs === undefined ? "fails" : milliseconds(defaultMs),
      milliseconds(ms),
      defaultMs === undefined ? "" : `${(defaultMs / ms).toFixed(2)}×`,
      isDefault ? "default" : choiceText(choice),
    ]);
    lines.push(
      alignTable([["Kernel", "Shape", "Default ms", "Best ms", "Gain", "Choice"], ...rows]),
    );
  }
  const left = results.flatMap(({ key, candidates }) =>
    candidates.flatMap(({ choice, rejected }) =>
      rejected === undefined ? [] : [`  ${key}, ${choiceText(choice)}: ${rejected}`],
    ),
  );
  if (left.length > 0) lines.push("Left out:", ...left);
  for (const [key, reason] of skipped) lines.push(`Not measured: ${key}: ${reason}`);
  if (known.length > 0)
    lines.push(`Measured earlier: ${known.length}; --again measures them again.`);
  if (isStopped) lines.push("Stopped; what was measured is kept.");
  return `${lines.join("\n")}\n`;
}

function milliseconds(ms: number): string {
  return ms.toPrecision(3);
}

function choiceText(choice: Choice): string {
  return Object.entries(choice)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ");
}

async function listed({ tuning, json: asJson }: TuneFlags): Promise<string> {
  const { listTuning } = await import("../run/tune.ts");
  const { files, damaged } = await listTuning(tuning);
  for (const line of damaged) process.stderr.write(`${line}\n`);
  if (asJson === true) return `${json(files.map(({ path, tuning: one }) => ({ path, ...one })))}\n`;
  if (files.length === 0) return "Nothing was measured yet: tenure tune\n";
  return files
    .map(({ path, tuning: { device, choices } }) => {
      const toggles = device.toggles.length > 0 ? `, with ${device.toggles.join(", ")}` : "";
      const rows = Object.entries(choices).map(([key, { choice, defaultMs, ms, date }]) => [
        key,
        defaultMs === null ? "" : `${(defaultMs / ms).toFixed(2)}×`,
        date.slice(0, 10),
        choiceText(choice),
      ]);
      const title = `${device.driver || device.device} (${device.variant}${toggles}): ${path}`;
      return `${title}\n${alignTable([["Kernel and shape", "Gain", "Date", "Choice"], ...rows])}\n`;
    })
    .join("\n");
}
