import type { Rolldown } from "vite";

/** Entries and the modules of one build. */
export interface EngineChunkOptions {
  /** Modules of the page, and of its other workers; absolute paths. */
  readonly page: readonly string[];
  /** Module of the engine's worker. */
  readonly worker: string;
  /** Modules that the worker imports on demand and that stay apart. */
  readonly apart: RegExp;
}

/**
 * Puts what only the engine's worker needs into one chunk, which packs better than the many that a
 * bundler makes of modules that tabs share. What the page needs, too, stays out of it: the page must
 * not load the engine.
 */
export function engineChunk({ page, worker, apart }: EngineChunkOptions) {
  let found: ReadonlySet<string> | undefined;
  const find = (infoOf: ModuleInfoOf) => {
    const ofPage = reachable(page, infoOf);
    return new Set([...reachable([worker], infoOf, apart)].filter((id) => !ofPage.has(id)));
  };
  return {
    name: (id: string, context: Rolldown.ChunkingContext): string | null => {
      found ??= find((of) => context.getModuleInfo(of));
      return found.has(id) && id !== worker ? "engine" : null;
    },
  };
}

type ModuleInfoOf = (
  id: string,
) => { readonly importedIds: string[]; readonly dynamicallyImportedIds: string[] } | null;

/** Modules that some modules import, at once or on demand, in turn. */
function reachable(
  entries: readonly string[],
  infoOf: ModuleInfoOf,
  apart?: RegExp,
): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [...entries];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    const { importedIds = [], dynamicallyImportedIds = [] } = infoOf(id) ?? {};
    waiting.push(
      ...importedIds,
      ...dynamicallyImportedIds.filter((each) => apart?.test(each) !== true),
    );
  }
  return found;
}
