import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import type { OpenedAdapter } from "../cli/platform/dawn.ts";

/** What was measured, and on which device. */
export interface BenchResult {
  /** Begins the file's name, such as `generation-`. @default {""} */
  readonly prefix?: string;
  readonly opened: OpenedAdapter;
  readonly body: object;
}

/**
 * Writes `bench/results/<prefix><adapter>-<date>.json`: the figures with commit, device, machine
 * and versions.
 *
 * @returns The file's name.
 */
export function writeResult({ prefix = "", opened, body }: BenchResult): string {
  const { adapter, kind } = opened;
  const { vendor, architecture, description } = adapter.info;
  const date = new Date().toISOString().slice(0, 10);
  const result = {
    date,
    commit: execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim(),
    adapter: { kind, vendor, architecture, driver: description },
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, arch: arch(), node: process.version },
    webgpu: versionsIn("package.json")["webgpu"],
    ...body,
  };
  const file = `bench/results/${prefix}${kind}-${date}.json`;
  mkdirSync("bench/results", { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

/** Versions that a package.json depends on, by package. */
export function versionsIn(file: string): Readonly<Record<string, string>> {
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies;
}
