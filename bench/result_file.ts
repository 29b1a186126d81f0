import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import { dirname } from "node:path";
import type { OpenedAdapter } from "../cli/platform/dawn.ts";
import { packageVersion } from "../cli/platform/version.ts";

/** What was measured, and on which device. */
export interface BenchResult {
  /** Begins the file's name, such as `generation-`. @default {""} */
  readonly prefix?: string;
  readonly opened: OpenedAdapter;
  readonly body: object;
  /** Features that the device was opened with. @default {those of the adapter} */
  readonly features?: readonly string[];
  /** Dawn's toggles that were enabled. @default {those that the adapter was opened with} */
  readonly toggles?: readonly string[];
  /** Path of the file. @default {bench/results/<prefix><adapter>-<date>.json} */
  readonly output?: string;
  /** Files beside it, by their ending, such as `md`. */
  readonly beside?: Readonly<Record<string, string>>;
}

/** Where figures come from: the head of every file of results. */
export interface Provenance {
  readonly date: string;
  readonly commit: string;
  readonly adapter: {
    readonly kind: string;
    readonly vendor: string;
    readonly architecture: string;
    readonly driver: string;
  };
  readonly features: readonly string[];
  /** Dawn's toggles that were enabled beside those that always are. */
  readonly toggles: readonly string[];
  readonly machine: { readonly cpu?: string; readonly cores: number; readonly arch: string };
  readonly versions: { readonly tenure: string; readonly webgpu: string; readonly node: string };
}

/** Says where figures that are taken now come from. */
export function provenanceOf({
  opened,
  features,
  toggles = opened.toggles,
}: Pick<BenchResult, "opened" | "features" | "toggles">): Provenance {
  const { adapter, kind } = opened;
  const { vendor, architecture, description } = adapter.info;
  const [cpu] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commitOf(),
    adapter: { kind, vendor, architecture, driver: description },
    features: features ?? [...adapter.features].toSorted(),
    toggles,
    machine: { ...(cpu && { cpu: cpu.model }), cores: cpus().length, arch: arch() },
    versions: {
      tenure: packageVersion(),
      webgpu: versionsIn("package.json")["webgpu"]!,
      node: process.version,
    },
  };
}

/** The commit that runs, or `"unknown"` in a copy without its history: figures are worth keeping. */
export function commitOf(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

/**
 * Writes `bench/results/<prefix><adapter>-<date>.json`: the figures with commit, device, machine
 * and versions; and what is to stand beside it.
 *
 * @returns The file's name.
 */
export function writeResult(result: BenchResult): string {
  const { prefix = "", body, beside = {} } = result;
  const provenance = provenanceOf(result);
  const { date, adapter } = provenance;
  const { output = `bench/results/${prefix}${adapter.kind}-${date}.json` } = result;
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${JSON.stringify({ ...provenance, ...body }, null, 2)}\n`);
  for (const [ending, content] of Object.entries(beside)) {
    writeFileSync(`${output.replace(/\.json$/, "")}.${ending}`, content);
  }
  return output;
}

/** Versions that a package.json depends on, by package. */
export function versionsIn(file: string): Readonly<Record<string, string>> {
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies;
}
