import { type ByteSource, checkRange } from "./byte_source.ts";
import { loadHeader, type SafetensorsDtype } from "./safetensors_header.ts";

/** A tensor in a file, yet to be read. */
export interface TensorInFile {
  readonly shape: readonly number[];
  readonly dtype: SafetensorsDtype;
  /** Bytes of its data. */
  readonly size: number;
  /** Name of the file that it lies in. */
  readonly file: string;
  /**
   * Reads bytes `[begin, end)` of its data: row-major, little-endian; all of them unless said
   * otherwise.
   *
   * @throws {RangeError} If they do not lie within the tensor.
   */
  read(begin?: number, end?: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** One safetensors file, or several that together hold a model. */
export interface SafetensorsSource {
  /** Name of the file, or of the list of files. */
  readonly name: string;
  /** By name, in the order of the files. */
  readonly tensors: ReadonlyMap<string, TensorInFile>;
}

/** A single safetensors file. */
export interface SafetensorsFile extends SafetensorsSource {
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Opens a safetensors file: reads its header, and the data when asked for. All that
 * `decodeSafetensors()` checks is checked.
 *
 * @param source The file.
 * @throws {SyntaxError} If the header breaks a rule of the format, naming the rule and the tensor.
 * @example
 * const { tensors } = await openSafetensors(source);
 * const bytes = await tensors.get("model.norm.weight")?.read();
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const { dataStart, entries, metadata } = await loadHeader(source);
  const tensors = new Map<string, TensorInFile>();
  for (const { name, dtype, shape, begin: first, end: last } of entries) {
    const size = last - first;
    tensors.set(name, {
      shape,
      dtype,
      size,
      file: source.name,
      async read(begin = 0, end = size) {
        checkRange(begin, end, { name: `${source.name}" tensor "${name}`, size });
        return source.read(dataStart + first + begin, dataStart + first + end);
      },
    });
  }
  return { name: source.name, tensors, metadata };
}
