import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** Collects the packages that a page and its workers bundle, and writes what their licenses ask for. */
export class Licenses {
  readonly #folders = new Set<string>();

  /** Notes the packages of one bundle: of a page, or of a worker, which is bundled by itself. */
  collect(): Plugin {
    return {
      name: "tenure:collect-licenses",
      generateBundle: (_options, bundle) => {
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== "chunk") continue;
          for (const id of Object.keys(chunk.modules)) {
            const folder = packageFolder(id);
            if (folder !== undefined) this.#folders.add(folder);
          }
        }
      },
    };
  }

  /**
   * Writes `licenses.txt`; belongs behind {@linkcode Licenses.collect} of the page.
   *
   * @param root Folder of the package that the page is part of.
   */
  write(root: string): Plugin {
    const text = () => [root, ...[...this.#folders].toSorted()].map(noticeOf).join("\n\n\n");
    return {
      name: "tenure:write-licenses",
      generateBundle: {
        order: "post",
        handler() {
          this.emitFile({ type: "asset", fileName: "licenses.txt", source: `${text()}\n` });
        },
      },
    };
  }
}

/** The package that a module belongs to, unless it is ours. */
function packageFolder(id: string): string | undefined {
  if (!id.includes("/node_modules/") || id.startsWith("\0")) return undefined;
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/?]+)/.exec(id) ?? [];
  return folder;
}

/**
 * A package's name, version and license, as its own file has it.
 *
 * @throws {Error} If a package names no license at all.
 */
function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { readonly name: string; readonly version: string; readonly license?: string };
  if (license === undefined) {
    throw new Error(`Cannot bundle "${name}": its package.json must name a license, got none`);
  }
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
  const text = file === undefined ? "" : `\n\n${readFileSync(join(folder, file), "utf8").trim()}`;
  return `${name} ${version} (${license})${text}`;
}
