/** Rounds to IEEE 754 half precision, ties to even: the bits, as a GPU stores them. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, (value) => {
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    const size = Math.abs(value);
    if (Number.isNaN(value)) return 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    const exponent = Math.max(-14, Math.floor(Math.log2(size)));
    const steps = roundToEven(size / 2 ** (exponent - 10));
    // A subnormal has no implicit bit; rounding up to the next power of two carries by itself.
    return sign | (((exponent + 14) << 10) + steps);
  });
}

/** A binary float of any width, by the definition of IEEE 754. */
export function floatOf(given: {
  readonly bits: number;
  readonly exponentBits: number;
  readonly fractionBits: number;
}): number {
  const { bits, exponentBits, fractionBits } = given;
  const fraction = bits % 2 ** fractionBits;
  const exponent = Math.floor(bits / 2 ** fractionBits) % 2 ** exponentBits;
  const sign = Math.floor(bits / 2 ** (fractionBits + exponentBits)) === 1 ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

/** Value of a half's bits. */
export function halfOf(bits: number): number {
  return floatOf({ bits, exponentBits: 5, fractionBits: 10 });
}

/** Values of the first `length` halves in a buffer. */
export function fromFloat16(buffer: ArrayBufferLike, length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(new Uint16Array(buffer, 0, length), halfOf);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
