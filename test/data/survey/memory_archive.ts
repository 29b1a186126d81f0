import { type Archive, singleFile, streamOfChunks } from "../../../data/archive/mod.ts";
import { joinArchives } from "../../../data/archive/mod.ts";
import { type NlsTable, openNlsTable } from "../../../data/survey/mod.ts";

/** Files that tests write in memory, in the order given. */
export function memoryArchive(files: Readonly<Record<string, string | Uint8Array>>): Archive {
  const archives = Object.entries(files).map(([name, content]) =>
    singleFile(name, () => bytesStream(content)),
  );
  return { ...joinArchives(archives), name: "download" };
}

/** Text or bytes as a stream of small chunks. */
export function bytesStream(content: string | Uint8Array): ReadableStream<Uint8Array> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return streamOfChunks(
    (async function* () {
      for (let at = 0; at < bytes.length; at += 1000) yield bytes.slice(at, at + 1000);
    })(),
  );
}

/** Opens files in memory as a table. */
export function openFiles(files: Readonly<Record<string, string | Uint8Array>>): Promise<NlsTable> {
  return openNlsTable([memoryArchive(files)]);
}
