/** A module that a source names. */
export interface Import {
  readonly specifier: string;
  /** An `import type`, which leaves no trace at run time. */
  readonly isType: boolean;
  /** An `import()`: loaded once the code gets there, not before the file runs. */
  readonly isDynamic: boolean;
}

/** Every module that a source names: static, re-exported, for its effects, or dynamic. */
export function importsOf(source: string): Import[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const from =
    /^\s*(?:import|export)\b(\s+type\b(?!\s*(?:,|from\b)))?[^"';]*?\bfrom\s*["']([^"']+)["']/gm;
  const bare = /^\s*import\s*["']([^"']+)["']/gm;
  const dynamic = /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...Array.from(code.matchAll(from), ([, type, specifier = ""]) => ({
      specifier,
      isType: type !== undefined,
      isDynamic: false,
    })),
    ...[bare, dynamic].flatMap((pattern) =>
      Array.from(code.matchAll(pattern), ([, specifier = ""]) => ({
        specifier,
        isType: false,
        isDynamic: pattern === dynamic,
      })),
    ),
  ];
}
