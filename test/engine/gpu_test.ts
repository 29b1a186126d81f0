import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Gpu, GpuLostError, isSoftware } from "../../engine/gpu.ts";
import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { openGpu, openTestAdapter, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

test("open() asks for the adapter's own limits and for every feature with a use", async () => {
  const adapter = await openTestAdapter();
  const { limits, features } = gpu.device;
  for (const limit of [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxStorageBuffersPerShaderStage",
    "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension",
  ] as const) {
    assert.equal(limits[limit], adapter.limits[limit], limit);
  }
  for (const feature of ["shader-f16", "timestamp-query", "subgroups"] as const) {
    assert.equal(features.has(feature), adapter.features.has(feature), feature);
  }
});

test("open() lets the variant and subgroups be overruled", async () => {
  for (const variant of ["flat", "tiled"] as const) {
    const opened = await openGpu({ variant, subgroups: false });
    assert.equal(opened.variant, variant);
    assert.equal(opened.subgroupSize, 0);
    opened.destroy();
  }
  assert.equal(gpu.variant, isSoftware(gpu.info) ? "flat" : "tiled");
});

test("isSoftware() knows the drivers that run on the CPU", () => {
  const isSoftwareNamed = (names: Partial<GPUAdapterInfo>) =>
    isSoftware({
      vendor: "",
      architecture: "",
      device: "",
      description: "",
      isFallbackAdapter: false,
      ...names,
    } as GPUAdapterInfo);
  assert.equal(isSoftwareNamed({ description: "llvmpipe (LLVM 19.1.7, 256 bits)" }), true);
  assert.equal(isSoftwareNamed({ device: "SwiftShader Device (Subzero)" }), true);
  assert.equal(isSoftwareNamed({ description: "NVIDIA H100" }), false);
  assert.equal(isSoftwareNamed({ description: "WARP", isFallbackAdapter: true }), true);
});

test("pipeline() compiles a kernel once for each choice of constants", async () => {
  const opened = await openGpu();
  let compiled = 0;
  const create = opened.device.createComputePipelineAsync.bind(opened.device);
  opened.device.createComputePipelineAsync = (descriptor) => {
    compiled += 1;
    return create(descriptor);
  };
  const compile = async (numAdds: number) => {
    const tape = new Tape(opened);
    let x = opened.tensor([numAdds + 1], { label: "x" }) as ReturnType<typeof add>;
    for (let i = 0; i < numAdds; i++) x = add(tape, x, x);
    await new Plan(opened, tape, { keep: [x] }).compile();
    return tape;
  };
  await Promise.all([compile(3), compile(5)]);
  assert.equal(compiled, 1);
  const tape = await compile(1);
  const y = activation(tape, opened.tensor([2], { label: "x" }), "silu");
  await new Plan(opened, tape, { keep: [y] }).compile();
  assert.equal(compiled, 2);
  opened.destroy();
});

test("a kernel that does not compile says which, and leaves the device usable", async () => {
  const broken = { name: "broken", params: {}, buffers: {}, code: () => "fn main() { oops }" };
  await assert.rejects(gpu.pipeline(broken, { size: 3 }), {
    message: /^Cannot compile broken\(\{"size":3\}\): /,
  });
  gpu.check();
});

test("halves on a device without shader-f16 are refused by name", async () => {
  const adapter = await openTestAdapter();
  const plain = await Gpu.open({
    features: new Set<string>(),
    limits: adapter.limits,
    info: { description: "an old GPU" },
    requestDevice: (descriptor: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
  } as unknown as GPUAdapter);
  const tape = new Tape(plain);
  const x = plain.tensor([2], { label: "x", dtype: "f16" });
  const y = add(tape, x, x);
  await assert.rejects(new Plan(plain, tape, { keep: [y] }).compile(), {
    name: "Error",
    message:
      "Cannot compile add for halves: the device must have shader-f16, got an old GPU; use f32",
  });
  plain.destroy();
});

test("a destroyed device surfaces as a GpuLostError wherever it is used next", async () => {
  const opened = await openGpu();
  const tape = new Tape(opened);
  const x = opened.tensor([4], { label: "x", values: uniform(4, 1) });
  const y = add(tape, x, x);
  const plan = await new Plan(opened, tape, { keep: [y] }).compile();
  plan.run();
  const source = plan.source(y);
  opened.destroy();
  const lost = { name: "GpuLostError", reason: "destroyed", message: /^Cannot use the GPU: / };
  await assert.rejects(opened.readBuffers([source]), lost);
  await assert.rejects(opened.read(x), lost);
  assert.throws(() => plan.run(), lost);
  assert.throws(() => opened.check(), lost);
  assert.ok((await opened.lost) instanceof GpuLostError);
});

test("an error that nobody catches surfaces with the next result", async () => {
  const opened = await openGpu();
  const x = opened.tensor([4], { label: "x" });
  const encoder = opened.device.createCommandEncoder();
  encoder.copyBufferToBuffer(x.buffer, 0, x.buffer, 0, 1 << 20); // beyond its end
  opened.device.queue.submit([encoder.finish()]);
  const error = { message: /^Cannot run on the GPU: / };
  await assert.rejects(opened.read(x), error);
  assert.throws(() => opened.check(), error);
  opened.destroy();
});

test("write() takes what fills the tensor, of its own dtype, and nothing else", async () => {
  const x = gpu.tensor([2, 3], { label: "x" });
  assert.throws(() => gpu.write(x, new Float32Array(5)), {
    name: "RangeError",
    message: 'Cannot write "x" [2, 3] f32: expected a persistent tensor and 6 values, got 5',
  });
  assert.throws(() => gpu.write(x, new Uint32Array(6)), {
    name: "TypeError",
    message: 'Cannot write "x" [2, 3] f32: values must be a Float32Array, got Uint32Array',
  });
  const values = uniform(7, 1);
  gpu.write(x, values.subarray(1));
  assert.deepEqual(await gpu.read(x), values.slice(1));
});

test("a tensor larger than the device's buffers is named", () => {
  const limit = gpu.device.limits.maxBufferSize;
  assert.throws(() => gpu.tensor([Math.floor(limit / 4) + 1], { label: "x" }), {
    name: "RangeError",
    message: `Cannot allocate "x": a buffer of this device holds at most ${limit} bytes, got ${4 * Math.floor(limit / 4) + 4}; use a smaller batch or model`,
  });
});

test("read() of an activation throws", async () => {
  await assert.rejects(gpu.read(new Tape(gpu).activation([1], { label: "h" })), {
    name: "TypeError",
    message:
      'Cannot read "h" [1] f32: it must be persistent, got an activation; read it from its plan',
  });
});

test("read() of what is not f32 throws, rather than give other numbers", async () => {
  const x = gpu.tensor([2], { label: "ids", dtype: "u32" });
  await assert.rejects(gpu.read(x), {
    name: "TypeError",
    message: 'Cannot read "ids" [2] u32: it must be f32; read its bytes with readBuffers()',
  });
});
