import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Version of this package; its manifest lies higher above what is published than above the sources. */
export function packageVersion(): string {
  for (const path of ["../../package.json", "../../../package.json"]) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), "utf8");
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      // Not here: one folder up.
    }
  }
  return "unknown";
}

/**
 * Which sources run: in a clone the commit, with `+` where files differ from it; else the version.
 */
export function sourceVersion(): string {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const isOurs = git("ls-files", "version.ts") !== ""; // not a package inside somebody's repository
    if (!isOurs) return packageVersion();
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${isChanged ? "+" : ""}`;
  } catch {
    return packageVersion();
  }
}
