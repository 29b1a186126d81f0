import { build } from "vite";

/** Options of {@linkcode bundled}. */
interface BundleOptions {
  /** A module, or a script of its own, as service workers are. @default {"es"} */
  readonly format?: "es" | "iife";
  /** Names that stand for JSON. */
  readonly define?: Readonly<Record<string, string>>;
}

/**
 * A source with all that it imports, as one script for a browser.
 *
 * @param entry Path from the repository's root.
 */
export async function bundled(
  entry: string,
  { format = "es", define = {} }: BundleOptions = {},
): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    define: { ...define },
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        output: { format, entryFileNames: "entry.js" },
        // A module that only exports would be empty otherwise.
        preserveEntrySignatures: "strict",
      },
    },
  });
  const [first] = [built].flat();
  if (first === undefined || !("output" in first)) throw new Error(`no bundle of "${entry}"`);
  return first.output[0].code;
}
