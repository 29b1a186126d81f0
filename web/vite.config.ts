import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { engineChunk } from "./build/engine_chunk.ts";
import { Licenses } from "./build/licenses_plugin.ts";
import { serviceWorkerPlugin } from "./build/service_worker_plugin.ts";
import { shrinkWgslPlugin } from "./build/shrink_wgsl.ts";
import { plainImportsPlugin, sharedWorkersPlugin } from "./build/workers_plugin.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const licenses = new Licenses();

/** Files that others know by name, and that stay at the root of the page. */
const NAMED = ["icon.svg", "manifest.webmanifest"];

const engine = engineChunk({
  page: [here("page/main.ts"), here("page/career/import_worker.ts")],
  worker: here("worker.ts"),
  apart: /\/web\/engine\/(?:bench|tune)\.ts$/,
});

/**
 * The page, as `npm run build:web` builds it into `dist/page`: everything in files, for its
 * Content-Security-Policy forbids inline scripts and styles, and with relative addresses, so that it
 * works under any path.
 */
export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: false,
  plugins: [
    sharedWorkersPlugin(),
    plainImportsPlugin(),
    shrinkWgslPlugin(),
    licenses.collect(),
    licenses.write(here("..")),
    serviceWorkerPlugin(here("service_worker.ts")),
  ],
  build: {
    outDir: here("../dist/page"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // One small file of styles: tabs then come as plain modules, without a loader for styles.
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { bundlerTimings: false, pluginTimings: false, ineffectiveDynamicImport: false },
      output: {
        codeSplitting: { includeDependenciesRecursively: false, groups: [engine] },
        assetFileNames: ({ names: [name = ""] }) =>
          NAMED.includes(name) ? name : "assets/[name]-[hash][extname]",
      },
    },
  },
});
