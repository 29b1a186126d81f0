import { tmpdir } from "node:os";
import {
  type AdapterKind,
  adapterLine,
  type Attempt,
  kindOf,
  lavapipeManifests,
  planAttempts,
} from "./adapter.ts";
import { CliError, EXIT } from "./errors.ts";
import { installPolling } from "./polling.ts";
import { preloadVulkan, unpackSwiftShader } from "./swiftshader.ts";
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
  readonly env?: Readonly<Record<string, string | undefined>>;
}

// Dawn crashes if the object from `create()` is collected while a device lives,
// so every instance stays here until the process ends.
const instances: GPU[] = [];

/** The instance that succeeded, by what was asked for: later calls do not search again. */
const found = new Map<string, GPU>();

/**
 * Opens an adapter under Node through Dawn: a real GPU, else Mesa's lavapipe,
 * else SwiftShader out of an optional npm package.
 *
 * @returns A fresh adapter each time; the search runs once per process.
 * @throws {CliError} With exit code 4 and the remedy if no adapter is found, or
 *   exit code 2 if `TENURE_ADAPTER` is no known kind.
 * @example
 * const { adapter, line } = await openAdapter();
 * process.stderr.write(`${line}\n`);
 */
export async function openAdapter({
  fast = false,
  toggles: others = [],
  env = process.env,
}: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  const toggles = [...(fast ? FAST : []), ...others];
  const key = JSON.stringify([toggles, env["TENURE_ADAPTER"]]);
  const known = found.get(key);
  const again = known && (await request(known));
  if (again) return opened(again, toggles);

  for (const attempt of plan(env)) {
    const instance = await withDrivers(attempt, () => createInstance(toggles));
    if (instance === undefined) continue;
    const { adapter } = instance;
    if (adapter === null || !attempt.accept.includes(kindOf(adapter.info))) continue;
    found.set(key, instance.gpu);
    return opened(adapter, toggles);
  }
  throw new CliError(EXIT.device, missingAdapter(env));
}

function plan(env: Readonly<Record<string, string | undefined>>): Attempt[] {
  try {
    return planAttempts(env);
  } catch (error) {
    throw new CliError(EXIT.usage, (error as Error).message, { cause: error });
  }
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

/**
 * Runs `create` with the Vulkan loader pointed at the drivers of an attempt.
 * The loader reads the environment when an instance begins, and never again.
 *
 * @returns Undefined if the drivers are not there.
 */
async function withDrivers<T>(attempt: Attempt, create: () => Promise<T>): Promise<T | undefined> {
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir(); // Mesa complains without it
  if (attempt.drivers === "system" || attempt.drivers === "user") return create();
  const manifests =
    attempt.drivers === "lavapipe"
      ? lavapipeManifests()
      : [unpackSwiftShader()].flatMap((m) => m ?? []);
  const [manifest] = manifests;
  if (manifest === undefined) return undefined;
  if (attempt.drivers === "swiftshader") preloadVulkan(manifest);
  const before = { files: process.env["VK_DRIVER_FILES"], icd: process.env["VK_ICD_FILENAMES"] };
  process.env["VK_DRIVER_FILES"] = process.env["VK_ICD_FILENAMES"] = manifests.join(":");
  try {
    return await create();
  } finally {
    restore("VK_DRIVER_FILES", before.files);
    restore("VK_ICD_FILENAMES", before.icd);
  }
}

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

function missingAdapter(env: Readonly<Record<string, string | undefined>>): string {
  const choice = env["TENURE_ADAPTER"];
  const drivers = env["VK_DRIVER_FILES"] || env["VK_ICD_FILENAMES"];
  const wanted = choice ? ` with TENURE_ADAPTER=${choice}` : "";
  const given = drivers ? ` with the Vulkan drivers "${drivers}"` : "";
  return (
    `Cannot open an adapter${wanted}${given}: Dawn must accept one Vulkan, Metal or Direct3D 12 driver, got none; ` +
    (choice || drivers
      ? "unset the variable to search for any adapter"
      : "install one with: npx tenure setup-adapter, or SwiftShader with: npm install --include=optional")
  );
}
