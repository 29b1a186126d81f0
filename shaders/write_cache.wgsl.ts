/**
 * Writes keys and values to their places in a cache; each row of a batch owns `capacity` places.
 *
 *     cache[row · capacity + places[token]] = x[token]      where places[token] < capacity
 *
 * One dispatch may write two caches of one shape, so that keys and values go together.
 */
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of {@linkcode writeCacheKernel} and {@linkcode writeCachesKernel}. */
export interface WriteCacheConstants extends LaneConstants {
  /** Storage of `x`. */
  readonly storage: Storage;
  /** Storage of the cache. */
  readonly cacheStorage: Storage;
  /** Elements that move together: 4 where the width of a token is a multiple of it, else 1. */
  readonly vector: 1 | 4;
}

/** `length`: vectors of all tokens; `width`: vectors of one. */
const PARAMS = { length: "u32", width: "u32", seqLen: "u32", capacity: "u32" } as const;

const ONE = {
  x: "read", // [numRows · seqLen, width]
  places: "read", // [numRows · seqLen]
  cache: "read_write", // [numRows · capacity, width]
} as const;

const TWO = {
  x: "read", // as above
  otherX: "read", // as x
  places: "read",
  cache: "read_write", // as above
  otherCache: "read_write", // as cache
} as const;

function code(
  { storage, cacheStorage, vector, ...lanes }: WriteCacheConstants,
  buffers: typeof ONE | typeof TWO,
): string {
  const typeOf = (element: string) => (vector === 4 ? `vec4<${element}>` : element);
  const bindings = storageBindings(buffers, (name) => {
    if (name === "places") return "u32";
    return name === "x" || name === "otherX" ? "X" : "C";
  });
  return wgsl`
    ${enableF16(storage === "f16" ? storage : cacheStorage)}
    alias X = ${typeOf(storage)};
    alias C = ${typeOf(cacheStorage)};
    ${paramsBinding(PARAMS)}
    ${bindings}

    ${mainOfElements(
      lanes,
      "params.length",
      `let token = i / params.width;
        let place = places[token];
        if (place < params.capacity) {
          let to = (token / params.seqLen * params.capacity + place) * params.width + i % params.width;
          cache[to] = C(x[i]);
          ${"otherX" in buffers ? "otherCache[to] = C(otherX[i]);" : ""}
        }`,
    )}`;
}

/** One cache. */
export const writeCacheKernel: Kernel<WriteCacheConstants, typeof PARAMS, typeof ONE> = {
  name: "writeCache",
  params: PARAMS,
  buffers: ONE,
  code: (constants) => code(constants, ONE),
};

/** Two caches of one shape, from two tensors of one shape. */
export const writeCachesKernel: Kernel<WriteCacheConstants, typeof PARAMS, typeof TWO> = {
  name: "writeCaches",
  params: PARAMS,
  buffers: TWO,
  code: (constants) => code(constants, TWO),
};
