/**
 * Tensors larger than a binding: a buffer may be as large as `maxBufferSize`, but a kernel sees at
 * most `maxStorageBufferBindingSize` of it at a time. Ops bind such tensors part by part.
 */
import { BINDING_ALIGNMENT, bytesOf, describe, rows, sizeOf, type Tensor } from "./tensor.ts";

/** From `begin` up to, not including, `end`. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** What {@linkcode rowChunks} may be asked for. */
export interface RowChunkOptions {
  /** Chunks begin at multiples of this many rows where as many fit. @default {1} */
  readonly multiple?: number;
}

/**
 * Splits the first axis of a tensor into ranges that can each be bound: the fewest there can be of
 * one length, the last one perhaps shorter, each beginning where a binding may.
 *
 * @param tensor `[numRows, …]`, of any dtype.
 * @param maxBytes Most bytes of a range; any number, `Infinity` too.
 * @returns In order; a single range where the tensor fits.
 * @throws {RangeError} If so few rows fit that the second range could not be bound.
 */
export function rowChunks(
  tensor: Tensor,
  maxBytes: number,
  { multiple = 1 }: RowChunkOptions = {},
): readonly Range[] {
  const [numRows = 1] = tensor.shape;
  if (bytesOf(tensor) <= maxBytes) return [{ begin: 0, end: numRows }];
  const { step, most } = fittingRows(tensor, maxBytes);
  const preferred = lcm(step, multiple);
  const unit = preferred <= most ? preferred : step;
  const limit = Math.floor(most / unit) * unit;
  const numChunks = Math.ceil(numRows / limit);
  const length = Math.ceil(numRows / numChunks / unit) * unit;
  return Array.from({ length: Math.ceil(numRows / length) }, (_, index) => ({
    begin: index * length,
    end: Math.min((index + 1) * length, numRows),
  }));
}

/**
 * How many rows can be bound at once.
 *
 * @returns `step`: ranges must begin at its multiples; `most`: the largest multiple that fits.
 * @throws {RangeError} If not even `step` rows fit.
 */
export function fittingRows(
  tensor: Tensor,
  maxBytes: number,
): { readonly step: number; readonly most: number } {
  const [, ...rest] = tensor.shape;
  // As many rows as an alignment has bytes begin wherever one of them may, whatever the dtype.
  const blockBytes = bytesOf({ shape: [BINDING_ALIGNMENT, ...rest], dtype: tensor.dtype });
  const step = BINDING_ALIGNMENT / gcd(BINDING_ALIGNMENT, blockBytes / BINDING_ALIGNMENT);
  const stepBytes = (blockBytes / BINDING_ALIGNMENT) * step;
  const most = maxBytes === Infinity ? Infinity : Math.floor(maxBytes / stepBytes) * step;
  if (most === 0) {
    throw new RangeError(
      `Cannot split "${tensor.label}" ${describe(tensor)}: this device must bind ${step} rows of ${stepBytes} bytes at once, got a limit of ${maxBytes}`,
    );
  }
  return { step, most };
}

/** Rows of a tensor, or the tensor itself where the range has them all. */
export function part(tensor: Tensor, { begin, end }: Range): Tensor {
  return begin === 0 && end === tensor.shape[0] ? tensor : rows(tensor, begin, end);
}

/** The same elements along a single axis; carries no gradient. */
export function flat(tensor: Tensor): Tensor {
  const { dtype, purpose, label } = tensor;
  return {
    shape: [sizeOf(tensor.shape)],
    dtype,
    purpose,
    label,
    needsGradient: false,
    view: { of: tensor, byteOffset: 0 },
  };
}

/** The same range of elements of every tensor; the tensors themselves where it has them all. */
export function flatParts<Names extends string>(
  tensors: Readonly<Record<Names, Tensor>>,
  range: Range,
): Readonly<Record<Names, Tensor>> {
  const parts = Object.entries<Tensor>(tensors).map(([name, tensor]) => {
    const isWhole = range.begin === 0 && range.end === sizeOf(tensor.shape);
    return [name, isWhole ? tensor : part(flat(tensor), range)];
  });
  return Object.fromEntries(parts) as Record<Names, Tensor>;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}
