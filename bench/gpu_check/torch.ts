import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { CheckContext, Finding } from "./section.ts";

/** The same model and the same products in PyTorch, as far as this machine has it for its GPU. */
const SCRIPT = "bench/peers/torch_gpt2.py";

/** PyTorch's figures on the same machine, in the same call; a machine without it is no failure. */
export async function measureTorch({ scale }: CheckContext, deadline: number): Promise<Finding> {
  if (scale === "small") return skip("a software adapter is not compared with a GPU library");
  try {
    const timeout = Math.max(1000, deadline - performance.now());
    const { stdout } = await promisify(execFile)("python3", [SCRIPT], { timeout });
    const body = JSON.parse(stdout.trim().split("\n").at(-1)!) as object;
    return { body, lines: [JSON.stringify(body)] };
  } catch (error) {
    const { message, stderr = "" } = error as Error & { stderr?: string };
    return skip(stderr.trim().split("\n").at(-1) || message.split("\n")[0]!);
  }
}

function skip(reason: string): Finding {
  return { body: { skipped: reason }, lines: [`skipped: ${reason}`] };
}
