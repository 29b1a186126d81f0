/**
 * Whether two values are deeply and strictly equal, as `isDeepStrictEqual` of Node has it: equal
 * prototypes, own enumerable fields and symbols; numbers by `Object.is`; binary data byte by byte;
 * maps and sets whatever their order; cycles that close alike.
 */
export function isDeepEqual(a: unknown, b: unknown): boolean {
  return same(a, b, new Map());
}

/** Pairs that are being compared: one met again inside itself is equal if the rest is. */
type Pairs = Map<object, object>;

function same(a: unknown, b: unknown, pairs: Pairs): boolean {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (typeof a === "function" || typeof b === "function") return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (tagOf(a) !== tagOf(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  if (pairs.has(a)) return pairs.get(a) === b;
  pairs.set(a, b);
  try {
    return sameContent(a, b, pairs) && sameFields(a, b, pairs);
  } finally {
    pairs.delete(a);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value);
}

/** What fields do not show. */
function sameContent(a: object, b: object, pairs: Pairs): boolean {
  if (ArrayBuffer.isView(a)) return ArrayBuffer.isView(b) && sameBytes(bytesOf(a), bytesOf(b));
  if (a instanceof ArrayBuffer) {
    return b instanceof ArrayBuffer && sameBytes(new Uint8Array(a), new Uint8Array(b));
  }
  if (a instanceof Set) return b instanceof Set && sameSets(a, b, pairs);
  if (a instanceof Map) return b instanceof Map && sameMaps(a, b, pairs);
  if (a instanceof Error) return b instanceof Error && sameErrors(a, b, pairs);
  if (a instanceof RegExp) {
    return b instanceof RegExp && String(a) === String(b) && a.lastIndex === b.lastIndex;
  }
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime());
  if (isBoxed(a)) return isBoxed(b) && Object.is(a.valueOf(), b.valueOf());
  // What a promise or a weak collection holds, nobody can see.
  return !(a instanceof Promise || a instanceof WeakMap || a instanceof WeakSet);
}

function isBoxed(value: object): boolean {
  return [Number, String, Boolean, BigInt, Symbol].some((type) => value instanceof type);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function sameErrors(a: Error, b: Error, pairs: Pairs): boolean {
  if (a.message !== b.message || a.name !== b.name) return false;
  return (["cause", "errors"] as const).every((key) => {
    if (Object.hasOwn(a, key) !== Object.hasOwn(b, key)) return false;
    return same(Reflect.get(a, key), Reflect.get(b, key), pairs);
  });
}

function sameFields(a: object, b: object, pairs: Pairs): boolean {
  // The elements of binary data were compared as bytes.
  const isBinary = ArrayBuffer.isView(a);
  const keys = fieldsOf(a, isBinary);
  if (keys.length !== fieldsOf(b, isBinary).length) return false;
  return keys.every((key) => {
    if (!Object.prototype.propertyIsEnumerable.call(b, key)) return false;
    return same(Reflect.get(a, key), Reflect.get(b, key), pairs);
  });
}

function fieldsOf(value: object, isBinary: boolean): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => {
    if (isBinary && typeof key === "string" && /^\d+$/.test(key)) return false;
    return Object.prototype.propertyIsEnumerable.call(value, key);
  });
}

function sameSets(a: Set<unknown>, b: Set<unknown>, pairs: Pairs): boolean {
  if (a.size !== b.size) return false;
  const rest = new Set([...b].filter((value) => !a.has(value)));
  for (const value of a) {
    if (b.has(value)) continue;
    const other = take(rest, (one) => isObject(value) && same(value, one, pairs));
    if (!other) return false;
  }
  return true;
}

function sameMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, pairs: Pairs): boolean {
  if (a.size !== b.size) return false;
  const rest = new Set([...b].filter(([key]) => !a.has(key)));
  for (const [key, value] of a) {
    if (b.has(key)) {
      if (!same(value, b.get(key), pairs)) return false;
      continue;
    }
    const other = take(
      rest,
      ([otherKey, otherValue]) =>
        isObject(key) && same(key, otherKey, pairs) && same(value, otherValue, pairs),
    );
    if (!other) return false;
  }
  return true;
}

/** Removes the first element that fits; whether there was one. */
function take<T>(values: Set<T>, fits: (value: T) => boolean): boolean {
  for (const value of values) {
    if (fits(value)) return values.delete(value);
  }
  return false;
}
