import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { CliError, EXIT } from "../platform/errors.ts";

/**
 * SHA-256 of a file in hexadecimal, read piece by piece.
 *
 * @throws {CliError} With exit code 3 if it is missing or no file.
 */
export async function hashFile(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) {
    const got = found === undefined ? "no such file" : "a folder or a pipe";
    throw new CliError(EXIT.data, `Cannot read "${path}": it must be a file, got ${got}`);
  }
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
