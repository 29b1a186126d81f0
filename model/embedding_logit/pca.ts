import type { Gpu } from "../../engine/gpu.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { Plan, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { symmetricEigen } from "./symmetric_eigen.ts";

/** Vectors one after another. */
export interface Vectors {
  readonly count: number;
  readonly size: number;
  /** `[count, size]`. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** Principal components, the strongest first. */
export interface PrincipalComponents {
  readonly size: number;
  readonly numComponents: number;
  /** `[size]`. */
  readonly mean: Float64Array;
  /** Unit vectors, `[numComponents, size]`. */
  readonly directions: Float64Array;
  /** Variance along each, `[numComponents]`, descending. */
  readonly variances: Float64Array;
}

/** Vectors of a batch. */
const BATCH_VECTORS = 2048;

/** Directions with less than this share of the largest variance are rounding. */
const LEAST_SHARE = 1e-6;

/**
 * Principal components of vectors; products of the covariance on the device in f32 by batches,
 * which are added, and solved for eigenvectors, in float64.
 *
 * @returns As many components as have a variance beyond rounding.
 * @throws {RangeError} If there are fewer than two vectors, or not all are finite.
 */
export async function principalComponents(
  gpu: Gpu,
  { count, size, values }: Vectors,
): Promise<PrincipalComponents> {
  if (count < 2 || values.length !== count * size) {
    throw new RangeError(
      `Cannot find principal components: there must be at least 2 vectors of ${size}, got ${values.length / size}`,
    );
  }
  const mean = new Float64Array(size);
  values.forEach((value, i) => (mean[i % size]! += value / count));
  const covariance = await covarianceOf(gpu, { count, size, values }, mean);
  const { values: all, vectors } = symmetricEigen(covariance, size);
  const least = LEAST_SHARE * all[0]!;
  const end = all.findIndex((variance) => !(variance > least));
  const numComponents = end < 0 ? size : Math.max(1, end);
  return {
    size,
    numComponents,
    mean,
    directions: vectors.slice(0, numComponents * size),
    variances: all.slice(0, numComponents),
  };
}

/** `Σ (x − mean)(x − mean)ᵀ / (count − 1)`, `[size, size]`. */
async function covarianceOf(
  gpu: Gpu,
  { count, size, values }: Vectors,
  mean: Float64Array,
): Promise<Float64Array> {
  const rows = Math.min(BATCH_VECTORS, count, Math.floor(gpu.maxBindingBytes / (4 * size)));
  const x = gpu.tensor([rows, size], { label: "centered vectors" });
  const tape = new Tape(gpu);
  const c = tape.activation([size, size], { label: "products" });
  matmul(tape, "tn", { a: x, b: x, c });
  const plan = await new Plan(gpu, tape, { keep: [c] }).compile();
  const sum = new Float64Array(size * size);
  for (let begin = 0; begin < count; begin += rows) {
    const part = values.subarray(begin * size, Math.min(begin + rows, count) * size);
    const centered = new Float32Array(rows * size); // rows beyond the last vector add nothing
    part.forEach((value, i) => (centered[i] = value - mean[i % size]!));
    gpu.write(x, centered);
    const [products] = await submitAndRead(gpu, [plan], [plan.source(c)]);
    products!.forEach((product, i) => (sum[i]! += product / (count - 1)));
  }
  plan.destroy();
  x.buffer.destroy();
  return sum;
}

/**
 * Coordinates of vectors along the first components, each of variance one where the components
 * were found.
 *
 * @returns `[count, numComponents]`.
 */
export function project(
  { mean, directions, variances }: PrincipalComponents,
  { count, size, values }: Vectors,
  numComponents: number,
): Float32Array<ArrayBuffer> {
  const projected = new Float32Array(count * numComponents);
  for (let row = 0; row < count; row++) {
    for (let component = 0; component < numComponents; component++) {
      let sum = 0;
      for (let i = 0; i < size; i++) {
        sum += (values[row * size + i]! - mean[i]!) * directions[component * size + i]!;
      }
      projected[row * numComponents + component] = sum / Math.sqrt(variances[component]!);
    }
  }
  return projected;
}
