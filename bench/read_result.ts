import { readFileSync } from "node:fs";
import { EXIT } from "../cli/platform/errors.ts";
import { fileError } from "../cli/platform/files.ts";
import type { Comparable } from "./report/compare.ts";

/**
 * Reads a file of results to compare with.
 *
 * @throws {CliError} If it cannot be read.
 * @throws {SyntaxError} If it is no JSON, or holds no rows.
 */
export function readResult(file: string): Comparable {
  const content = parse(file);
  const rows = (content as { readonly rows?: unknown } | null)?.rows;
  const isRow = (row: unknown) => {
    const { id, ms, lowMs, highMs } = (row ?? {}) as Record<string, unknown>;
    return typeof id === "string" && [ms, lowMs, highMs].every(isTime);
  };
  if (Array.isArray(rows) && rows.every(isRow)) return content as Comparable;
  throw new SyntaxError(
    `Cannot compare with "${file}": it must hold rows with id and positive ms, lowMs and highMs, as npm run bench writes them`,
  );
}

/** A time to divide by. */
function isTime(value: unknown): boolean {
  return typeof value === "number" && value > 0;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw fileError("read", file, { error, exitCode: EXIT.data });
  }
}

function parse(file: string): unknown {
  const content = read(file);
  try {
    return JSON.parse(content);
  } catch (error) {
    const cause = error as SyntaxError;
    throw new SyntaxError(`Cannot compare with "${file}": it must be JSON, got ${cause.message}`, {
      cause,
    });
  }
}
