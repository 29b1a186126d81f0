import { type AdapterKind, adapterLine, kindOf } from "./adapter.ts";
import { openRuntimeAdapter, runtimeGpu } from "./deno.ts";
import { attemptsOf, type Environment, missingAdapter, withDrivers } from "./drivers.ts";
import { CliError, EXIT } from "./errors.ts";
import { installPolling } from "./polling.ts";
import { dawnArguments, FAST } from "./toggles.ts";

/** An adapter together with what a person wants to know about it. */
export interface OpenedAdapter {
  /** A fresh adapter: WebGPU lets each one give out a single device. */
  readonly adapter: GPUAdapter;
  /** What does the arithmetic. */
  readonly kind: AdapterKind;
  /** One line: which adapter runs, and what would be faster. */
  readonly line: string;
  /** Dawn's toggles that are on beside those that always are. */
  readonly toggles: readonly string[];
}

/** Settings of {@linkcode openAdapter}. */
export interface OpenAdapterOptions {
  /** Trades checks for speed: see {@linkcode FAST}. @default {false} */
  readonly fast?: boolean;
  /**
   * Dawn's toggles to enable besides, such as `"dump_shaders"`. Dawn ignores
   * unknown names silently: check the effect.
   */
  readonly toggles?: readonly string[];
  /** Where `TENURE_ADAPTER` and the Vulkan variables are read; by default the process's. */
  readonly env?: Environment;
}

// Dawn crashes if the object from `create()` is collected while a device lives,
// so every instance stays here until the process ends.
const instances: GPU[] = [];

/** The instance that succeeded, by what was asked for: later calls do not search again. */
const found = new Map<string, GPU>();

/**
 * Opens an adapter under Node through Dawn: a real GPU, else Mesa's lavapipe,
 * else SwiftShader out of an optional npm package. A runtime with WebGPU of its
 * own, such as Deno, is asked instead: see {@linkcode openRuntimeAdapter}.
 *
 * @returns A fresh adapter each time; the search runs once per process.
 * @throws {CliError} With exit code 4 and the remedy if no adapter is found, or
 *   exit code 2 if `TENURE_ADAPTER` is no known kind.
 * @example
 * const { adapter, line } = await openAdapter();
 * process.stderr.write(`${line}\n`);
 */
export async function openAdapter(options: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  const own = runtimeGpu();
  if (own !== undefined) return openRuntimeAdapter(own, options);
  const { fast = false, toggles: others = [], env = process.env } = options;
  const toggles = [...(fast ? FAST : []), ...others];
  const key = JSON.stringify([toggles, env["TENURE_ADAPTER"]]);
  const known = found.get(key);
  const again = known && (await request(known));
  if (again) return opened(again, toggles);

  for (const attempt of attemptsOf(env)) {
    const instance = await withDrivers(attempt, () => createInstance(toggles));
    if (instance === undefined) continue;
    const { adapter } = instance;
    if (adapter === null || !attempt.accept.includes(kindOf(adapter.info))) continue;
    found.set(key, instance.gpu);
    return opened(adapter, toggles);
  }
  throw new CliError(EXIT.device, missingAdapter(env, "Dawn"));
}

function opened(adapter: GPUAdapter, toggles: readonly string[]): OpenedAdapter {
  const kind = kindOf(adapter.info);
  return { adapter, kind, line: adapterLine(kind, adapter.info), toggles };
}

/** Creates an instance and asks it at once: that is when it looks for drivers. */
async function createInstance(
  toggles: readonly string[],
): Promise<{ gpu: GPU; adapter: GPUAdapter | null }> {
  const { create, globals } = await loadDawn();
  // WebGPU's constants (GPUBufferUsage and others) are globals in every browser.
  Object.assign(globalThis, globals);
  const gpu = create(dawnArguments(toggles));
  instances.push(gpu);
  return { gpu, adapter: await request(gpu) };
}

async function loadDawn(): Promise<typeof import("webgpu")> {
  installPolling();
  try {
    return await import("webgpu");
  } catch (error) {
    throw new CliError(
      EXIT.device,
      `Cannot load Dawn: the package "webgpu" must have a build for ${process.platform}-${process.arch}, got ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function request(gpu: GPU): Promise<GPUAdapter | null> {
  return gpu.requestAdapter({ powerPreference: "high-performance" });
}
