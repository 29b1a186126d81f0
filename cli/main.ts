import { Command, CommanderError } from "commander";
import { benchCommand } from "./commands/bench.ts";
import { demoCommand } from "./commands/demo.ts";
import { describeCommand } from "./commands/describe.ts";
import { doctor } from "./commands/doctor.ts";
import { embedCommand } from "./commands/embed.ts";
import { evalCommand } from "./commands/eval.ts";
import { exportCommand } from "./commands/export.ts";
import { generateCommand } from "./commands/generate.ts";
import { importCommand } from "./commands/import.ts";
import { predictCommand } from "./commands/predict.ts";
import { prepareCommand } from "./commands/prepare.ts";
import { profileCommand } from "./commands/profile.ts";
import { studyCommand } from "./commands/study.ts";
import { pullCommand } from "./commands/pull.ts";
import { scoreCommand } from "./commands/score.ts";
import { setupAdapter } from "./commands/setup_adapter.ts";
import { trainCommand } from "./commands/train.ts";
import { tuneCommand } from "./commands/tune.ts";
import { webCommand } from "./commands/web.ts";
import { CliError, EXIT, type ExitCode } from "./platform/errors.ts";
import { runToExit } from "./platform/process.ts";
import { packageVersion } from "./platform/version.ts";

/** Every command adds itself to the program; the order is that of `--help`. */
const COMMANDS: readonly ((program: Command) => void)[] = [
  demoCommand,
  describeCommand,
  importCommand,
  prepareCommand,
  trainCommand,
  evalCommand,
  predictCommand,
  webCommand,
  studyCommand,
  pullCommand,
  generateCommand,
  scoreCommand,
  exportCommand,
  embedCommand,
  profileCommand,
  benchCommand,
  tuneCommand,
  doctor,
  setupAdapter,
];

const EXAMPLES = `
Examples:
  $ tenure doctor                                       which adapter runs, and what would be faster
  $ tenure demo                                         everything once, on synthetic careers
  $ tenure import nlsy97.zip --mapping nlsy97 -o c.parquet   a survey's own files
  $ tenure describe careers.parquet                     people, years, transitions, occupations
  $ tenure prepare careers.tsv.gz -o runs/data          split people, train a tokenizer
  $ tenure train runs/data -o runs/model                train, or go on after an interruption
  $ tenure eval runs/model                              perplexity beside empirical baselines
  $ tenure predict runs/model --career person.jsonl     the most probable next occupations
  $ tenure web --model runs/small --open                the same in a browser, on its own GPU
  $ tenure generate org/name "Once upon a time"         go on with a text
  $ tenure score org/name --input questions.jsonl       log-probabilities of continuations
  $ tenure embed org/name --input a.txt -o a.parquet      texts as vectors
  $ tenure help train                                   everything about one command

Environment:
  TENURE_ADAPTER=gpu|lavapipe|swiftshader   use this kind of adapter or fail
  VK_DRIVER_FILES=<manifest>                use these Vulkan drivers
  TENURE_TUNING=auto|off|<file>             as --tuning, where that is not given
  TENURE_DEBUG=1                            show the stack of an error

Exit codes:
  0 done · 1 failure · 2 usage · 3 data · 4 device · 5 checkpoint · 75 run again to go on · 130 interrupted · 143 terminated`;

/**
 * Runs one command line and ends the process with its exit code.
 *
 * @param args Arguments without the runtime and the script.
 */
export async function main(args: readonly string[]): Promise<never> {
  return runToExit(() => run(args));
}

async function run(args: readonly string[]): Promise<ExitCode> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
    return (process.exitCode as ExitCode | undefined) ?? EXIT.ok;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok; // --help, --version
    if (error.code === "commander.help") return EXIT.usage; // no command at all
    throw usageError(error);
  }
}

function usageError(error: CommanderError): CliError {
  const message = error.message.replace(/^error: /, "");
  return new CliError(EXIT.usage, `${message}; see tenure --help`, { cause: error });
}

function createProgram(): Command {
  const program = new Command("tenure")
    .description("Predicts people's next occupations with language models, on any GPU.")
    .version(packageVersion())
    .showSuggestionAfterError()
    .configureOutput({ outputError: () => {} }) // report() says it, on one line
    .exitOverride()
    .addHelpText("after", EXAMPLES);
  for (const add of COMMANDS) add(program);
  return program;
}
