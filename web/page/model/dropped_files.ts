import type { ModelFile } from "../../engine/api.ts";

/**
 * Files of a drop, those in dropped folders too, with their paths.
 *
 * A drop's items are gone after the event: this takes hold of all of them before it waits.
 *
 * @throws {DOMException} If a file or folder cannot be read.
 */
export function droppedFiles({ items, files }: DataTransfer): Promise<ModelFile[]> {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.()).filter(
    (entry) => entry !== null && entry !== undefined,
  );
  // Without entries, as in a drop that a script made, the files alone are there.
  if (entries.length === 0) return Promise.resolve(listedFiles(files));
  return walk(entries, "");
}

/** Files of a file input; those of a chosen folder carry their paths. */
export function listedFiles(files: Iterable<File>): ModelFile[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
}

async function walk(entries: readonly FileSystemEntry[], folder: string): Promise<ModelFile[]> {
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = folder + entry.name;
      if (isFile(entry)) return [{ path, blob: await fileOf(entry) }];
      return walk(await childrenOf(entry as FileSystemDirectoryEntry), `${path}/`);
    }),
  );
  return found.flat();
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** All entries of a folder: a reader hands out some at a time, and none at the end. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}
