import { readdirSync } from "node:fs";
import { join } from "node:path";

/** What does the arithmetic: hardware, or one of the drivers that run on the CPU. */
export type AdapterKind = "gpu" | "lavapipe" | "swiftshader" | "software";

/** Kinds that `TENURE_ADAPTER` may ask for, fastest first. */
const CHOICES = ["gpu", "lavapipe", "swiftshader"] as const;

/** One of {@linkcode CHOICES}. */
type AdapterChoice = (typeof CHOICES)[number];

/** The part of `GPUAdapterInfo` that tells adapters apart. */
export type AdapterInfo = Pick<GPUAdapterInfo, "vendor" | "device" | "description"> & {
  readonly isFallbackAdapter?: boolean;
};

/** One attempt to get an adapter. */
export interface Attempt {
  /** Where the Vulkan drivers come from. */
  readonly drivers: "system" | "user" | "lavapipe" | "swiftshader";
  /** Kinds that end the search; anything else counts as not found. */
  readonly accept: readonly AdapterKind[];
}

/** Variables with which a user chooses Vulkan drivers; they overrule our search. */
const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;

/** Folders in which Linux distributions register Vulkan drivers. */
const MANIFEST_FOLDERS = [
  "/etc/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/usr/share/vulkan/icd.d",
];

const ANY: readonly AdapterKind[] = ["gpu", "lavapipe", "swiftshader", "software"];

/**
 * Plans the search for an adapter: real GPU, then lavapipe, then SwiftShader.
 *
 * The system's own drivers come first: Dawn then ranks what they offer, a GPU
 * before Mesa's lavapipe. A driver that Dawn refuses (lavapipe before Mesa 23)
 * yields nothing, and the search goes on with SwiftShader.
 *
 * @param env Environment of the process; `TENURE_ADAPTER` picks one kind, and
 *   the user's own `VK_DRIVER_FILES` or `VK_ICD_FILENAMES` win over the search.
 * @throws {RangeError} If `TENURE_ADAPTER` is none of the kinds.
 */
export function planAttempts(env: Readonly<Record<string, string | undefined>>): Attempt[] {
  const choice = env["TENURE_ADAPTER"] || undefined;
  if (choice !== undefined && !CHOICES.some((kind) => kind === choice)) {
    throw new RangeError(
      `Cannot choose an adapter: TENURE_ADAPTER must be ${CHOICES.join(", ")}, got "${choice}"`,
    );
  }
  const hasOwnDrivers = DRIVER_VARIABLES.some((name) => env[name]);
  const accept = choice === undefined ? ANY : [choice as AdapterChoice];
  if (hasOwnDrivers) return [{ drivers: "user", accept }];
  if (choice === "swiftshader") return [{ drivers: "swiftshader", accept }];
  if (choice === "lavapipe") return [{ drivers: "lavapipe", accept }];
  if (choice === "gpu") return [{ drivers: "system", accept }];
  return [
    { drivers: "system", accept: ["gpu", "lavapipe"] },
    { drivers: "swiftshader", accept: ["swiftshader"] },
    // Another system's software driver, such as Windows' WARP, before none at all.
    { drivers: "system", accept },
  ];
}

/** Tells from an adapter's description what does the arithmetic. */
export function kindOf(info: AdapterInfo): AdapterKind {
  const text = `${info.vendor} ${info.device} ${info.description}`.toLowerCase();
  if (text.includes("llvmpipe") || text.includes("lavapipe")) return "lavapipe";
  if (text.includes("swiftshader")) return "swiftshader";
  return info.isFallbackAdapter === true ? "software" : "gpu";
}

/** Manifests of Mesa's lavapipe on this machine; none when it is not installed. */
export function lavapipeManifests(folders: readonly string[] = MANIFEST_FOLDERS): string[] {
  return folders.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => /^lvp_icd.*\.json$/.test(name))
        .map((name) => join(folder, name));
    } catch {
      return [];
    }
  });
}

/** How to get a faster adapter, or undefined when there is nothing to gain. */
export function adviceFor(kind: AdapterKind): string | undefined {
  switch (kind) {
    case "gpu":
      return undefined;
    case "lavapipe":
      return "a GPU with a Vulkan driver would be far faster";
    case "swiftshader":
      return "Mesa's lavapipe is about 7 times faster: npx tenure setup-adapter";
    case "software":
      return "a GPU with a Vulkan, Metal or Direct3D 12 driver would be far faster";
  }
}

/** One line that says which adapter runs and what would be faster. */
export function adapterLine(kind: AdapterKind, info: AdapterInfo): string {
  const name = info.description || info.device || info.vendor || "unnamed adapter";
  const medium = kind === "gpu" ? "GPU" : "software, on the CPU";
  const advice = adviceFor(kind);
  return `Adapter: ${name} (${medium})${advice === undefined ? "" : `; ${advice}`}`;
}
