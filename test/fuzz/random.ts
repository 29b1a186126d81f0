/** Draws numbers that depend on the seed alone. */
export interface Random {
  /** From 0 to 1. */
  unit(): number;
  /** An integer from 0 to n - 1. */
  below(n: number): number;
  /** One of a list. */
  of<T>(list: readonly T[]): T;
}

/**
 * Random numbers of a case: those of seed, kind and index, so that any case can be made again
 * without those before it.
 */
export function randomOf(...keys: readonly (string | number)[]): Random {
  let state = 0;
  for (const character of keys.join("/")) state = mix(state ^ character.codePointAt(0)!);
  const unit = () => {
    state = (state + 0x9e37_79b9) | 0;
    return mix(state) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(unit() * n);
  return { unit, below, of: (list) => list[below(list.length)]! };
}

/** Every bit of the result depends on every bit of x. */
function mix(x: number): number {
  let y = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
  y = Math.imul(y ^ (y >>> 15), 0x735a_2d97);
  return (y ^ (y >>> 15)) >>> 0;
}
