import type { Gpu, Values } from "../gpu.ts";
import { pack } from "../pack.ts";
import {
  BLOCK_LENGTH,
  bytesOf,
  type DType,
  describe,
  type Purpose,
  sizeOf,
  type Tensor,
} from "../tensor.ts";
import type { TensorMaker } from "./tunable.ts";

/** Values that are drawn once and repeated; a multiple of a block, and of 4 bytes as halves. */
const PATTERN_LENGTH = 2 ** 16;

interface Sample {
  readonly tensor: Tensor;
  readonly values: (() => Values) | undefined;
  readonly seed: number;
}

/**
 * Tensors to measure a kernel with, the same for each of its candidates: the one that is made as
 * the n-th is handed out again to whoever makes one like it as the n-th.
 */
export class SampleTensors {
  readonly #gpu: Gpu;
  readonly #samples = new Map<string, Sample>();
  #count = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** A maker for the next candidate. */
  begin(): TensorMaker {
    this.#count = 0;
    return (shape, options = {}) => this.#make(shape, options);
  }

  /** Gives tensors their first values again. */
  reset(tensors: Iterable<Tensor>): void {
    const wanted = new Set(tensors);
    for (const sample of this.#samples.values()) {
      if (wanted.has(sample.tensor)) this.#fill(sample);
    }
  }

  /** Frees all of them. */
  destroy(): void {
    for (const { tensor } of this.#samples.values()) tensor.buffer?.destroy();
    this.#samples.clear();
  }

  #make(
    shape: readonly number[],
    {
      dtype = "f32",
      purpose = "inputs",
      label = "sample",
      values,
    }: {
      readonly dtype?: DType;
      readonly purpose?: Purpose;
      readonly label?: string;
      readonly values?: () => Values;
    },
  ): Tensor {
    const seed = this.#count++;
    const key = `${seed} ${label} ${describe({ shape, dtype })}`;
    let sample = this.#samples.get(key);
    if (sample === undefined) {
      this.#gpu.checkFits(bytesOf({ shape, dtype }), `"${label}" ${describe({ shape, dtype })}`);
      const tensor = this.#gpu.tensor(shape, { label, dtype, purpose });
      sample = { tensor, values, seed };
      this.#samples.set(key, sample);
      this.#fill(sample);
    }
    return sample.tensor;
  }

  #fill({ tensor, values, seed }: Sample): void {
    if (values !== undefined) {
      this.#gpu.write(tensor, values());
      return;
    }
    const pattern = patternFor(tensor, seed);
    const length = lengthOf(tensor);
    for (let offset = 0; offset < length; offset += pattern.length) {
      const part = pattern.subarray(0, length - offset);
      this.#gpu.write(tensor, part, { offset });
    }
  }
}

/** Values as the tensor holds them, to be repeated until it is full. */
function patternFor({ shape, dtype }: Tensor, seed: number): Values {
  if (dtype === "u32") return new Uint32Array(PATTERN_LENGTH);
  const isBlocks = dtype === "int8" || dtype === "int4";
  if (isBlocks && (shape.at(-1) ?? 1) % BLOCK_LENGTH !== 0) {
    return pack(drawn(sizeOf(shape), seed), shape, dtype); // rows end in padding
  }
  return pack(drawn(PATTERN_LENGTH, seed), [PATTERN_LENGTH], dtype);
}

/** Values, or words of blocks. */
function lengthOf(tensor: Tensor): number {
  const isBlocks = tensor.dtype === "int8" || tensor.dtype === "int4";
  return isBlocks ? bytesOf(tensor) / 4 : sizeOf(tensor.shape);
}

/** Numbers in [-1, 1), by a linear congruential generator (Numerical Recipes, 3rd ed., §7.1). */
function drawn(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
