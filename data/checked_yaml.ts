import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { quote } from "./career_check.ts";

/** Most aliases that a file may resolve to: none of ours needs many, and bombs need millions. */
const MAX_ALIASES = 100;

/** Longest file, in UTF-16 units; people write these by hand. */
const MAX_LENGTH = 1 << 20;

/**
 * Reads a YAML file that people write, and checks it against a schema.
 *
 * Duplicate keys, unknown keys and bombs of aliases are errors; so is a value of the wrong kind.
 *
 * @param text Content of the file.
 * @param schema What it must be; defaults are filled in.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} With file, line or path of every problem, and the nearest known key.
 */
export function readCheckedYaml<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  file: string,
): z.output<Schema> {
  return checkValue(readYaml(text, file), schema, file);
}

/**
 * Reads a YAML file as plain values.
 *
 * @throws {SyntaxError} With file and line, if it is not one YAML document or a bomb.
 */
export function readYaml(text: string, file: string): unknown {
  const fail = (problem: string): never => {
    throw new SyntaxError(`Cannot read "${file}": ${problem}`);
  };
  if (text.length > MAX_LENGTH) {
    fail(`it must have at most ${MAX_LENGTH} characters, got ${text.length}`);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, uniqueKeys: true, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    fail(`line ${line} must be YAML, got ${error.message}`);
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    return fail(`its aliases must stand for little, got ${(cause as Error).message}`);
  }
}

/**
 * Checks a value against a schema.
 *
 * @throws {SyntaxError} Naming the path of every problem, such as `models.2.family`.
 */
export function checkValue<Schema extends z.ZodType>(
  value: unknown,
  schema: Schema,
  file: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const path = issue.path.join(".") || "the file";
    if (issue.code !== "unrecognized_keys") return `${path}: ${issue.message}`;
    const known = knownKeys(schema, issue.path);
    const strangers = issue.keys.map((key) => {
      const nearest = nearestOf(key, known);
      return `${quote(key)}${nearest === undefined ? "" : ` (did you mean ${quote(nearest)}?)`}`;
    });
    return `${path}: unknown ${strangers.join(", ")}`;
  });
  throw new SyntaxError(`Cannot read "${file}": ${problems.join("; ")}`);
}

/** Keys that an object at a path may have, as far as the schema is made of plain objects. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) at = stepInto(unwrap(at), key);
  const shape = shapeOf(unwrap(at));
  return shape === undefined ? [] : Object.keys(shape);
}

function stepInto(schema: unknown, key: PropertyKey): unknown {
  const shape = shapeOf(schema);
  if (shape !== undefined) return shape[String(key)];
  const definition = definitionOf(schema);
  return definition?.["element"] ?? definition?.["valueType"];
}

/** What stands behind optional, default and the like. */
function unwrap(schema: unknown): unknown {
  let at = schema;
  for (let depth = 0; depth < 10; depth++) {
    const inner = definitionOf(at)?.["innerType"] ?? definitionOf(at)?.["in"];
    if (inner === undefined) return at;
    at = inner;
  }
  return at;
}

function definitionOf(schema: unknown): Record<string, unknown> | undefined {
  const isSchema = typeof schema === "object" && schema !== null && "def" in schema;
  return isSchema ? (schema.def as Record<string, unknown>) : undefined;
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  return definitionOf(schema)?.["shape"] as Record<string, unknown> | undefined;
}

/** The known word that is nearest to a misspelt one, if any is near. */
export function nearestOf(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .toSorted((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}

/** Insertions, deletions and substitutions between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substituted));
    }
    row = next;
  }
  return row[b.length]!;
}
