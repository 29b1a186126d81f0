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
  const most = 8; // maxStorageBuffersPerShaderStage of the default limits
  for (const { name, buffers } of kernels) {
    const count = Object.keys(buffers).length;
    assert.ok(count <= most, `${name} must bind at most ${most} buffers, got ${count}`);
  }
});
