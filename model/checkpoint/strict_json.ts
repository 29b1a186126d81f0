/** What a JSON value can be. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object whose keys are all its own. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Objects and arrays within each other; Hugging Face's files need fewer than ten. */
const MAX_DEPTH = 64;

/**
 * Reads a file that must hold one JSON object, more strictly than `JSON.parse()`: a key that
 * occurs twice, which would silently win or lose, the key `"__proto__"`, nesting deeper than 64
 * and bytes that are not UTF-8 are errors.
 *
 * @param bytes Content of the file.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} If the content is anything else, naming the file and the key.
 */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SyntaxError(`Cannot read "${file}": it must be UTF-8, got other bytes`);
  }
  checkNesting(text, file);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new SyntaxError(`Cannot read "${file}": it must be JSON, got ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (!isJsonObject(value)) {
    throw new SyntaxError(`Cannot read "${file}": it must hold a JSON object, got ${brief(value)}`);
  }
  return value;
}

/**
 * Bytes of a JSON file, indented, that {@linkcode parseJsonObject} reads back as it was, but for
 * -0, which becomes 0.
 *
 * @param value What to write.
 * @param file Name of the file, for errors.
 * @throws {TypeError} If it holds anything that JSON drops or alters, such as NaN or a `Map`.
 * @throws {SyntaxError} If it is nested too deep or has a key `"__proto__"`.
 */
export function encodeJson(value: JsonObject, file: string): Uint8Array<ArrayBuffer> {
  checkJson(value, file);
  const bytes = new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  parseJsonObject(bytes, file);
  return bytes;
}

/** Whether a value is an object, and neither null nor an array. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as text of at most 60 characters, for errors. */
export function brief(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Checks that a value is made of nothing but what JSON can hold. */
function checkJson(value: unknown, path: string): void {
  if (value === null || typeof value === "boolean" || typeof value === "string") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) checkJson(element, `${path}[${index}]`);
    return;
  }
  if (typeof value === "object" && isPlain(value)) {
    for (const [key, element] of Object.entries(value)) checkJson(element, `${path}.${key}`);
    return;
  }
  const kind = typeof value === "object" ? value.constructor.name : typeof value;
  throw new TypeError(
    `Cannot write JSON: ${path} must be a finite number, text, true, false, null, an array or a ` +
      `plain object, got ${typeof value === "number" ? value : kind}`,
  );
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Walks through JSON text once, without recursion, and looks at depth and keys. It need not
 * understand text that is no JSON: parsing follows.
 */
function checkNesting(text: string, file: string): void {
  /** Keys seen in each open object; null for an open array. */
  const open: (Set<string> | null)[] = [];
  let expectsKey = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      const end = endOfString(text, i);
      if (expectsKey) checkKey(text.slice(i, end + 1), { keys: open.at(-1), file });
      expectsKey = false;
      i = end;
    } else if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : null);
      expectsKey = character === "{";
      if (open.length > MAX_DEPTH) {
        throw new SyntaxError(
          `Cannot read "${file}": values may be nested ${MAX_DEPTH} deep, got more`,
        );
      }
    } else if (character === "}" || character === "]") {
      open.pop();
      expectsKey = false;
    } else if (character === ",") {
      expectsKey = open.at(-1) instanceof Set;
    }
  }
}

/** Index of the quotation mark that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i;
}

function checkKey(
  literal: string,
  { keys, file }: { readonly keys: Set<string> | null | undefined; readonly file: string },
): void {
  let key: string;
  try {
    key = JSON.parse(literal) as string; // the same key may be written in several ways
  } catch {
    return; // parsing the whole text fails alike, and says where
  }
  if (key === "__proto__" || keys?.has(key) === true) {
    const rule = key === "__proto__" ? 'keys must not be "__proto__"' : "keys must be unique";
    throw new SyntaxError(`Cannot read "${file}": ${rule}, got ${brief(key)}`);
  }
  keys?.add(key);
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.length > 120 ? `${message.slice(0, 120)}…` : message;
}
