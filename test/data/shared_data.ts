import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Career } from "../../data/mod.ts";
import { readCareers } from "../../data/mod.ts";

/** Path of a file of the shared data beside the repository. */
export function sharedPath(name: string): URL {
  return new URL(`../../../shared/data/${name}`, import.meta.url);
}

/** Reason to skip a test that needs `../shared/data/<name>`, or `false` if the file is there. */
export function missing(name: string): string | false {
  return existsSync(sharedPath(name))
    ? false
    : `needs ../shared/data/${name} beside the repository, which is not there`;
}

/** Reads one of the shared surveys, such as `nlsy97.tsv.gz`. */
export async function readShared(name: string): Promise<Career[]> {
  await using file = await open(sharedPath(name));
  const bytes = new Blob([await file.readFile()]).stream();
  const careers: Career[] = [];
  const text = bytes.pipeThrough(new DecompressionStream("gzip"));
  for await (const career of readCareers(text, { format: "tsv", file: name })) {
    careers.push(career);
  }
  return careers;
}
