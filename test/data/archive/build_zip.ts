import { deflateSync } from "fflate";
import { crc32 } from "../../../data/archive/crc32.ts";
import type { RandomAccess } from "../../../data/archive/mod.ts";

/** A file of a zip that tests write, with what they lie about. */
export interface ZipPart {
  readonly name: string;
  readonly content?: Uint8Array | string;
  readonly stored?: boolean;
  /** What the list says in place of the truth. */
  readonly lies?: {
    readonly size?: number;
    readonly compressedSize?: number;
    readonly crc32?: number;
    readonly offset?: number;
    readonly method?: number;
    readonly flags?: number;
  };
  /** Another name in the local header. */
  readonly localName?: string;
  /** Mode of a file on Unix, such as 0o120777 of a link. */
  readonly mode?: number;
}

/** Writes a zip byte by byte, so that any of them can be wrong. */
export function buildZip(parts: readonly ZipPart[], comment = ""): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const {
    name,
    content = "",
    stored = false,
    lies = {},
    localName = name,
    mode = 0,
  } of parts) {
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    const packed = stored ? bytes : deflateSync(bytes, { level: 9 });
    const nameBytes = encoder.encode(name);
    const localBytes = encoder.encode(localName);
    const method = lies.method ?? (stored ? 0 : 8);
    const sum = lies.crc32 ?? crc32(bytes);
    const sizes = [lies.compressedSize ?? packed.length, lies.size ?? bytes.length] as const;
    const flags = lies.flags ?? 0x0800;
    const local = record(30, localBytes, (view) => {
      view.setUint32(0, 0x04034b50, true);
      view.setUint16(4, 20, true);
      view.setUint16(6, flags, true);
      view.setUint16(8, method, true);
      view.setUint32(14, sum, true);
      view.setUint32(18, sizes[0], true);
      view.setUint32(22, sizes[1], true);
      view.setUint16(26, localBytes.length, true);
    });
    central.push(
      record(46, nameBytes, (view) => {
        view.setUint32(0, 0x02014b50, true);
        view.setUint16(4, (3 << 8) | 20, true);
        view.setUint16(6, 20, true);
        view.setUint16(8, flags, true);
        view.setUint16(10, method, true);
        view.setUint32(16, sum, true);
        view.setUint32(20, sizes[0], true);
        view.setUint32(24, sizes[1], true);
        view.setUint16(28, nameBytes.length, true);
        view.setUint32(38, mode * 0x10000, true);
        view.setUint32(42, lies.offset ?? offset, true);
      }),
    );
    pieces.push(local, packed);
    offset += local.length + packed.length;
  }
  const size = central.reduce((sum, { length }) => sum + length, 0);
  const end = record(22, encoder.encode(comment), (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(8, parts.length, true);
    view.setUint16(10, parts.length, true);
    view.setUint32(12, size, true);
    view.setUint32(16, offset, true);
    view.setUint16(20, comment.length, true);
  });
  return joined([...pieces, ...central, end]);
}

/** Bytes in memory, read in parts. */
export function inMemory(bytes: Uint8Array, name = "download.zip"): RandomAccess {
  return {
    name,
    size: bytes.length,
    read(begin, end) {
      if (!(begin >= 0 && begin <= end && end <= bytes.length)) {
        throw new Error(`Read [${begin}, ${end}) of ${bytes.length} bytes`);
      }
      return Promise.resolve(bytes.slice(begin, end));
    },
  };
}

/** Pieces one after another. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** All of a stream as text. */
export async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new TextDecoder().decode(joined(chunks));
}

function record(length: number, tail: Uint8Array, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length + tail.length);
  fill(new DataView(bytes.buffer));
  bytes.set(tail, length);
  return bytes;
}
