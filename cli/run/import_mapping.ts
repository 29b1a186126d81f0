import { readFile } from "node:fs/promises";
import { nearestOf, readYaml } from "../../data/checked_yaml.ts";
import { MAPPINGS } from "../../data/survey/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { fileError } from "../platform/files.ts";

/** A mapping as somebody has written it. */
export interface MappingText {
  /** Its name, or the path of its file, for errors. */
  readonly name: string;
  readonly text: string;
  /** How the survey's files are read: `"nls"`, `"psid"`, or what the file says in their place. */
  readonly format: unknown;
}

/** The text of a ready mapping. */
export function readyMapping(name: string): string {
  const text = MAPPINGS.get(name);
  if (text !== undefined) return text;
  const names = [...MAPPINGS.keys()];
  const nearest = nearestOf(name, names);
  throw new CliError(
    EXIT.usage,
    `Cannot find the mapping "${name}": it must be one of ${names.join(", ")}, or a file that ends ` +
      `in .yaml${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`,
  );
}

/**
 * A ready mapping by its name, or a file's.
 *
 * @throws {CliError} With exit code 2 if there is no mapping of that name; 3 if the file is missing
 *   or not YAML.
 */
export async function loadMapping(nameOrPath: string): Promise<MappingText> {
  const isFile = /\.ya?ml$/i.test(nameOrPath);
  const text = isFile
    ? await readFile(nameOrPath, "utf8").catch((error: unknown) => {
        throw fileError("read", nameOrPath, { error, exitCode: EXIT.data });
      })
    : readyMapping(nameOrPath);
  const value = await failingAs(EXIT.data, () => readYaml(text, nameOrPath));
  const isObject = typeof value === "object" && value !== null;
  return {
    name: nameOrPath,
    text,
    format: isObject ? (value as Readonly<Record<string, unknown>>)["format"] : undefined,
  };
}
