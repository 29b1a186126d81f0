import type { Plugin } from "vite";

/** `new URL("./worker.ts", import.meta.url)`, as every bundler wants workers named; not in comments. */
const STARTED =
  /(?<!^\s*\*.*)\bnew URL\(\s*(["'])(\.[^"']+\.ts)\1,\s*import\.meta\.url\s*,?\s*\)/gm;

/**
 * Bundles workers along with the page, as further entries, so that a module which both need is in
 * one file. Vite by itself bundles each worker apart, with a copy of all it needs.
 */
export function sharedWorkersPlugin(): Plugin {
  return {
    name: "tenure:shared-workers",
    apply: "build",
    enforce: "pre",
    async transform(code, importer) {
      if (!code.includes("new Worker(")) return null;
      const urls = new Map<string, string>();
      for (const [text, , path] of code.matchAll(STARTED)) {
        const id = (await this.resolve(path!, importer))?.id;
        if (id === undefined) throw new Error(`Cannot bundle a worker: ${path!} must be a file`);
        const reference = this.emitFile({ type: "chunk", id });
        urls.set(text, `import.meta.ROLLUP_FILE_URL_${reference}`);
      }
      return code.replaceAll(STARTED, (text) => urls.get(text) ?? text);
    },
  };
}

/**
 * Imports on demand as they are written, for pages whose styles are in one file. Vite wraps each of
 * them in a loader of styles, which would do nothing here but come along into the workers, too.
 */
export function plainImportsPlugin(): Plugin {
  return {
    name: "tenure:plain-imports",
    apply: "build",
    enforce: "pre",
    load: {
      filter: { id: /^\0vite\/preload-helper\.js$/ },
      handler: () => "export const __vitePreload = (load) => load();",
    },
  };
}
