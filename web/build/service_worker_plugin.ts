import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { build, type Plugin } from "vite";

/** A built file as the service worker keeps it. */
export interface PrecachedFile {
  /** Relative to the service worker. */
  readonly url: string;
  /** SHA-256, lower-case hex. */
  readonly hash: string;
}

/** Every file of a built page, in the order of their names. */
function precachedFiles(folder: string): PrecachedFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.replaceAll("\\", posix.sep))
    .filter((url) => url !== "service_worker.js")
    .toSorted()
    .map((url) => ({
      url,
      hash: createHash("sha256")
        .update(readFileSync(join(folder, url)))
        .digest("hex"),
    }));
}

/**
 * Builds the service worker when everything else is written: one script at the root of the page, so
 * that its scope is the page, which knows every other file (`__PRECACHE__`) and the build they
 * make up (`__BUILD__`).
 *
 * @param entry Path of the service worker's source.
 */
export function serviceWorkerPlugin(entry: string): Plugin {
  return {
    name: "tenure:service-worker",
    apply: "build",
    writeBundle: {
      order: "post",
      async handler({ dir }) {
        const files = precachedFiles(dir!);
        const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
        await build({
          configFile: false,
          logLevel: "warn",
          publicDir: false,
          define: { __PRECACHE__: JSON.stringify(files), __BUILD__: JSON.stringify(hash) },
          build: {
            outDir: dir!,
            emptyOutDir: false,
            modulePreload: false,
            rolldownOptions: {
              input: entry,
              output: { format: "iife", entryFileNames: "service_worker.js" },
            },
          },
        });
      },
    },
  };
}
