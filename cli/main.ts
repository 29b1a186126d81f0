import { Command, CommanderError } from "commander";
import { doctor } from "./commands/doctor.ts";
import { setupAdapter } from "./commands/setup_adapter.ts";
import { CliError, EXIT, type ExitCode } from "./platform/errors.ts";
import { runToExit } from "./platform/process.ts";
import { packageVersion } from "./platform/version.ts";

/** Every command adds itself to the program; the order is that of `--help`. */
const COMMANDS: readonly ((program: Command) => void)[] = [doctor, setupAdapter];

const EXAMPLES = `
Examples:
  $ tenure doctor               which adapter runs, and what would be faster
  $ tenure doctor --json        the same for scripts
  $ tenure help doctor          everything about one command

Environment:
  TENURE_ADAPTER=gpu|lavapipe|swiftshader   use this kind of adapter or fail
  VK_DRIVER_FILES=<manifest>                use these Vulkan drivers
  TENURE_DEBUG=1                            show the stack of an error

Exit codes:
  0 done · 1 failure · 2 usage · 3 data · 4 device · 5 checkpoint · 75 run again to go on`;

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
