import {
  ELEMENT_BYTES,
  LENGTH_BYTES,
  type SafetensorsDtype,
  tensorBytes,
} from "./safetensors_header.ts";

/** What a file says of a tensor, whose data are written after. */
export interface TensorDescription {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** How a file begins, and what must follow. */
export interface SafetensorsStart {
  /** The file up to its data. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Names of the tensors in the order of their data. */
  readonly names: readonly string[];
  /** Bytes of the whole file. */
  readonly size: number;
}

/** What every library that reads the format expects of model weights. */
export const PYTORCH_METADATA: ReadonlyMap<string, string> = new Map([["format", "pt"]]);

/** Data begin at a multiple of this many bytes, so that a mapped file can be read in place. */
const ALIGNMENT = 8;

const DTYPES = Object.keys(ELEMENT_BYTES);

/**
 * Plans a safetensors file byte for byte as the Rust library writes it: a compact header, padded
 * with spaces to 8 bytes, and the data sorted by type, the widest first, and name.
 *
 * @throws {RangeError} If a shape takes more bytes than can be counted.
 * @throws {TypeError} If a name is reserved or no valid Unicode.
 */
export function startSafetensors(
  tensors: ReadonlyMap<string, TensorDescription>,
  metadata: ReadonlyMap<string, string> = PYTORCH_METADATA,
): SafetensorsStart {
  const sorted = inFileOrder(tensors);
  const fields: string[] = [];
  // Written by hand, because an object would move names such as "0" to the front.
  const field = (name: string, value: unknown) =>
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  if (metadata.size > 0) field("__metadata__", Object.fromEntries(metadata));
  let offset = 0;
  for (const [name, { dtype, shape }] of sorted) {
    checkName(name);
    const end = offset + tensorBytes(dtype, shape);
    if (Number.isNaN(end)) {
      throw new RangeError(
        `Cannot write tensor "${name}": fewer than 2^53 bytes must be its size, got shape [${shape.join(", ")}]`,
      );
    }
    field(name, { dtype, shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, LENGTH_BYTES);
  return { header, names: sorted.map(([name]) => name), size: header.length + offset };
}

function checkName(name: string): void {
  const isUnicode = new TextDecoder().decode(new TextEncoder().encode(name)) === name;
  if (name === "__metadata__" || name === "__proto__" || !isUnicode) {
    throw new TypeError(
      `Cannot write tensors: names must be Unicode other than "__metadata__" and "__proto__", got ${JSON.stringify(name)}`,
    );
  }
}

/** Sorted by type, then by the bytes of the name in UTF-8, which is the order of code points. */
function inFileOrder(
  tensors: ReadonlyMap<string, TensorDescription>,
): [string, TensorDescription][] {
  const encoder = new TextEncoder();
  return Array.from(tensors, ([name, tensor]) => ({
    rank: DTYPES.indexOf(tensor.dtype),
    key: encoder.encode(name),
    name,
    tensor,
  }))
    .toSorted((a, b) => a.rank - b.rank || compareBytes(a.key, b.key))
    .map(({ name, tensor }) => [name, tensor]);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
