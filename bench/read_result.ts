import { readFileSync } from "node:fs";
import type { Comparable } from "./report/compare.ts";

/**
 * Reads a file of results to compare with.
 *
 * @throws {SyntaxError} If it is no JSON, or holds no rows.
 */
export function readResult(file: string): Comparable {
  const content = parse(file);
  const rows = (content as { readonly rows?: unknown } | null)?.rows;
  const isRow = (row: unknown) => {
    const { id, ms, lowMs, highMs } = (row ?? {}) as Record<string, unknown>;
    return typeof id === "string" && [ms, lowMs, highMs].every((time) => typeof time === "number");
  };
  if (Array.isArray(rows) && rows.every(isRow)) return content as Comparable;
  throw new SyntaxError(
    `Cannot compare with "${file}": it must hold rows with id, ms, lowMs and highMs, as npm run bench writes them`,
  );
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new SyntaxError(`Cannot compare with "${file}": it must be JSON, got ${cause.message}`, {
      cause,
    });
  }
}
