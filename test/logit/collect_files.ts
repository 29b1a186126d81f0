import { bytesSource, type FileSet } from "../../model/checkpoint/byte_source.ts";
import type { ExportedFile } from "../../model/checkpoint/exported_file.ts";

/** Files in memory, and what they become when one is changed. */
export interface MemoryFiles extends FileSet {
  /** With the text of a file changed. */
  with(name: string, change: (text: string) => string): MemoryFiles;
  without(name: string): MemoryFiles;
}

/** What a model exports, as a folder in memory. */
export async function collectFiles(exported: readonly ExportedFile[]): Promise<MemoryFiles> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { name, chunks } of exported) {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    files.set(name, new Uint8Array(await new Blob(parts).arrayBuffer()));
  }
  return memoryFiles(files);
}

function memoryFiles(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): MemoryFiles {
  return {
    name: "memory",
    open: async (name) => {
      const bytes = files.get(name);
      return bytes === undefined ? undefined : bytesSource(bytes, name);
    },
    with: (name, change) => {
      const text = change(new TextDecoder().decode(files.get(name)));
      return memoryFiles(new Map([...files, [name, new TextEncoder().encode(text)]]));
    },
    without: (name) => memoryFiles(new Map([...files].filter(([other]) => other !== name))),
  };
}
