/** A field of a protocol-buffer message: its number, and its value by wire type. */
export type ProtobufField =
  | { readonly number: number; readonly kind: "varint"; readonly value: number }
  | { readonly number: number; readonly kind: "fixed32"; readonly view: DataView }
  | { readonly number: number; readonly kind: "fixed64"; readonly view: DataView }
  | { readonly number: number; readonly kind: "bytes"; readonly bytes: Uint8Array };

/**
 * Walks the fields of a message in their order; nothing is copied, nothing allocated by a length
 * that the message claims.
 *
 * A varint is rounded to a double beyond 2⁵³; of a negative one, the low 32 bits are told.
 *
 * @throws {SyntaxError} If a field ends beyond the message, is numbered 0, or is a group.
 * @see {@link https://protobuf.dev/programming-guides/encoding/ | Encoding}
 */
export function* protobufFields(message: Uint8Array, file: string): Generator<ProtobufField> {
  const reader = new Reader(message, file);
  while (!reader.done) {
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    if (number < 1 || number >= 2 ** 29) {
      throw reader.wrong("fields must be numbered from 1", `number ${number}`);
    }
    const wireType = tag % 8;
    if (wireType === 0) yield { number, kind: "varint", value: reader.varint() };
    else if (wireType === 1) yield { number, kind: "fixed64", view: viewOf(reader.take(8)) };
    else if (wireType === 2) yield { number, kind: "bytes", bytes: reader.take(reader.varint()) };
    else if (wireType === 5) yield { number, kind: "fixed32", view: viewOf(reader.take(4)) };
    else throw reader.wrong("fields must have wire type 0, 1, 2 or 5", `type ${wireType}`);
  }
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  #at = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    const left = this.#bytes.length - this.#at;
    if (length < 0 || length > left) {
      throw this.wrong(`a field must end within its message, ${left} bytes on`, `${length} bytes`);
    }
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  varint(): number {
    let value = 0;
    let low = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw this.wrong("an integer must end within its message", "its end");
      this.#at++;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (i < 5) low |= (byte & 0x7f) << (7 * i);
      // Ten bytes hold the sign bit of 64.
      if (byte < 0x80) return i === 9 ? low : value;
    }
    throw this.wrong("an integer must have at most 10 bytes", "more");
  }

  wrong(rule: string, got: string): SyntaxError {
    const at = `byte ${this.#at} of a message`;
    return new SyntaxError(`Cannot read "${this.#file}": ${rule}, got ${got} at ${at}`);
  }
}
