/** A file that is yet to be written. */
export interface ExportedFile {
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Its content, made as it is asked for; once. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** A file whose content is there already. */
export function fileOf(name: string, bytes: Uint8Array<ArrayBuffer>): ExportedFile {
  return {
    name,
    size: bytes.length,
    chunks: (async function* () {
      yield bytes;
    })(),
  };
}
