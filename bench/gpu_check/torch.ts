import { spawn } from "node:child_process";
import { once } from "node:events";
import { besideLine, besideTorch, type TorchReport } from "./beside_torch.ts";
import type { CheckContext, Finding } from "./section.ts";

/** The same model and the same products in PyTorch, as far as this machine has it for its GPU. */
const SCRIPT = "bench/peers/torch_gpt2.py";

/**
 * PyTorch's figures on the same machine, in the same call, and ours over them; a machine without it
 * is no failure.
 */
export async function measureTorch(context: CheckContext, deadline: number): Promise<Finding> {
  const { scale } = context;
  if (scale === "small") return skip("a software adapter is not compared with a GPU library");
  const timeoutMs = Math.max(1000, deadline - performance.now());
  const { report, reason } = await lastReport("python3", [SCRIPT], timeoutMs);
  if (report === undefined) return skip(reason);
  const beside = besideTorch(report, context);
  const body = { ...report, beside, ...(reason !== "" && { ended: reason }) };
  const missing = reason === "" ? [] : [`PyTorch did not get to the end: ${reason}`];
  return { body, lines: [...beside.map(besideLine), ...missing] };
}

/**
 * Runs a program that prints reports, a line of JSON each.
 *
 * @returns The last whole report, though the program failed or ran out of time; and why it ended,
 *   empty if all went well.
 */
export async function lastReport(
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<{ readonly report?: TorchReport; readonly reason: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => (printed[name] += text));
  }
  // Helpers of a compiler may keep the pipes open after the program itself was ended.
  const abort = AbortSignal.timeout(timeoutMs);
  let reason = "";
  try {
    const [code] = (await once(child, "close", { signal: abort })) as [number | null];
    if (code !== 0) reason = lastLine(printed.stderr) || `it exited with ${code}`;
  } catch (error) {
    reason = abort.aborted
      ? `it took more than ${(timeoutMs / 1000).toFixed(0)} s`
      : (error as Error).message;
    child.kill("SIGKILL");
  }
  const report = printed.stdout
    .split("\n")
    .map(parse)
    .findLast((one) => one !== undefined);
  return { reason, ...(report && { report }) };
}

/** A report, or nothing where a line is something else. */
function parse(line: string): TorchReport | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!;
}

function skip(reason: string): Finding {
  return { body: { skipped: reason }, lines: [`skipped: ${reason}`] };
}
