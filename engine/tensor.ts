/**
 * Element type of a tensor in GPU memory. The packed ones are for frozen matrices, which kernels
 * unpack as they read them: `bf16` is the upper half of an f32; `int8` and `int4` come in blocks
 * of {@linkcode BLOCK_LENGTH} along the last axis, whose rows are padded to whole blocks:
 *
 *     int8  9 words: scale f32, 32 × i8              w = scale · i
 *     int4  5 words: scale f16 | low f16, 32 × u4    w = scale · i + low
 */
export type DType = "f32" | "f16" | "u32" | PackedDType;

/** Element types that only a matrix product, a lookup or a conversion can read. */
export type PackedDType = "bf16" | "int8" | "int4";

/** Elements of a block of `int8` or `int4`. */
export const BLOCK_LENGTH = 32;

/** Bytes of a block of each quantized type. */
export const BLOCK_BYTES = { int8: 36, int4: 20 } as const;

/** Bytes per element of each {@linkcode DType} that does not come in blocks. */
const BYTES_PER_ELEMENT = { f32: 4, f16: 2, u32: 4, bf16: 2 } as const;

/** What a tensor's memory is for; `Plan.describe()` counts bytes by purpose. */
export type Purpose = "weights" | "gradients" | "optimizer" | "cache" | "inputs" | "activations";

/**
 * A dense, row-major array.
 *
 * Persistent tensors (weights, inputs, optimizer state) own a `buffer`, or are views of one that
 * does, and outlive plans.
 * Activations have none: a plan gives them memory, and takes it back when nothing needs them.
 */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly purpose: Purpose;
  /** Shown in errors and descriptions. */
  readonly label: string;
  /** Whether gradients flow into this tensor. */
  readonly needsGradient: boolean;
  /** Memory of a persistent tensor; absent for activations. */
  readonly buffer?: GPUBuffer;
  /** The tensor whose memory this is a part of, and where it begins in bytes. */
  readonly view?: { readonly of: Tensor; readonly byteOffset: number };
}

/** A trainable tensor; its gradient persists, so that micro-batches add up. */
export interface Parameter extends Tensor {
  readonly gradient: Tensor;
}

/** Whether a tensor is a {@linkcode Parameter}. */
export function isParameter(tensor: Tensor): tensor is Parameter {
  return "gradient" in tensor;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Bytes of a tensor's elements, rounded up to the 4 that WebGPU copies by. */
export function bytesOf({ shape, dtype }: Pick<Tensor, "shape" | "dtype">): number {
  return Math.max(4, Math.ceil(exactBytes(shape, dtype) / 4) * 4);
}

function exactBytes(shape: readonly number[], dtype: DType): number {
  if (dtype !== "int8" && dtype !== "int4") return sizeOf(shape) * BYTES_PER_ELEMENT[dtype];
  const blocks = Math.ceil((shape.at(-1) ?? 1) / BLOCK_LENGTH);
  return sizeOf(shape.slice(0, -1)) * blocks * BLOCK_BYTES[dtype];
}

/** `[2, 3] f32`, for error messages. */
export function describe({ shape, dtype }: Pick<Tensor, "shape" | "dtype">): string {
  return `[${shape.join(", ")}] ${dtype}`;
}

/**
 * Element type of a tensor that a kernel computes with.
 *
 * @throws {TypeError} If the elements are u32 or packed.
 */
export function storageOf(tensor: Tensor): "f32" | "f16" {
  if (tensor.dtype === "f32" || tensor.dtype === "f16") return tensor.dtype;
  throw new TypeError(
    `Cannot compute with "${tensor.label}": elements must be f32 or f16, got ${describe(tensor)}`,
  );
}

/** The tensor that holds the memory of `tensor`: itself, unless it is a view. */
export function rootOf(tensor: Tensor): Tensor {
  return tensor.view === undefined ? tensor : rootOf(tensor.view.of);
}

/** Where a tensor begins in the memory of {@linkcode rootOf}, in bytes. */
export function byteOffsetOf(tensor: Tensor): number {
  return tensor.view === undefined ? 0 : tensor.view.byteOffset + byteOffsetOf(tensor.view.of);
}

/** Bindings begin at multiples of this many bytes, the largest that WebGPU adapters may ask for. */
export const BINDING_ALIGNMENT = 256;

/**
 * Rows `[begin, end)` of the first axis, sharing the memory of `tensor`; they carry no gradient.
 *
 * @throws {RangeError} If the rows lie outside, or do not begin at a multiple of 256 bytes.
 */
export function rows(tensor: Tensor, begin: number, end: number): Tensor {
  const [length = 0, ...rest] = tensor.shape;
  const byteOffset = begin * exactBytes(rest, tensor.dtype);
  if (begin < 0 || end > length || begin >= end || byteOffset % BINDING_ALIGNMENT !== 0) {
    throw new RangeError(
      `Cannot view rows of "${tensor.label}" ${describe(tensor)}: rows must lie within [0, ${length}) ` +
        `and begin at a multiple of ${BINDING_ALIGNMENT} bytes, got [${begin}, ${end}) at byte ${byteOffset}`,
    );
  }
  const { dtype, purpose, label } = tensor;
  return {
    shape: [end - begin, ...rest],
    dtype,
    purpose,
    label: `${label}[${begin}:${end}]`,
    needsGradient: false,
    view: { of: tensor, byteOffset },
  };
}

/** Memory of the persistent ones among tensors. */
export function buffersOf(tensors: Iterable<Tensor>): GPUBuffer[] {
  return Array.from(tensors, (tensor) => rootOf(tensor).buffer ?? []).flat();
}

/** Frees the memory of persistent tensors, and with it that of all other views of the same. */
export function destroyAll(tensors: Iterable<Tensor>): void {
  for (const buffer of buffersOf(tensors)) buffer.destroy();
}

/** The same memory without a gradient: nothing flows back through it. */
export function detach(tensor: Tensor): Tensor {
  const { shape, dtype, purpose, label } = tensor;
  return {
    shape,
    dtype,
    purpose,
    label,
    needsGradient: false,
    view: { of: tensor, byteOffset: 0 },
  };
}
