import { type Cursor, decodeUtf8 } from "./cursor.ts";

/** Types of values, by GGUF's number: how to read one, and its bytes. */
const SCALARS: ReadonlyMap<number, ScalarType> = new Map<number, ScalarType>([
  [0, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [1, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [2, { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  [3, { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [4, { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  [5, { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [6, { bytes: 4, read: (view, at) => view.getFloat32(at, true), isFloat32: true }],
  [7, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [10, { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
  [11, { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [12, { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
]);
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

/** Pairs of keys and values that a file may have; real ones have fewer than a hundred. */
const MAX_PAIRS = 4096;

/** Bytes of the shortest pair: an empty key, its type, one byte. */
const LEAST_PAIR_BYTES = 13;

/** Bytes of the shortest string, its length alone. */
const LEAST_STRING_BYTES = 8;

/** Largest size or count that a model may have. */
const MAX_SIZE = 2 ** 31 - 1;

interface ScalarType {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  readonly isFloat32?: boolean;
}

/** A value as it lies in the header, checked to lie within it, but not decoded yet. */
interface RawValue {
  readonly type: number;
  /** Number of elements; undefined unless it is an array. */
  readonly count?: number;
  readonly view: DataView<ArrayBuffer>;
}

/** What stands for a value that is absent. Without it, the key is required. */
interface Rule<T> {
  readonly orElse?: T;
}

/**
 * The metadata of a GGUF file, decoded one key at a time, so that vocabularies that nobody asks
 * for take no memory.
 *
 * @throws {SyntaxError} By each method: if the key is missing, or its value of another kind,
 * naming file and key.
 */
export class GgufMetadata {
  readonly file: string;
  readonly #values: ReadonlyMap<string, RawValue>;

  private constructor(file: string, values: ReadonlyMap<string, RawValue>) {
    this.file = file;
    this.#values = values;
  }

  /** Steps over so many pairs of keys and values, checking them. */
  static read(cursor: Cursor, count: number): GgufMetadata {
    if (count > Math.min(MAX_PAIRS, (cursor.limit - cursor.offset) / LEAST_PAIR_BYTES)) {
      throw cursor.problem(`pairs of metadata must be at most ${MAX_PAIRS} and fit in`, `${count}`);
    }
    const values = new Map<string, RawValue>();
    for (let i = 0; i < count; i++) {
      const key = cursor.string(`key ${i} of the metadata`);
      if (values.has(key)) throw cursor.problem("keys must be unique", quote(key));
      values.set(key, readValue(cursor, key));
    }
    return new GgufMetadata(cursor.file, values);
  }

  /** Whether there is a value. */
  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** A positive integer below 2^31. */
  size(key: string, rule: Rule<number> = {}): number {
    const value = this.#number(key, rule, "an integer from 1 to 2147483647");
    if (Number.isInteger(value) && value >= 1 && value <= MAX_SIZE) return value;
    return this.refuse(key, "must be an integer from 1 to 2147483647", `${value}`);
  }

  /** A finite number; one of 32 bits as the shortest decimal that stands for it, 1e-5 for 1e-5. */
  number(key: string, rule: Rule<number> = {}): number {
    const value = this.#number(key, rule, "a number");
    return Number.isFinite(value) ? value : this.refuse(key, "must be finite", `${value}`);
  }

  /** True or false; undefined where it is absent. */
  boolean(key: string): boolean | undefined {
    const raw = this.#values.get(key);
    if (raw === undefined) return undefined;
    const value = raw.view.byteLength === 1 ? raw.view.getUint8(0) : 2;
    if (raw.type === BOOL && value < 2) return value === 1;
    return this.refuse(key, "must be true or false", describe(raw));
  }

  /** A text; undefined where it is absent. */
  string(key: string): string | undefined {
    const raw = this.#values.get(key);
    if (raw === undefined) return undefined;
    if (raw.type !== STRING) return this.refuse(key, "must be a string", describe(raw));
    return this.#text(key, raw.view, LEAST_STRING_BYTES, raw.view.byteLength);
  }

  /** A list of texts; undefined where it is absent. */
  strings(key: string): string[] | undefined {
    const raw = this.#values.get(key);
    if (raw === undefined) return undefined;
    if (raw.type !== STRING || raw.count === undefined) {
      return this.refuse(key, "must be an array of strings", describe(raw));
    }
    const texts: string[] = [];
    for (let i = 0, at = 0; i < raw.count; i++) {
      const begin = at + LEAST_STRING_BYTES;
      at = begin + Number(raw.view.getBigUint64(at, true));
      texts.push(this.#text(key, raw.view, begin, at));
    }
    return texts;
  }

  /** Elements of a list; undefined where it is absent. */
  length(key: string): number | undefined {
    const raw = this.#values.get(key);
    return raw === undefined ? undefined : (raw.count ?? this.#notNumbers(key, raw));
  }

  /** A list of numbers, as f32; undefined where it is absent. */
  floats(key: string): Float32Array<ArrayBuffer> | undefined {
    const raw = this.#values.get(key);
    if (raw === undefined) return undefined;
    const type = SCALARS.get(raw.type);
    if (type === undefined || raw.count === undefined) return this.#notNumbers(key, raw);
    const values = new Float32Array(raw.count);
    for (let i = 0; i < values.length; i++) values[i] = type.read(raw.view, i * type.bytes);
    return values;
  }

  /** A list of bytes, whether they are called signed or not; undefined where it is absent. */
  bytes(key: string): Uint8Array<ArrayBuffer> | undefined {
    const raw = this.#values.get(key);
    if (raw === undefined) return undefined;
    if (raw.count === undefined || SCALARS.get(raw.type)?.bytes !== 1) {
      return this.refuse(key, "must be an array of bytes", describe(raw));
    }
    return new Uint8Array(raw.view.buffer, raw.view.byteOffset, raw.count);
  }

  /** Refuses a key that is there, whatever its value, unless it is a neutral number. */
  onlyNeutral(key: string, neutral: number, rule: string): void {
    if (this.has(key) && this.#number(key, {}, "a number") !== neutral) {
      this.refuse(key, rule, `${this.#number(key, {}, "a number")}`);
    }
  }

  /** Throws the error that a value breaks a rule. */
  refuse(key: string, rule: string, got: string): never {
    throw new SyntaxError(`Cannot read "${this.file}": ${quote(key)} ${rule}, got ${got}`);
  }

  #number(key: string, { orElse }: Rule<number>, kind: string): number {
    const raw = this.#values.get(key);
    if (raw === undefined) return orElse ?? this.refuse(key, `must be ${kind}`, "nothing");
    const type = SCALARS.get(raw.type);
    if (type === undefined || raw.type === BOOL || raw.count !== undefined) {
      return this.refuse(key, `must be ${kind}`, describe(raw));
    }
    const value = type.read(raw.view, 0);
    return type.isFloat32 === true ? shortestOfFloat32(value) : value;
  }

  #notNumbers(key: string, raw: RawValue): never {
    return this.refuse(key, "must be an array of numbers", describe(raw));
  }

  #text(key: string, view: DataView<ArrayBuffer>, begin: number, end: number): string {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + begin, end - begin);
    return decodeUtf8(bytes) ?? this.refuse(key, "must be UTF-8", "other bytes");
  }
}

/** Steps over one value and notes where it lies. */
function readValue(cursor: Cursor, key: string): RawValue {
  const what = `the value of ${quote(key)}`;
  const type = cursor.uint32(`the type of ${quote(key)}`);
  if (type !== ARRAY) {
    const begin = cursor.offset;
    skipValues(cursor, { type, count: 1, what });
    return { type, view: cursor.view(begin) };
  }
  const element = cursor.uint32(`the element type of ${quote(key)}`);
  // llama.cpp neither writes nor reads arrays of arrays.
  if (element === ARRAY) throw cursor.problem(`${what} must not nest arrays`, "an array of arrays");
  const least = SCALARS.get(element)?.bytes ?? LEAST_STRING_BYTES;
  const count = cursor.count(`the length of ${quote(key)}`, least);
  const begin = cursor.offset;
  skipValues(cursor, { type: element, count, what });
  return { type: element, count, view: cursor.view(begin) };
}

function skipValues(
  cursor: Cursor,
  { type, count, what }: { readonly type: number; readonly count: number; readonly what: string },
): void {
  const scalar = SCALARS.get(type);
  if (scalar !== undefined) {
    cursor.skip(scalar.bytes * count, what);
  } else if (type === STRING) {
    const length = `a length in ${what}`;
    for (let i = 0; i < count; i++) cursor.skip(cursor.uint64(length), what);
  } else {
    throw cursor.problem(`${what} must be of type 0 to 12`, `${type}`);
  }
}

/** The shortest decimal that rounds to an f32. */
function shortestOfFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

function describe({ type, count }: RawValue): string {
  const kind = type === STRING ? "string" : type === BOOL ? "boolean" : "number";
  return count === undefined ? `a ${kind}` : `an array of ${count} ${kind}s`;
}

/** A key or name in quotation marks, cut where it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
