import type { Random } from "./random.ts";

/** Content of a file. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** One change of a file; it applies to any bytes, so that changes before it can be left out. */
export interface Change {
  readonly name: string;
  readonly apply: (bytes: Bytes) => Bytes;
}

/** How the text in a file is found, and put back. */
export interface TextPart {
  /** Where it lies; undefined if the file is too short to have any. */
  readonly find: (bytes: Bytes) => readonly [begin: number, end: number] | undefined;
  /** Whether the eight bytes before it count its length. */
  readonly hasLength: boolean;
}

/** A file that is JSON throughout. */
export const WHOLE_TEXT: TextPart = { find: ({ length }) => [0, length], hasLength: false };

/** The header of a safetensors file. */
export const HEADER_TEXT: TextPart = {
  find(bytes) {
    if (bytes.length < 10) return undefined;
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    return [8, Math.min(bytes.length, 8 + length)];
  },
  hasLength: true,
};

/** Integers at the edges of what 8, 16, 31, 32, 53, 63 and 64 bits hold. */
const EDGES = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0xffffn, 2n ** 20n, 2n ** 31n - 1n, 2n ** 31n]
  .concat([2n ** 32n - 1n, 2n ** 32n, 2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n])
  .concat([2n ** 63n, 2n ** 64n - 1n]);

/** What a token of JSON is replaced by. */
const TOKENS = ["0", "1", "-1", "2", "1.5", "1e9", "1e308", "1e999", "-0", "null", "true", "false"]
  .concat(["4294967296", "9007199254740991", "9007199254740993", "9".repeat(400)])
  .concat(['""', '"a"', '"__proto__"', '"constructor"', '"\\ud800"', '"\\u0000"', '"../x"'])
  .concat(["[]", "{}", "[0]", '{"a":1}', '{"__proto__":{"a":1}}', '"F64"', '"I64"', "[[]]"])
  .concat(["[".repeat(10_000), "[".repeat(70) + "]".repeat(70), '{"a":'.repeat(10_000), ",", ":"])
  .concat([`"${"x".repeat(10_000)}"`, '"Unigram"', '"BPE"', '"Replace"', '{"Regex":"(a+)+$"}']);

const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** Changes of a file: most have one, since what is wrong twice is seldom read far. */
const COUNTS = [1, 1, 1, 1, 2, 4];

/** One to four changes of a file. */
export function drawChanges(random: Random, text: TextPart | undefined): Change[] {
  return Array.from({ length: random.of(COUNTS) }, () =>
    text !== undefined && random.unit() < 0.5 ? textChange(random, text) : byteChange(random),
  );
}

/** Makes changes, one after the other. */
export function applyChanges(bytes: Bytes, changes: readonly Change[]): Bytes {
  return changes.reduce(
    (file, { apply }) => (file.length === 0 ? file : apply(file)),
    bytes.slice(),
  );
}

/** A place in a file; three of four in its first bytes, where headers are. */
function place(random: Random): (bytes: Bytes) => number {
  const at = random.unit();
  const most = random.unit() < 0.75 ? 2 ** (5 + random.below(7)) : Infinity;
  return ({ length }) => Math.floor(at * Math.min(length, most));
}

function byteChange(random: Random): Change {
  const at = place(random);
  const other = place(random);
  const bit = 1 << random.below(8);
  const byte = random.below(256);
  const edge = random.of(EDGES);
  const count = 1 + random.below(random.of([4, 64, 1024]));
  const kinds: readonly Change[] = [
    { name: "flip a bit", apply: (bytes) => put(bytes, at(bytes), [bytes[at(bytes)]! ^ bit]) },
    { name: "set a byte", apply: (bytes) => put(bytes, at(bytes), [byte]) },
    { name: "set 32 bits", apply: (bytes) => put(bytes, at(bytes), littleEndian(edge, 4)) },
    { name: "set 64 bits", apply: (bytes) => put(bytes, at(bytes), littleEndian(edge, 8)) },
    {
      name: "set a length",
      apply: (bytes) => put(bytes, lengthPlace(bytes, at(bytes)), littleEndian(edge, 8)),
    },
    { name: "truncate", apply: (bytes) => bytes.slice(0, at(bytes)) },
    { name: "cut out", apply: (bytes) => splice(bytes, at(bytes), { skip: count, put: [] }) },
    {
      name: "copy within",
      apply: (bytes) => bytes.slice().copyWithin(at(bytes), other(bytes), other(bytes) + count),
    },
    {
      name: "repeat",
      apply: (bytes) =>
        splice(bytes, at(bytes), { skip: 0, put: bytes.slice(other(bytes), other(bytes) + count) }),
    },
    {
      name: "insert",
      apply: (bytes) =>
        splice(bytes, at(bytes), { skip: 0, put: new Uint8Array(count).fill(byte) }),
    },
    {
      name: "clear",
      apply: (bytes) => put(bytes, at(bytes), new Uint8Array(count)),
    },
  ];
  return random.of(kinds);
}

function textChange(random: Random, part: TextPart): Change {
  const [at, other] = [random.unit(), random.unit()];
  const value = random.of(TOKENS);
  const kinds: readonly { name: string; edit: (tokens: string[]) => void }[] = [
    { name: "replace a token", edit: (tokens) => replace(tokens, index(tokens, at), value) },
    { name: "remove a token", edit: (tokens) => replace(tokens, index(tokens, at), "") },
    {
      name: "insert a token",
      edit: (tokens) => void tokens.splice(index(tokens, at), 0, value),
    },
    {
      name: "swap two tokens",
      edit(tokens) {
        const [a, b] = [index(tokens, at), index(tokens, other)];
        const first = tokens[a]!;
        replace(tokens, a, tokens[b]!);
        replace(tokens, b, first);
      },
    },
    {
      name: "duplicate a key",
      edit(tokens) {
        const begin = tokens.indexOf(":", index(tokens, at)) - 1;
        if (begin < 0) return;
        tokens.splice(begin, 0, tokens[begin]!, ":", value, ",");
      },
    },
    {
      name: "put spaces between tokens",
      edit(tokens) {
        for (const i of tokens.keys()) tokens[i] += " ".repeat(1 + Math.floor(3 * at));
      },
    },
    {
      name: "replace a number",
      edit(tokens) {
        const numbers = [...tokens.keys()].filter((i) => /^-?\d/.test(tokens[i]!));
        const chosen = numbers[Math.floor(at * numbers.length)];
        if (chosen !== undefined) tokens[chosen] = value;
      },
    },
    {
      name: "repeat a stretch",
      edit(tokens) {
        const begin = index(tokens, at);
        tokens.splice(begin, 0, ...tokens.slice(begin, begin + 1 + Math.floor(other * 40)));
      },
    },
  ];
  const { name, edit } = random.of(kinds);
  return { name, apply: (bytes) => editText(bytes, part, edit) };
}

function editText(bytes: Bytes, part: TextPart, edit: (tokens: string[]) => void): Bytes {
  const range = part.find(bytes);
  if (range === undefined) return bytes;
  const [begin, end] = range;
  // Bytes as characters, so that what is not UTF-8 stays as it is.
  const text = latin(bytes.subarray(begin, end));
  const tokens = text.match(JSON_TOKEN);
  if (tokens === null) return bytes;
  edit(tokens);
  const changed = Uint8Array.from(tokens.join(""), (character) => character.charCodeAt(0));
  const spliced = splice(bytes, begin, { skip: end - begin, put: changed });
  return part.hasLength ? put(spliced, 0, littleEndian(BigInt(changed.length), 8)) : spliced;
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** The next place that looks like a small integer of 64 bits, as lengths and counts are. */
function lengthPlace(bytes: Bytes, from: number): number {
  const isLength = (at: number) =>
    (bytes[at]! !== 0 || bytes[at + 1]! !== 0) &&
    bytes.subarray(at + 2, at + 8).every((byte) => byte === 0);
  const end = Math.min(bytes.length - 8, from + 4096);
  for (let at = from; at < end; at++) if (isLength(at)) return at;
  return from;
}

function put(bytes: Bytes, at: number, values: ArrayLike<number>): Bytes {
  const changed = bytes.slice();
  const length = Math.min(values.length, bytes.length - at);
  for (let i = 0; i < length; i++) changed[at + i] = values[i]!;
  return changed;
}

function splice(
  bytes: Bytes,
  at: number,
  { skip, put: values }: { readonly skip: number; readonly put: ArrayLike<number> },
): Bytes {
  const rest = bytes.subarray(Math.min(bytes.length, at + skip));
  const changed = new Uint8Array(at + values.length + rest.length);
  changed.set(bytes.subarray(0, at));
  changed.set(values, at);
  changed.set(rest, at + values.length);
  return changed;
}

function littleEndian(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes.subarray(0, length);
}

function index(tokens: readonly string[], at: number): number {
  return Math.floor(at * tokens.length);
}

function replace(tokens: string[], at: number, value: string): void {
  tokens[at] = value;
}
