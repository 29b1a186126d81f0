/** Bytes of a buffer: from `begin`, or from its beginning. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly begin?: number;
}

/** A piece of one result: where it comes from and where it goes. */
interface Piece {
  readonly buffer: GPUBuffer;
  readonly begin: number;
  readonly bytes: number;
  /** Index of the result, and where in it the piece begins. */
  readonly result: number;
  readonly at: number;
  /** Where it lies in the staging buffer. */
  readonly offset: number;
}

/** What one submit copies to the host: bytes of its staging buffer, and their pieces. */
export interface Transfer {
  readonly bytes: number;
  readonly pieces: readonly Piece[];
}

/** Bytes that are copied to the host at a time, so that staging them takes little memory. */
const TRANSFER_BYTES = 2 ** 26;

/** Mapped ranges begin at multiples of 8, and copies are in multiples of 4. */
const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/**
 * Cuts parts of buffers into transfers of bounded size.
 *
 * @param sources What to copy; each result is as long as its part, rounded up to 4 bytes.
 * @param limit Most bytes of a transfer, a multiple of 8. @default {TRANSFER_BYTES}
 * @returns At least one transfer, perhaps of nothing.
 */
export function transfersOf(
  sources: readonly BufferPart[],
  limit: number = TRANSFER_BYTES,
): readonly Transfer[] {
  const transfers: { bytes: number; pieces: Piece[] }[] = [{ bytes: 0, pieces: [] }];
  sources.forEach(({ buffer, bytes, begin = 0 }, result) => {
    const length = align(bytes, 4);
    for (let at = 0; at < length;) {
      let last = transfers.at(-1)!;
      if (last.bytes === limit) transfers.push((last = { bytes: 0, pieces: [] }));
      const size = Math.min(length - at, limit - last.bytes);
      last.pieces.push({
        buffer,
        begin: begin + at,
        bytes: size,
        result,
        at,
        offset: last.bytes,
      });
      last.bytes = align(last.bytes + size, 8);
      at += size;
    }
  });
  return transfers;
}

/** Empty results of sources, to be filled by {@linkcode unpack}. */
export function resultsOf(sources: readonly BufferPart[]): ArrayBuffer[] {
  return sources.map(({ bytes }) => new ArrayBuffer(align(bytes, 4)));
}

/** Copies the pieces of a mapped staging buffer to where they belong. */
export function unpack(
  staging: GPUBuffer,
  { pieces }: Transfer,
  results: readonly ArrayBuffer[],
): void {
  for (const { result, at, offset, bytes } of pieces) {
    new Uint8Array(results[result]!, at, bytes).set(
      new Uint8Array(staging.getMappedRange(offset, bytes)),
    );
  }
}

/** Largest staging buffer that is kept for the next readback. */
const MOST_KEPT_BYTES = 2 ** 16;
/** Staging buffers kept at most: as many as readbacks are under way at a time, and some. */
const MOST_KEPT = 8;

/** Makes a buffer; those that are kept are too small to be counted. */
type MakeStaging = (
  descriptor: GPUBufferDescriptor & { readonly label: string },
  isKept: boolean,
) => GPUBuffer;

/** Staging buffers of a device: small ones are used again, since each step of a model reads a little. */
export class StagingPool {
  readonly #make: MakeStaging;
  readonly #idle: GPUBuffer[] = [];

  constructor(make: MakeStaging) {
    this.#make = make;
  }

  /** A buffer of at least so many bytes, that nothing else uses. */
  take(bytes: number): GPUBuffer {
    const isKept = bytes <= MOST_KEPT_BYTES;
    const index = isKept ? this.#idle.findIndex(({ size }) => size >= bytes) : -1;
    const [kept] = index < 0 ? [] : this.#idle.splice(index, 1);
    if (kept !== undefined) return kept;
    const size = isKept ? 2 ** Math.ceil(Math.log2(Math.max(256, bytes))) : bytes;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return this.#make({ label: "readback", size, usage }, isKept);
  }

  /** Takes a mapped buffer back. */
  give(buffer: GPUBuffer): void {
    if (buffer.size > MOST_KEPT_BYTES || this.#idle.length >= MOST_KEPT) {
      buffer.destroy();
      return;
    }
    buffer.unmap();
    this.#idle.push(buffer);
  }
}
