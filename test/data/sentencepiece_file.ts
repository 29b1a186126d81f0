const encoder = new TextEncoder();

/** A field of a protocol buffer: varint, float or bytes. */
export type Field = readonly [
  number: number,
  value: number | { float: number } | string | readonly number[],
];

/** Bytes of an integer. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** Fields of a message, one after the other. */
export function message(fields: readonly Field[]): number[] {
  return fields.flatMap(([number, value]) => {
    if (typeof value === "number") return [...varint(number * 8), ...varint(value)];
    if (typeof value === "object" && "float" in value) {
      const bytes = new Uint8Array(Float32Array.of(value.float).buffer);
      return [...varint(number * 8 + 5), ...bytes];
    }
    const bytes = typeof value === "string" ? [...encoder.encode(value)] : value;
    return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
  });
}

/** A piece of a vocabulary: its text, score and type. */
export const piece = (text: string, score: number, type?: number): Field => [
  1,
  message([[1, text], [2, { float: score }], ...(type === undefined ? [] : [[3, type] as const])]),
];
