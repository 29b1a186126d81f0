import assert from "node:assert/strict";
import { Gpu } from "../engine/gpu.ts";

/** Options of `Gpu.open()`, whatever they come to be. */
type GpuOptions = Parameters<typeof Gpu.open>[1];

/**
 * Opens the GPU of this runtime: `navigator.gpu` where there is one (Deno),
 * Dawn under Node. A suite that finds none fails here, with the remedy.
 *
 * Destroy it when the file's tests are over, or the process may not exit:
 *
 *     const gpu = await openGpu();
 *     after(() => gpu.destroy());
 */
export async function openGpu(options?: GpuOptions): Promise<Gpu> {
  return Gpu.open(await openTestAdapter(), options);
}

/** Opens an adapter of this runtime; each one gives out a single device. */
export async function openTestAdapter(): Promise<GPUAdapter> {
  const entry = globalThis.navigator?.gpu as GPU | undefined;
  if (entry === undefined) {
    const { openAdapter } = await import("../cli/platform/dawn.ts");
    return (await openAdapter()).adapter;
  }
  const adapter = await entry.requestAdapter();
  if (adapter === null) {
    throw new Error(
      "Cannot open an adapter: this runtime must offer one Vulkan, Metal or Direct3D 12 driver, got none; install one with: npx tenure setup-adapter",
    );
  }
  return adapter;
}

/** Deterministic values in [-1, 1): the same on every run and every machine. */
export function uniform(length: number, seed: number): Float32Array<ArrayBuffer> {
  // The state begins far from the seed, or neighboring seeds would give neighboring values.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes, 3rd ed., §7.1
    return state / 2 ** 31 - 1;
  });
}

/** How far values may lie from what is expected: atol + rtol·|expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Asserts |actual − expected| ≤ atol + rtol·|expected|, and names the worst element. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { what, rtol, atol }: Tolerance & { readonly what: string },
): void {
  assert.equal(
    actual.length,
    expected.length,
    `${what}: expected ${expected.length} values, got ${actual.length}`,
  );
  let worst = 0;
  let excess = -Infinity;
  for (let i = 0; i < expected.length; i++) {
    const over = Math.abs(actual[i]! - expected[i]!) - (atol + rtol * Math.abs(expected[i]!));
    if (over <= excess) continue;
    [worst, excess] = [i, over];
    if (Number.isNaN(over)) break; // nothing is worse
  }
  assert.ok(
    excess <= 0,
    `${what} is wrong at [${worst}]: expected ${expected[worst]}, got ${actual[worst]} (rtol ${rtol}, atol ${atol})`,
  );
}
