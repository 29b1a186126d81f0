import { fromFloat16, toFloat16 } from "../../engine/float16.ts";
import type { Gpu, Values } from "../../engine/gpu.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { type DType, type Parameter, rootOf, sizeOf, type Tensor } from "../../engine/tensor.ts";

/** A tensor and what it holds, as the device sees it: after rounding or packing. */
export interface CaseTensor<T extends Tensor = Tensor> {
  readonly tensor: T;
  readonly values: Float32Array<ArrayBuffer>;
}

/** How the values of a tensor are stored and how large they are. */
export interface FillOptions {
  readonly dtype?: WeightDType;
  /** Values lie in ±scale. @default {1} */
  readonly scale?: number;
}

/** Values that are written at a time: a buffer of a gigabyte need not be staged at once. */
const WRITE_LENGTH = 2 ** 24;

/** Makes the inputs of one case on a device, from seeded values, and frees them. */
export class CaseTensors {
  readonly gpu: Gpu;
  readonly #isDry: boolean;
  readonly #owned: { destroy(): void }[] = [];
  #seed = 0;

  /**
   * @param gpu Where to.
   * @param options `isDry`: makes tensors without values, to know what a case takes. @default {false}
   */
  constructor(gpu: Gpu, { isDry = false }: { readonly isDry?: boolean } = {}) {
    this.gpu = gpu;
    this.#isDry = isDry;
  }

  /** A persistent tensor that carries no gradient. */
  tensor(label: string, shape: readonly number[], options: FillOptions = {}): CaseTensor {
    const { dtype = "f32", scale = 1 } = options;
    const tensor = this.empty(label, shape, dtype);
    const drawn = this.values(sizeOf(shape), scale);
    if (this.#isDry) return { tensor, values: drawn };
    const [stored, values] = store(drawn, shape, dtype);
    this.write(tensor, stored);
    return { tensor, values };
  }

  /** As {@linkcode tensor}, and a gradient flows back to it as to an activation: stored, not added. */
  activation(label: string, shape: readonly number[], options: FillOptions = {}): CaseTensor {
    const { tensor, values } = this.tensor(label, shape, options);
    return { tensor: { ...tensor, needsGradient: true }, values };
  }

  /** A trainable f32 tensor. */
  parameter(
    label: string,
    shape: readonly number[],
    { scale = 1 }: Pick<FillOptions, "scale"> = {},
  ): CaseTensor<Parameter> {
    const values = this.values(sizeOf(shape), scale);
    const tensor = this.gpu.parameter(shape, { label });
    this.own({
      destroy: () => {
        rootOf(tensor).buffer?.destroy();
        rootOf(tensor.gradient).buffer?.destroy();
      },
    });
    this.write(tensor, values);
    return { tensor, values };
  }

  /** A persistent tensor of zeros: where a result goes. */
  empty(label: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    const tensor = this.gpu.tensor(shape, { label, dtype });
    this.own(tensor.buffer);
    return tensor;
  }

  /** A persistent u32 tensor. */
  integers(label: string, values: Uint32Array<ArrayBuffer>): Tensor {
    const tensor = this.empty(label, [values.length], "u32");
    this.write(tensor, values);
    return tensor;
  }

  /** Overwrites a tensor that was made here. */
  write(tensor: Tensor, values: Values): void {
    if (this.#isDry) return;
    for (let offset = 0; offset < values.length; offset += WRITE_LENGTH) {
      this.gpu.write(tensor, values.subarray(offset, offset + WRITE_LENGTH), { offset });
    }
  }

  /** Seeded values in ±scale: the same for the same order of calls; none in a dry run. */
  values(length: number, scale = 1): Float32Array<ArrayBuffer> {
    if (this.#isDry) return new Float32Array(0);
    const draw = uniform(++this.#seed);
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++) values[i] = scale * draw();
    return values;
  }

  /** Seeded integers below `end`. */
  indices(length: number, end: number): Uint32Array<ArrayBuffer> {
    const draw = uniform(++this.#seed);
    return Uint32Array.from({ length }, () =>
      Math.min(end - 1, Math.floor(((draw() + 1) / 2) * end)),
    );
  }

  /** Frees something else together with the tensors. */
  own<T extends { destroy(): void }>(one: T): T {
    this.#owned.push(one);
    return one;
  }

  /** Frees all that was made. */
  destroy(): void {
    for (const one of this.#owned.splice(0)) one.destroy();
  }
}

/** What is written to the device, and what the device then sees. */
function store(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  dtype: WeightDType,
): readonly [stored: Values, values: Float32Array<ArrayBuffer>] {
  if (dtype === "f32") return [values, values];
  if (dtype === "f16") {
    const halves = toFloat16(values);
    return [halves, fromFloat16(halves)];
  }
  const packed = pack(values, shape, dtype);
  return [packed, unpack(packed, shape, dtype)];
}

/**
 * Uniform numbers in [-1, 1) by xorshift.
 *
 * @see {@link https://www.jstatsoft.org/v08/i14/paper | Marsaglia, 2003}
 */
export function uniform(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}
