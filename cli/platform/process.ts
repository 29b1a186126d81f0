import { EXIT, type ExitCode, explain } from "./errors.ts";

/**
 * Runs a program and ends the process with its exit code: an error becomes one
 * line on stderr, with its stack only when `TENURE_DEBUG=1`.
 */
export async function runToExit(work: () => Promise<ExitCode>): Promise<never> {
  // A reader that closes early, such as `head`, is no error of ours.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failure);
  });
  // Thrown where nobody awaits it, such as in an event listener.
  process.on("uncaughtException", (error) => process.exit(report(error)));
  let exitCode: ExitCode;
  try {
    exitCode = await work();
  } catch (error) {
    exitCode = report(error);
  }
  await new Promise((resolve) => process.stdout.write("", resolve));
  // Dawn may keep the event loop alive after the last command is done.
  process.exit(exitCode);
}

function report(error: unknown): ExitCode {
  const { line, exitCode } = explain(error);
  process.stderr.write(`tenure: ${line}\n`);
  if (process.env["TENURE_DEBUG"] === "1" && error instanceof Error) {
    process.stderr.write(`${error.stack}\n`);
    if (error.cause instanceof Error) process.stderr.write(`Cause: ${error.cause.stack}\n`);
  }
  return exitCode;
}
