import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { isNativeCallback, withoutSpinning } from "../../cli/platform/polling.ts";

const { adapter } = await openAdapter();
const device = await adapter.requestDevice();
after(() => device.destroy());

/** Prints as native code and has no name, like the function that Dawn hands over. */
function asNative(callback: () => void): () => void {
  return new Proxy(() => {}, { apply: callback });
}

test("isNativeCallback() knows an addon's function from JavaScript's", () => {
  const callback = (): void => {};
  assert.equal(isNativeCallback(asNative(callback), 0), true);
  assert.equal(isNativeCallback(asNative(callback), 1), false);
  assert.equal(isNativeCallback(callback, 0), false);
  assert.equal(isNativeCallback(callback.bind(undefined), 0), false);
});

test("withoutSpinning() passes JavaScript's callbacks to the original, arguments and all", async () => {
  const wrapped = withoutSpinning(setImmediate);
  const sum = await new Promise<number>((resolve) => {
    wrapped((a: number, b: number) => resolve(a + b), 40, 2);
  });
  assert.equal(sum, 42);
  assert.equal(await promisify(wrapped)("kept"), "kept");
});

test("withoutSpinning() slows an endless poll to one a millisecond", async () => {
  const wrapped = withoutSpinning(setImmediate);
  let numPolls = 0;
  let isOver = false;
  const poll = asNative(() => {
    numPolls++;
    if (!isOver) wrapped(poll);
  });
  wrapped(poll);
  await sleep(10);
  const before = numPolls;
  await sleep(100);
  isOver = true;
  assert.ok(numPolls - before <= 110, `expected at most 110 polls, got ${numPolls - before}`);
  assert.ok(numPolls - before >= 20, `expected at least 20 polls, got ${numPolls - before}`);
});

test("waiting for the device leaves the process idle", async () => {
  const target = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const spin = 50_000_000;
  const sink = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> sink: array<f32>;
      @compute @workgroup_size(1) fn main() {
        var x = sink[0];
        for (var i = 0u; i < ${spin}u; i++) { x = x * 0.9999 + 1.0; }
        sink[0] = x;
      }`,
  });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: sink } }],
    }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(sink, 0, target, 0, 16);
  device.queue.submit([encoder.finish()]);
  const begin = performance.eventLoopUtilization();
  await target.mapAsync(GPUMapMode.READ);
  const { utilization, active, idle } = performance.eventLoopUtilization(begin);
  // Spinning keeps the loop busy all the time; a poll a millisecond, a few percent.
  assert.ok(active + idle < 20 || utilization < 0.5, `the event loop was ${utilization} busy`);
});
