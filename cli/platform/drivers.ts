import { tmpdir } from "node:os";
import { type Attempt, lavapipeManifests, planAttempts } from "./adapter.ts";
import { CliError, EXIT } from "./errors.ts";
import { preloadVulkan, unpackSwiftShader } from "./swiftshader.ts";

/** An environment, as `process.env` is one. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The attempts that an environment asks for.
 *
 * @throws {CliError} With exit code 2 if `TENURE_ADAPTER` is no known kind.
 */
export function attemptsOf(env: Environment): Attempt[] {
  try {
    return planAttempts(env);
  } catch (error) {
    throw new CliError(EXIT.usage, (error as Error).message, { cause: error });
  }
}

/**
 * Runs `create` with the Vulkan loader pointed at the drivers of an attempt.
 * The loader reads the environment when an instance begins, and never again.
 *
 * @returns Undefined if the drivers are not there.
 */
export async function withDrivers<T>(
  attempt: Attempt,
  create: () => Promise<T>,
): Promise<T | undefined> {
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

/** What to say when no attempt found an adapter, and what helps. */
export function missingAdapter(env: Environment, implementation: string): string {
  const choice = env["TENURE_ADAPTER"];
  const drivers = env["VK_DRIVER_FILES"] || env["VK_ICD_FILENAMES"];
  const wanted = choice ? ` with TENURE_ADAPTER=${choice}` : "";
  const given = drivers ? ` with the Vulkan drivers "${drivers}"` : "";
  return (
    `Cannot open an adapter${wanted}${given}: ${implementation} must accept one Vulkan, Metal or Direct3D 12 driver, got none; ` +
    (choice || drivers
      ? "unset the variable to search for any adapter"
      : "install one with: npx tenure setup-adapter, or SwiftShader with: npm install --include=optional")
  );
}
