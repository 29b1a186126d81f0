import { type Layout, layoutOf } from "./layout.ts";
import { readSasSetup } from "./sas.ts";
import { readSpssSetup } from "./spss.ts";
import { readStataSetup } from "./stata.ts";

/** Largest setup file, in bytes; that of the PSID's individual file has some 500 KB. */
const MAX_SETUP_BYTES = 2 ** 26;

const READERS = {
  ".sas": readSasSetup,
  ".sps": readSpssSetup,
  ".do": readStataSetup,
  ".dct": readStataSetup,
} as const;

/** Whether a file is named as a setup file of SAS, SPSS or Stata. */
export function isSetupFile(name: string): boolean {
  return extensionOf(name) !== undefined;
}

function extensionOf(name: string): keyof typeof READERS | undefined {
  const extensions = Object.keys(READERS) as (keyof typeof READERS)[];
  return extensions.find((extension) => name.toLowerCase().endsWith(extension));
}

/**
 * Reads the layout of a fixed-width file from its setup file: SAS (`.sas`), SPSS (`.sps`) or Stata
 * (`.do`, `.dct`); all of them give the same layout. The file is read, not run.
 *
 * Text that is not UTF-8 is taken as Windows-1252, which older files are in. Time and memory are
 * linear in the length of the file, but for the sorting of columns.
 *
 * @throws {SyntaxError} If the file reads otherwise than archives write it, or its columns
 *   contradict each other, naming file, line and remedy.
 * @throws {TypeError} If the name ends otherwise.
 * @throws {RangeError} If the file has more than 64 MiB.
 *
 * @example
 * ```ts ignore
 * const layout = readSetup(bytes, "IND2021ER.sas");
 * layout.columns.get("ER30001"); // { name: "ER30001", first: 2, last: 5, … }
 * ```
 */
export function readSetup(bytes: Uint8Array, file: string): Layout {
  const extension = extensionOf(file);
  if (extension === undefined) {
    throw new TypeError(
      `Cannot read setup file "${file}": its name must end in ${Object.keys(READERS).join(", ")}`,
    );
  }
  if (bytes.length > MAX_SETUP_BYTES) {
    throw new RangeError(
      `Cannot read setup file "${file}": it must have at most ${MAX_SETUP_BYTES} bytes, got ${bytes.length}`,
    );
  }
  return layoutOf(READERS[extension](decode(bytes), file));
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
