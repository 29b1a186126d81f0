import type { Archive } from "../../archive/mod.ts";
import { chunksOfStream } from "../../archive/archive.ts";
import { type Layout, layoutConflict } from "../setup_files/layout.ts";
import { isSetupFile, readSetup } from "../setup_files/read_setup.ts";
import { type FixedWidthRecord, readFixedWidth } from "../setup_files/fixed_width.ts";

/** A fixed-width file of a download, with its layout. */
export interface FixedWidthTable {
  /** Path within the download: `"IND2021ER.txt"`. */
  readonly file: string;
  readonly layout: Layout;
  /** Reads the records, with these columns alone. */
  records(columns: readonly string[]): AsyncGenerator<FixedWidthRecord, void, undefined>;
}

/** Largest setup file, in bytes. */
const MAX_SETUP_BYTES = 2 ** 26;

/**
 * Finds the fixed-width files of a download: every `.txt` beside which stands a setup file of the
 * same name (`.sas`, `.sps`, `.do` or `.dct`). Where there are several, they must agree.
 *
 * Other files (codebooks, value labels, read-mes) are passed over.
 *
 * @throws {SyntaxError} If a setup file cannot be read, or two contradict each other.
 * @throws {RangeError} If there is no table.
 */
export async function findTables(archive: Archive): Promise<FixedWidthTable[]> {
  const setupsOf = new Map<string, string[]>();
  for (const { name } of archive.entries) {
    if (isSetupFile(name)) {
      const stem = stemOf(name);
      setupsOf.set(stem, [...(setupsOf.get(stem) ?? []), name]);
    }
  }
  const tables: FixedWidthTable[] = [];
  for (const { name } of archive.entries) {
    const setups = name.toLowerCase().endsWith(".txt") ? setupsOf.get(stemOf(name)) : undefined;
    if (setups === undefined) continue;
    const layout = await agreedLayout(archive, setups);
    tables.push({
      file: name,
      layout,
      records: (columns) => readFixedWidth(archive.open(name), { file: name, layout, columns }),
    });
  }
  if (tables.length > 0) return tables;
  throw new RangeError(
    `Cannot read "${archive.name}": a .txt and a setup file of the same name (.sas, .sps, .do or ` +
      `.dct) must be in it, got none (unpack zips within the download)`,
  );
}

/** Name without what stands behind the last point, in small letters: Windows tells no cases apart. */
function stemOf(name: string): string {
  return name.slice(0, name.lastIndexOf(".")).toLowerCase();
}

async function agreedLayout(archive: Archive, setups: readonly string[]): Promise<Layout> {
  const layouts: Layout[] = [];
  for (const name of setups) layouts.push(readSetup(await readAll(archive, name), name));
  const [first, ...others] = layouts;
  for (const other of others) {
    const conflict = layoutConflict(first!, other);
    if (conflict !== undefined) {
      throw new SyntaxError(
        `Cannot read ${other.file}: setup files of one table must agree, got ${conflict} ` +
          `(keep the one that came with the data)`,
      );
    }
  }
  return first!;
}

async function readAll(archive: Archive, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOfStream(archive.open(name))) {
    length += chunk.length;
    if (length > MAX_SETUP_BYTES) {
      throw new RangeError(
        `Cannot read setup file "${name}": it must have at most ${MAX_SETUP_BYTES} bytes, got more`,
      );
    }
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
