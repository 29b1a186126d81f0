import { philoxReference } from "./philox.ts";

/** Factor of each element under dropout: 0, or 1 / (1 − rate). */
export function dropoutReference({
  length,
  rate,
  randomness,
  id,
}: {
  length: number;
  rate: number;
  randomness: Uint32Array;
  id: number;
}): Float64Array {
  const [seedLow = 0, seedHigh = 0, step = 0, microBatch = 0] = randomness;
  const draws = Array.from({ length: Math.ceil(length / 4) }, (_, draw) =>
    philoxReference([draw, id, step, microBatch], [seedLow, seedHigh]),
  );
  return Float64Array.from(draws.flat().slice(0, length), (bits) =>
    bits >= rate * 2 ** 32 ? 1 / (1 - rate) : 0,
  );
}
