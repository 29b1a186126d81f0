import { fileURLToPath } from "node:url";
import { build, type Plugin, type Rolldown } from "vite";
import { shrinkWgslPlugin } from "./shrink_wgsl.ts";

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Modules that {@linkcode bundle} keeps in a chunk of their own. */
export interface BundleGroup {
  readonly name: string;
  readonly test: RegExp;
}

/**
 * Bundles one module as the page is bundled, minified and with its WGSL shrunk, into chunks of text.
 *
 * @param code TypeScript-free source, whose imports begin at the repository's folder (`"/engine/…"`).
 * @param options `group`: what goes into a chunk of its own; `isStatic`: leaves out whatever is
 * imported on demand.
 */
export async function bundle(
  code: string,
  { group, isStatic = false }: { readonly group?: BundleGroup; readonly isStatic?: boolean } = {},
): Promise<Rolldown.OutputChunk[]> {
  const result = await build({
    configFile: false,
    root: ROOT,
    publicDir: false,
    logLevel: "error",
    plugins: [entryPlugin(code), shrinkWgslPlugin(), ...(isStatic ? [leaveOutDynamic()] : [])],
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: {
        input: ENTRY,
        preserveEntrySignatures: "strict",
        output: {
          format: "es",
          ...(group !== undefined && { codeSplitting: { groups: [group] } }),
        },
      },
    },
  });
  const { output } = result as Rolldown.RolldownOutput;
  return output.filter((part) => part.type === "chunk");
}

const ENTRY = "virtual:entry";

function entryPlugin(code: string): Plugin {
  return {
    name: "tenure:entry",
    enforce: "pre",
    resolveId: (id) => (id === ENTRY ? `\0${ENTRY}` : null),
    load: (id) => (id === `\0${ENTRY}` ? code.replaceAll(/from "\//g, `from "${ROOT}`) : null),
  };
}

function leaveOutDynamic(): Plugin {
  return {
    name: "tenure:leave-out-dynamic",
    resolveDynamicImport: (id) => ({ id: `on-demand:${id}`, external: true }),
  };
}
