import { open, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Career } from "../../data/career.ts";
import { type CareerFormat, readCareers } from "../../data/read_careers.ts";
import type { ParquetSource } from "../../data/tables/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { fileError, openFile } from "../platform/files.ts";

const FORMATS: readonly CareerFormat[] = ["tsv", "csv", "jsonl"];

/** How careers are written in a file, by its name; `.gz` behind it counts for nothing. */
function formatOf(path: string): CareerFormat {
  const name = basename(path).replace(/\.gz$/, "");
  const format = FORMATS.find((each) => name.endsWith(`.${each}`));
  if (format !== undefined) return format;
  throw new CliError(
    EXIT.usage,
    `Cannot read "${path}": its name must end in .parquet, or in .tsv, .csv or .jsonl, perhaps with .gz behind, got "${basename(path)}"`,
  );
}

/**
 * Reads all careers of a file, in the order of the file: Parquet, or text, gzipped or not.
 *
 * @throws {CliError} With exit code 3 if the file is missing or a row is wrong, naming the line;
 *   exit code 2 if its name tells no format.
 */
export async function readCareersFile(path: string): Promise<Career[]> {
  if (path.endsWith(".parquet")) {
    const { careersOfParquet } = await import("../../data/tables/careers_parquet.ts");
    const source = await parquetFile(path);
    return failingAs(EXIT.data, () => careersOfParquet(source, { file: path }));
  }
  const format = formatOf(path);
  return failingAs(EXIT.data, async () => {
    const careers: Career[] = [];
    for await (const career of readCareers(await openFile(path), { format, file: path })) {
      careers.push(career);
    }
    return careers;
  });
}

/**
 * A Parquet file on disk, of which only what is needed is read. It is open only while a part is
 * read, so there is nothing to close.
 *
 * @throws {CliError} With exit code 3 if the file is missing or not a file; so do its reads.
 */
export async function parquetFile(path: string): Promise<ParquetSource> {
  const asError = (error: unknown): never => {
    throw fileError("read", path, { error, exitCode: EXIT.data });
  };
  const info = await stat(path).catch(asError);
  if (!info.isFile()) {
    const got = info.isDirectory() ? "a folder" : "a pipe or a device";
    throw new CliError(EXIT.data, `Cannot read "${path}": it must be a file, got ${got}`);
  }
  const slice = async (start: number, end: number = info.size): Promise<ArrayBuffer> => {
    const handle = await open(path).catch(asError);
    try {
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start).catch(asError);
      return bytes.buffer.slice(0, bytesRead);
    } finally {
      await handle.close();
    }
  };
  return { byteLength: info.size, slice };
}
