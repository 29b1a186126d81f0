import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnyKernel } from "../../engine/tape.ts";
import * as shaders from "../../shaders/mod.ts";

function isKernel(value: unknown): value is AnyKernel {
  return typeof value === "object" && value !== null && "code" in value && "buffers" in value;
}

const exported: readonly unknown[] = Object.values(shaders);
const kernels = [
  ...exported,
  ...Object.values(shaders.activationForward),
  ...Object.values(shaders.activationBackward),
].filter(isKernel);

test("kernels have names of their own, by which pipelines are cached", () => {
  assert.ok(kernels.length >= 30, `expected all kernels, got ${kernels.length}`);
  assert.equal(new Set(kernels.map(({ name }) => name)).size, kernels.length);
});

test("kernels bind no more buffers than every WebGPU device has", () => {
  // 8 in the default limits; attention's gradients ask for more, as every desktop driver grants.
  for (const { name, buffers } of kernels) {
    const most = name.startsWith("attentionBackward") ? 10 : 8;
    const count = Object.keys(buffers).length;
    assert.ok(count <= most, `${name} must bind at most ${most} buffers, got ${count}`);
  }
});
