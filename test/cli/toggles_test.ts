import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { ALWAYS, dawnArguments, FAST } from "../../cli/platform/toggles.ts";
import { temporaryFolder } from "./run_support.ts";

/** What a device is asked for its toggles to show. */
interface Probe {
  readonly code: string;
  /** First words of the buffer. */
  readonly input?: readonly number[];
  /** @default {1} */
  readonly workgroups?: number;
}

const BUFFER_BYTES = 256;

/** Opens a device whose toggles are, besides those that are always on, the given ones. */
async function withToggles<T>(
  toggles: readonly string[],
  work: (device: GPUDevice) => Promise<T>,
): Promise<T> {
  const { adapter } = await openAdapter({ toggles });
  const hasTimestamps = adapter.features.has("timestamp-query");
  const device = await adapter.requestDevice({
    requiredFeatures: hasTimestamps ? ["timestamp-query"] : [],
  });
  try {
    return await work(device);
  } finally {
    device.destroy();
  }
}

/** Runs kernels one after another on one buffer; returns what the last one left in it. */
async function run(device: GPUDevice, ...probes: readonly Probe[]): Promise<Uint32Array> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const buffer = device.createBuffer({ size: BUFFER_BYTES, usage: STORAGE | COPY_SRC | COPY_DST });
  const target = device.createBuffer({ size: BUFFER_BYTES, usage: MAP_READ | COPY_DST });
  for (const { code, input = [], workgroups = 1 } of probes) {
    const words = new Uint32Array(BUFFER_BYTES / 4);
    words.set(input);
    device.queue.writeBuffer(buffer, 0, words);
    const pipeline = pipelineOf(device, code);
    const layout = pipeline.getBindGroupLayout(0);
    const group = device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer } }],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, target, 0, BUFFER_BYTES);
    device.queue.submit([encoder.finish()]);
  }
  await target.mapAsync(GPUMapMode.READ);
  return new Uint32Array(target.getMappedRange().slice(0));
}

const compiled = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

/** The pipeline of a probe, compiled once a device. */
function pipelineOf(device: GPUDevice, code: string): GPUComputePipeline {
  const known = compiled.get(device) ?? new Map<string, GPUComputePipeline>();
  compiled.set(device, known);
  const module = () => device.createShaderModule({ code });
  const pipeline =
    known.get(code) ??
    device.createComputePipeline({ layout: "auto", compute: { module: module() } });
  known.set(code, pipeline);
  return pipeline;
}

/** Writes 7 at an index beyond an array, within the buffer that holds it. */
const BEYOND: Probe = {
  code: `struct Words { array: array<u32, 4>, rest: array<u32, 60> }
    @group(0) @binding(0) var<storage, read_write> words: Words;
    @compute @workgroup_size(1) fn main() { let i = words.array[0]; words.array[i] = 7u; }`,
  input: [40],
};

/** Divides 5 by 0; WGSL has 5 come out. */
const BY_ZERO: Probe = {
  code: `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
    @compute @workgroup_size(1) fn main() { words[2] = words[0] / words[1]; }`,
  input: [5, 0],
};

const LENGTH = 2048;

/** Fills workgroup memory, on as many threads as a software adapter may have. */
const FILL: Probe = {
  code: `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
    var<workgroup> tile: array<u32, ${LENGTH}>;
    @compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) {
      for (var i = 0u; i < ${LENGTH}u; i++) { tile[i] = 9u + words[id.x]; }
      words[id.x] = tile[words[id.x]];
    }`,
  workgroups: BUFFER_BYTES / 4,
};

/** Counts what each workgroup finds in its memory before anything is written to it. */
const COUNT: Probe = {
  code: `@group(0) @binding(0) var<storage, read_write> words: array<u32>;
    var<workgroup> tile: array<u32, ${LENGTH}>;
    @compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) {
      for (var i = 0u; i < ${LENGTH}u; i++) { words[id.x] += u32(tile[i] != 0u); }
    }`,
  workgroups: BUFFER_BYTES / 4,
};

/** A driver may happen to give clean memory: this often in a row it does not. */
const NUM_TRIES = 10;

/** Whether workgroup memory ever begins with something else than zeros. */
async function findsRemains(device: GPUDevice): Promise<boolean> {
  for (let trial = 0; trial < NUM_TRIES; trial++) {
    if ((await run(device, FILL, COUNT)).some((count) => count > 0)) return true;
  }
  return false;
}

/** Whether a bind group that begins in the midst of 256 bytes is refused. */
async function isWrongCallRefused(device: GPUDevice): Promise<boolean> {
  const buffer = device.createBuffer({ size: 512, usage: GPUBufferUsage.STORAGE });
  const layout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" } }],
  });
  device.pushErrorScope("validation");
  const resource = { buffer, offset: 4, size: 8 };
  device.createBindGroup({ layout, entries: [{ binding: 0, resource }] });
  return (await device.popErrorScope()) !== null;
}

/** Timestamps around a few passes, in ns. */
async function timestamps(device: GPUDevice): Promise<bigint[]> {
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const stamps: bigint[] = [];
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const target = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  for (let repeat = 0; repeat < 4; repeat++) {
    const encoder = device.createCommandEncoder();
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    encoder.beginComputePass({ timestampWrites }).end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, target, 0, 16);
    device.queue.submit([encoder.finish()]);
    await target.mapAsync(GPUMapMode.READ);
    stamps.push(...new BigUint64Array(target.getMappedRange().slice(0)));
    target.unmap();
  }
  return stamps;
}

test("disable_robustness lets an index leave its array; else it is kept inside", async () => {
  const landed = (words: Uint32Array) => words.findLastIndex((word) => word === 7);
  const kept = await withToggles([], (device) => run(device, BEYOND));
  assert.ok(landed(kept) < 4, `landed at ${landed(kept)}`);
  const left = await withToggles(["disable_robustness"], (device) => run(device, BEYOND));
  assert.equal(landed(left), 40);
});

test("disable_polyfills_on_integer_div_and_mod leaves a division by zero to the driver", async () => {
  const safe = await withToggles([], (device) => run(device, BY_ZERO));
  assert.equal(safe[2], 5);
  const toggles = ["disable_polyfills_on_integer_div_and_mod"];
  const raw = await withToggles(toggles, (device) => run(device, BY_ZERO));
  assert.notEqual(raw[2], 5);
});

test("disable_workgroup_init leaves workgroup memory as it was; else it begins as zeros", async () => {
  assert.equal(await withToggles([], findsRemains), false);
  assert.equal(await withToggles(["disable_workgroup_init"], findsRemains), true);
});

test("skip_validation lets wrong calls pass; else they are refused", async () => {
  assert.equal(await withToggles([], isWrongCallRefused), true);
  assert.equal(await withToggles(["skip_validation"], isWrongCallRefused), false);
});

test("without timestamp_quantization, timestamps are finer than 65,536 ns", async () => {
  const isCoarse = (stamps: readonly bigint[]) => stamps.every((stamp) => stamp % 65_536n === 0n);
  const stamps = await withToggles([], timestamps);
  assert.equal(isCoarse(stamps), false, stamps.join(" "));
});

test("--fast has the effects of all its toggles at once", async () => {
  const { toggles } = await openAdapter({ fast: true });
  assert.deepEqual(toggles, FAST);
  await withToggles(FAST, async (device) => {
    assert.equal((await run(device, BEYOND))[40], 7);
    assert.equal(await findsRemains(device), true);
    assert.equal(await isWrongCallRefused(device), false);
  });
  assert.deepEqual((await openAdapter()).toggles, []);
});

test("kernels are declared for Vulkan's memory model unless Dawn is told otherwise", () => {
  const declared = (args: readonly string[]) => {
    const script = `
      import { create, globals } from "webgpu";
      Object.assign(globalThis, globals);
      const gpu = create(${JSON.stringify(args)});
      const device = await (await gpu.requestAdapter()).requestDevice();
      const code = "@compute @workgroup_size(1) fn main() {}";
      const module = device.createShaderModule({ code });
      device.createComputePipeline({ layout: "auto", compute: { module } });
      await device.queue.onSubmittedWorkDone();
      device.destroy();
      process.exit(0);`;
    const options = ["--input-type=module", "-e", script];
    const output = execFileSync(process.execPath, options, { encoding: "utf8", stdio: "pipe" });
    return /OpMemoryModel Logical (\w+)/.exec(output)?.[1];
  };
  assert.equal(declared(dawnArguments(["dump_shaders"])), "Vulkan");
  const [enabled = "", disabled = ""] = dawnArguments(["dump_shaders"]);
  assert.equal(declared([enabled, `${disabled},use_vulkan_memory_model`]), "GLSL450");
});

test("tenure doctor says which switches are on, and what was tuned", () => {
  const cache = temporaryFolder();
  const command = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));
  const reportOf = (...flags: string[]) => {
    const { stdout } = spawnSync(process.execPath, [command, "doctor", "--json", ...flags], {
      encoding: "utf8",
      env: { ...process.env, XDG_CACHE_HOME: cache },
    });
    return JSON.parse(stdout).adapter;
  };
  const [usual, fast] = [reportOf(), reportOf("--fast")];
  for (const name of FAST)
    assert.deepEqual([usual.toggles[name], fast.toggles[name]], [false, true]);
  for (const name of ALWAYS.enable) assert.equal(usual.toggles[name], true);
  for (const name of ALWAYS.disable) assert.equal(usual.toggles[name], false);
  assert.ok(Array.isArray(usual.subgroupMatrices));
  assert.equal(usual.tuning.numChoices, 0);
  assert.notEqual(usual.tuning.file, fast.tuning.file);
  if (process.platform === "linux") assert.ok(usual.tuning.file.startsWith(join(cache, "tenure")));
});
