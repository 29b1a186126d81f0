import { adapterLine, type AdapterKind, kindOf } from "./adapter.ts";
import type { OpenAdapterOptions, OpenedAdapter } from "./dawn.ts";
import { attemptsOf, missingAdapter, withDrivers } from "./drivers.ts";
import { CliError, EXIT } from "./errors.ts";

/** The WebGPU that this runtime itself has: wgpu in Deno; Node has none. */
export function runtimeGpu(): GPU | undefined {
  return (globalThis.navigator as { readonly gpu?: GPU } | undefined)?.gpu;
}

/** What runs this process, such as `"Node 20.20.2"` or `"Deno 2.9.6"`. */
export function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  if (deno !== undefined) return `Deno ${deno}`;
  return bun === undefined ? `Node ${node}` : `Bun ${bun}`;
}

/**
 * Opens an adapter of the runtime's own WebGPU. wgpu looks for drivers once a process and ranks
 * them itself, a GPU before a driver on the CPU: there is one attempt, with the drivers that
 * `TENURE_ADAPTER` or the Vulkan variables name, else with all.
 *
 * @returns A fresh adapter each time.
 * @throws {CliError} With exit code 4 and the remedy if no adapter is found, or
 *   exit code 2 if `TENURE_ADAPTER` is no known kind, or if switches are asked for: Dawn alone has them.
 */
export async function openRuntimeAdapter(
  gpu: GPU,
  { fast = false, toggles = [], env = process.env }: OpenAdapterOptions,
): Promise<OpenedAdapter> {
  if (fast || toggles.length > 0) {
    throw new CliError(
      EXIT.usage,
      `Cannot switch checks of WebGPU: the runtime must be Node, whose Dawn has switches, got ${runtimeName()}; leave out --fast`,
    );
  }
  const attempts = attemptsOf(env);
  const accept = new Set<AdapterKind>(attempts.flatMap((attempt) => attempt.accept));
  const adapter = await withDrivers(attempts[0]!, () =>
    gpu.requestAdapter({ powerPreference: "high-performance" }),
  );
  if (!adapter || !accept.has(kindOf(adapter.info))) {
    throw new CliError(EXIT.device, missingAdapter(env, "wgpu"));
  }
  const kind = kindOf(adapter.info);
  return { adapter, kind, line: adapterLine(kind, adapter.info), toggles: [] };
}
