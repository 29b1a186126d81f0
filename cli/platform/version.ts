import { readFileSync } from "node:fs";

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
