import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import {
  type InstallPlan,
  parseOsRelease,
  planLavapipe,
  type SourceFile,
} from "../platform/debian.ts";
import { CliError, EXIT, type ExitCode, failingAs } from "../platform/errors.ts";

/** Adds `tenure setup-adapter` to the program. */
export function setupAdapter(program: Command): void {
  program
    .command("setup-adapter")
    .description("Install Mesa's lavapipe, the faster software adapter, on Debian or Ubuntu.")
    .option("--yes", "do it without asking")
    .addHelpText(
      "after",
      `
Prints every step before the first one, and does nothing on a machine that has
lavapipe or a GPU. Needs root or sudo; on Debian 12 it adds the source of
backports, copied from the machine's own source.

Examples:
  $ tenure setup-adapter
  $ tenure setup-adapter --yes      in a script`,
    )
    .action(async ({ yes }: { yes?: boolean }) => {
      process.exitCode = await setUp(yes === true);
    });
}

/** Installs lavapipe unless the machine already has it, or something better. */
async function setUp(isAgreed: boolean): Promise<ExitCode> {
  const { openAdapter } = await import("../platform/dawn.ts");
  const current = await openAdapter({ env: { ...process.env, TENURE_ADAPTER: "" } }).catch(
    () => undefined,
  );
  if (current?.kind === "gpu" || current?.kind === "lavapipe") {
    print(`${current.line}\nNothing to install.`);
    return EXIT.ok;
  }
  const plan = await failingAs(EXIT.device, () =>
    planLavapipe(parseOsRelease(read("/etc/os-release")), readSources()),
  );
  const asRoot = rootCommand();
  print(describe(plan, asRoot));
  if (!isAgreed && !(await ask())) return EXIT.failure;
  carryOut(plan, asRoot);
  return verify();
}

/** Files of apt's configuration, in the order apt reads them. */
function readSources(): SourceFile[] {
  const folder = "/etc/apt/sources.list.d";
  const names = existsSync(folder) ? readdirSync(folder).toSorted() : [];
  const paths = names
    .filter((name) => /\.(list|sources)$/.test(name))
    .map((name) => join(folder, name));
  return ["/etc/apt/sources.list", ...paths]
    .filter((path) => existsSync(path))
    .map((path) => ({ path, text: read(path) }));
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** What makes a command run as root: nothing for root itself, otherwise sudo. */
function rootCommand(): readonly string[] {
  if (process.getuid?.() === 0) return [];
  if (isOnPath("sudo")) return ["sudo"];
  throw new CliError(
    EXIT.device,
    "Cannot install lavapipe: installing packages must run as root or through sudo, got neither; SwiftShader works without it (npm install --include=optional)",
  );
}

function isOnPath(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function describe({ addSource, commands }: InstallPlan, asRoot: readonly string[]): string {
  const steps = commands.map((command) => `  run    ${[...asRoot, ...command].join(" ")}`);
  if (addSource !== undefined) {
    const lines = addSource.text.trimEnd().split("\n");
    steps.unshift(`  write  ${addSource.path}`, ...lines.map((line) => `           ${line}`));
  }
  return ["Installing Mesa's lavapipe will:", ...steps].join("\n");
}

async function ask(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CliError(
      EXIT.usage,
      "Cannot ask for consent: stdin must be a terminal, got none; agree with: npx tenure setup-adapter --yes",
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Go on? [y/N] ");
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function carryOut({ addSource, commands }: InstallPlan, asRoot: readonly string[]): void {
  if (addSource !== undefined) {
    execute([...asRoot, "tee", addSource.path], addSource.text);
  }
  for (const command of commands) {
    execute([...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", ...command]);
  }
}

/** Runs one command, showing its output unless it gets input. */
function execute(command: readonly string[], input?: string): void {
  const [file = "", ...args] = command;
  const { status, error } = spawnSync(file, args, {
    ...(input !== undefined && { input }),
    stdio: input === undefined ? "inherit" : ["pipe", "ignore", "inherit"],
  });
  if (status !== 0) {
    throw new CliError(
      EXIT.device,
      `Cannot install lavapipe: "${command.join(" ")}" must succeed, got ${error?.message ?? `exit code ${status}`}`,
    );
  }
}

/** Opens the new driver in a process that has not loaded the old one. */
function verify(): ExitCode {
  const [, script = ""] = process.argv;
  const { status } = spawnSync(process.execPath, [script, "doctor", "--json"], {
    env: { ...process.env, TENURE_ADAPTER: "lavapipe" },
    stdio: "ignore",
  });
  if (status !== 0) {
    throw new CliError(
      EXIT.device,
      "Cannot use the installed lavapipe: Dawn must open it, got no adapter; for details run: npx tenure doctor",
    );
  }
  print("Lavapipe is installed and works.");
  return EXIT.ok;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
