/**
 * Half-precision floats on the host, as their bits: IEEE 754 binary16 (f16), and the upper half of
 * an f32 (bf16). Rounding is to nearest, ties to even. Not-a-numbers stay so, and widening and
 * narrowing again gives back the bits of every value, payloads of not-a-numbers included.
 */

const INFINITY = 0x7f80_0000;
/** The smallest f32, as bits, that rounds to an infinite f16: 65520. */
const F16_OVERFLOW = 0x477f_f000;
/** The smallest normal f16, as bits of an f32: 2⁻¹⁴. */
const F16_NORMAL = 0x3880_0000;
/** Half of the smallest f16 above zero, as bits of an f32: 2⁻²⁵, which ties to zero. */
const F16_UNDERFLOW = 0x3300_0000;

/** Bits of an f32 as those of the nearest f16. */
function narrowToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude >= F16_NORMAL && magnitude < F16_OVERFLOW) {
    const rebased = magnitude - ((127 - 15) << 23);
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= F16_UNDERFLOW) return sign;
  if (magnitude < F16_NORMAL) {
    const significand = (magnitude & 0x7f_ffff) | 0x80_0000;
    const shift = 126 - (magnitude >>> 23);
    const kept = significand >>> shift;
    return sign | ((significand + (1 << (shift - 1)) - 1 + (kept & 1)) >>> shift);
  }
  if (magnitude <= INFINITY) return sign | 0x7c00;
  const payload = (magnitude >>> 13) & 0x3ff;
  return sign | 0x7c00 | (payload === 0 ? 0x200 : payload);
}

/** Bits of an f16 as those of the same f32. */
function widenFloat16(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return sign | INFINITY | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 127 - 15) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const leading = Math.clz32(fraction) - 21; // places up to the tenth bit below the point
  return sign | ((113 - leading) << 23) | ((fraction << (leading + 13)) & 0x7f_ffff);
}

/** Bits of an f32 as those of the nearest bf16. */
function narrowToBfloat16(bits: number): number {
  const isNan = (bits & 0x7fff_ffff) > INFINITY;
  if (!isNan) return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  const upper = bits >>> 16;
  return (upper & 0x7f) === 0 ? upper | 0x40 : upper;
}

let widened: Uint32Array | undefined;

/** All 65,536 halves as bits of f32, made when first needed. */
function widenedTable(): Uint32Array {
  widened ??= Uint32Array.from({ length: 65_536 }, (_, bits) => widenFloat16(bits));
  return widened;
}

/** Values as f16 bits, rounded to nearest even. */
export function toFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = narrowToFloat16(bits[i]!);
  return halves;
}

/** f16 bits as values, exactly. */
export function fromFloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const table = widenedTable();
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = table[halves[i]!]!;
  return new Float32Array(bits.buffer);
}

/** Values as bf16 bits, rounded to nearest even. */
export function toBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = narrowToBfloat16(bits[i]!);
  return halves;
}

/** bf16 bits as values, exactly. */
export function fromBfloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

const scalar = new Float32Array(1);
const scalarBits = new Uint32Array(scalar.buffer);

/** f16 bits of one number, which is rounded to f32 first. */
export function float16Bits(value: number): number {
  scalar[0] = value;
  return narrowToFloat16(scalarBits[0]!);
}

/** The value of f16 bits. */
export function float16Value(half: number): number {
  scalarBits[0] = widenedTable()[half & 0xffff]!;
  return scalar[0]!;
}
