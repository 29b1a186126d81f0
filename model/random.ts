/**
 * Normal deviates from a counter-based generator: element `i` of a stream depends on nothing but
 * the seed, the stream and `i`.
 *
 * Bits by the "lowbias32" mixer over (seed, stream, counter); Box–Muller transform.
 *
 * @see {@link https://doi.org/10.1214/aoms/1177706645 | Box & Muller, 1958}
 *
 * @param length How many.
 * @param options Seed and stream that name the sequence; standard deviation.
 */
export function normal(
  length: number,
  {
    seed,
    stream,
    deviation,
  }: { readonly seed: number; readonly stream: number; readonly deviation: number },
): Float32Array<ArrayBuffer> {
  const key = keyOf(seed, stream);
  const values = new Float32Array(length);
  for (let i = 0; i < length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(unit(key, i)));
    const angle = 2 * Math.PI * unit(key, i + 1);
    values[i] = radius * Math.cos(angle);
    if (i + 1 < length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/**
 * Uniform deviates in (−bound, bound] from the same generator.
 *
 * @param length How many.
 * @param options Seed and stream that name the sequence; bound of the values.
 */
export function uniform(
  length: number,
  {
    seed,
    stream,
    bound,
  }: { readonly seed: number; readonly stream: number; readonly bound: number },
): Float32Array<ArrayBuffer> {
  const key = keyOf(seed, stream);
  return Float32Array.from({ length }, (_, i) => bound * (2 * unit(key, i) - 1));
}

function keyOf(seed: number, stream: number): number {
  return mix(mix(seed >>> 0) ^ Math.imul(stream + 1, 0x9e37_79b1));
}

/** In (0, 1]: never zero, so that its logarithm exists. */
function unit(key: number, counter: number): number {
  return (mix(key + Math.imul(counter, 0x9e37_79b1)) + 1) / 2 ** 32;
}

function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
  x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
  return (x ^ (x >>> 16)) >>> 0;
}
