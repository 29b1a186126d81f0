import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { Licenses } from "./build/licenses_plugin.ts";
import { serviceWorkerPlugin } from "./build/service_worker_plugin.ts";
import { shrinkWgslPlugin } from "./build/shrink_wgsl.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const licenses = new Licenses();

/** Files that others know by name, and that stay at the root of the page. */
const NAMED = ["icon.svg", "manifest.webmanifest"];

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
    shrinkWgslPlugin(),
    licenses.collect(),
    licenses.write(here("..")),
    serviceWorkerPlugin(here("service_worker.ts")),
  ],
  worker: {
    format: "es",
    plugins: () => [shrinkWgslPlugin(), licenses.collect()],
  },
  build: {
    outDir: here("../dist/page"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { bundlerTimings: false, pluginTimings: false },
      output: {
        assetFileNames: ({ names: [name = ""] }) =>
          NAMED.includes(name) ? name : "assets/[name]-[hash][extname]",
      },
    },
  },
});
