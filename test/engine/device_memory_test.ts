import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as fc from "fast-check";
import { linear } from "../../engine/ops/linear.ts";
import { Plan } from "../../engine/plan.ts";
import { resultsOf, transfersOf, unpack } from "../../engine/readback.ts";
import { Tape } from "../../engine/tape.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { bytesOf, destroyAll, rows, type Tensor } from "../../engine/tensor.ts";
import { openGpu, uniform } from "../support.ts";
import { openWithout } from "./without_memory.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

test("bytes are counted from creation until a buffer is destroyed, once", async () => {
  const before = gpu.allocatedBytes;
  const x = gpu.tensor([100], { label: "x" });
  const parameter = gpu.parameter([3, 5], { label: "p" });
  assert.equal(gpu.allocatedBytes - before, 400 + 60);
  assert.equal(bytesOf(parameter.gradient), 60);
  assert.equal(gpu.allocatedBytes - before, 400 + 120);
  await gpu.read(x);
  assert.equal(gpu.allocatedBytes - before, 400 + 120, "staging memory is freed");
  x.buffer.destroy();
  x.buffer.destroy();
  destroyAll([parameter, parameter.gradient]);
  assert.equal(gpu.allocatedBytes, before);
});

test("the peak remembers plans and staging memory that are gone", async () => {
  const opened = await openGpu();
  const tape = new Tape(opened);
  const x = opened.tensor([256, 32], { label: "x" });
  const weight = opened.tensor([256, 32], { label: "weight" });
  const y = linear(tape, x, weight); // too large for the staging memory that is kept
  const held = opened.allocatedBytes;
  assert.equal(held, 2 * 256 * 32 * 4);
  const plan = await new Plan(opened, tape, { keep: [y] }).compile();
  const params = 256;
  assert.equal(opened.allocatedBytes, held + 256 * 256 * 4 + params);
  await plan.read(y);
  plan.destroy();
  assert.equal(opened.allocatedBytes, held);
  assert.equal(opened.peakBytes, held + 2 * 256 * 256 * 4 + params);
  opened.destroy();
});

test("small readbacks use the same staging memory again, however many there are at a time", async () => {
  const x = gpu.tensor([4], { label: "x", values: Float32Array.of(1, 2, 3, 4) });
  const create = gpu.device.createBuffer.bind(gpu.device);
  let created = 0;
  gpu.device.createBuffer = (descriptor) => {
    created += 1;
    return create(descriptor);
  };
  for (let round = 0; round < 10; round++) {
    const reads = await Promise.all([gpu.read(x), gpu.read(x), gpu.read(x)]);
    for (const values of reads) assert.deepEqual([...values], [1, 2, 3, 4]);
  }
  gpu.device.createBuffer = create;
  assert.ok(created <= 3, `${created} staging buffers for 30 readbacks`);
  x.buffer.destroy();
});

test("checkMemory() names what did not fit and what was there, once", async () => {
  const opened = await openWithout(["first", "second"]);
  opened.tensor([10], { label: "held" });
  opened.tensor([25], { label: "first" });
  opened.tensor([5], { label: "brief" }).buffer.destroy();
  opened.tensor([50], { label: "second" });
  opened.tensor([75], { label: "third" });
  await assert.rejects(opened.checkMemory(), {
    name: "RangeError",
    message:
      'Cannot allocate "first": the device must have 100 bytes free beside the 40 allocated, got no memory left; use a smaller batch or model, or fewer bits a weight',
  });
  assert.equal(opened.allocatedBytes, 340, "what failed takes no memory");
  assert.equal(opened.peakBytes, 340, "nor did it ever");
  await opened.checkMemory();
  opened.destroy();
});

test("a failure tells what was allocated then, without what failed before it or came after", async () => {
  const opened = await openWithout(["first", "second"]);
  opened.tensor([10], { label: "held" });
  const first = opened.tensor([25], { label: "first" });
  first.buffer.destroy();
  const second = opened.tensor([50], { label: "second" });
  opened.tensor([75], { label: "third" });
  const failure = await opened.takeAllocationFailure([second.buffer]);
  assert.deepEqual(failure, {
    label: "second",
    bytes: 200,
    allocatedBytes: 40,
    message: "no memory left",
  });
  assert.equal(opened.peakBytes, 340);
  opened.destroy();
});

test("checkMemory() passes where everything fits, and on a lost device", async () => {
  const opened = await openGpu();
  opened.tensor([25], { label: "x" });
  await opened.checkMemory();
  opened.destroy();
  opened.tensor([25], { label: "y" });
  await opened.checkMemory();
});

test("finish() tells of memory that ran out while weights were written, and the device goes on", async () => {
  const opened = await openWithout(["first"]);
  const first = opened.tensor([25], { label: "first", values: uniform(25, 1) });
  await assert.rejects(opened.finish(), {
    name: "RangeError",
    message: /^Cannot allocate "first": the device must have 100 bytes free beside the 0 allocated/,
  });
  opened.check();
  await opened.finish();
  const values = uniform(25, 2);
  assert.throws(() => opened.write(first, values), { message: /^Cannot allocate "first"/ });
  await assert.rejects(opened.read(first), { message: /^Cannot allocate "first"/ });
  const x = opened.tensor([25], { label: "x", values });
  assert.deepEqual(await opened.read(x), values);
  await opened.finish();
  opened.destroy();
});

test("finish() of some tensors leaves the failures of others to those who ask", async () => {
  const opened = await openWithout(["first", "second"]);
  const [first, second, third] = ["first", "second", "third"].map((label) =>
    opened.tensor([25], { label, values: uniform(25, 1) }),
  );
  await opened.finish([third!]);
  await assert.rejects(opened.finish([second!]), { message: /^Cannot allocate "second"/ });
  await assert.rejects(opened.finish(), { message: /^Cannot allocate "first"/ });
  await assert.rejects(opened.finish([first!]), { message: /^Cannot allocate "first"/ });
  await opened.finish();
  opened.destroy();
});

test("a readback that does not fit says so, and the device goes on", async () => {
  const failing = new Set(["readback"]);
  const opened = await openWithout(failing);
  const x = opened.tensor([2 ** 15], { label: "x" });
  await assert.rejects(opened.read(x), {
    name: "RangeError",
    message: /^Cannot allocate "readback": the device must have 131072 bytes free/,
  });
  await opened.finish();
  failing.clear();
  assert.deepEqual(await opened.read(x), new Float32Array(2 ** 15));
  assert.equal(opened.allocatedBytes, 4 * 2 ** 15);
  opened.destroy();
});

test("an error that memory does not explain surfaces, although some ran out", async () => {
  const opened = await openWithout(["first"]);
  opened.tensor([25], { label: "first" });
  await assert.rejects(opened.finish(), { message: /^Cannot allocate "first"/ });
  const x = opened.tensor([25], { label: "x" });
  opened.device.queue.writeBuffer(x.buffer, 96, new Uint8Array(8)); // beyond its end
  await assert.rejects(opened.finish(), { message: /^Cannot run on the GPU: / });
  opened.destroy();
});

test("staging memory is freed where encoding throws", async () => {
  const x = gpu.tensor([2 ** 15], { label: "x" });
  const before = gpu.allocatedBytes;
  const source = { buffer: x.buffer, bytes: bytesOf(x) };
  const encode = () => {
    throw new Error("enough");
  };
  await assert.rejects(gpu.readBuffers([source], encode), { message: "enough" });
  assert.equal(gpu.allocatedBytes, before);
  x.buffer.destroy();
});

/** A plan of one product, whose only activation is a block of 1024 bytes. */
function planOf(opened: Gpu, x: Tensor): Plan {
  const tape = new Tape(opened);
  return new Plan(opened, tape, { keep: [linear(tape, x, x)] });
}

test("a plan that does not fit says how much it needs, and leaves nothing allocated", async () => {
  const opened = await openWithout(["activations 0"]);
  const x = opened.tensor([16, 16], { label: "x" });
  await assert.rejects(planOf(opened, x).compile(), {
    name: "RangeError",
    message:
      'Cannot allocate a plan: the device must hold 2048 bytes, got no memory left at the 1024 of "activations 0" beside 1024; use a smaller batch',
  });
  assert.equal(opened.allocatedBytes, 1024);
  await opened.finish();
  opened.destroy();
});

test("of plans that are compiled at a time, the one that does not fit fails alone", async () => {
  const failing = new Set<string>();
  const opened = await openWithout(failing);
  const x = opened.tensor([16, 16], { label: "x", values: uniform(256, 1) });
  const plans = [planOf(opened, x), planOf(opened, x), planOf(opened, x)];
  const create = opened.device.createBuffer.bind(opened.device);
  let numBlocks = 0;
  opened.device.createBuffer = (descriptor) => {
    failing.clear();
    const isBlock = descriptor.label === "activations 0";
    if (isBlock && (numBlocks += 1) === 2) failing.add("activations 0");
    return create(descriptor);
  };
  const settled = await Promise.allSettled(plans.map((plan) => plan.compile()));
  assert.deepEqual(
    settled.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.throws(() => plans[1]!.run(), { message: /it must be compiled first/ });
  for (const plan of [plans[0]!, plans[2]!]) plan.run();
  for (const plan of plans) plan.destroy();
  assert.equal(opened.allocatedBytes, 1024);
  await opened.finish();
  opened.destroy();
});

test("a plan whose weights did not fit names them", async () => {
  const opened = await openWithout(["x"]);
  const x = opened.tensor([16, 16], { label: "x", values: uniform(256, 1) });
  await assert.rejects(planOf(opened, x).compile(), { message: /^Cannot allocate "x"/ });
  assert.equal(opened.allocatedBytes, 0);
  await opened.finish();
  opened.destroy();
});

test("write() replaces a part of a tensor, and of a view", async () => {
  const x = gpu.tensor([4, 64], { label: "x", values: uniform(256, 1) });
  const expected = uniform(256, 1);
  gpu.write(x, Float32Array.of(1, 2, 3), { offset: 5 });
  expected.set([1, 2, 3], 5);
  gpu.write(x, Float32Array.of(4), { offset: 255 });
  expected[255] = 4;
  gpu.write(rows(x, 1, 3), Float32Array.of(5, 6), { offset: 64 });
  expected.set([5, 6], 128);
  gpu.write(rows(x, 3, 4), new Float32Array(64).fill(7));
  expected.fill(7, 192);
  gpu.write(x, new Float32Array(0), { offset: 256 });
  assert.deepEqual(await gpu.read(x), expected);
  assert.deepEqual(await gpu.read(rows(x, 2, 4)), expected.slice(128));
});

test("write() replaces parts of halves and of blocks, in words", async () => {
  const bitsOf = async (tensor: ReturnType<typeof gpu.tensor>) => {
    const [bytes] = await gpu.readBuffers([{ buffer: tensor.buffer, bytes: bytesOf(tensor) }]);
    return [...new Uint16Array(bytes!)];
  };
  const halves = gpu.tensor([5], { label: "halves", dtype: "bf16" });
  gpu.write(halves, Uint16Array.of(1, 2, 3, 4, 5));
  gpu.write(halves, Uint16Array.of(6, 7), { offset: 2 });
  gpu.write(halves, Uint16Array.of(8), { offset: 4 });
  assert.deepEqual(await bitsOf(halves), [1, 2, 6, 7, 8, 0]);
  const blocks = gpu.tensor([2, 32], { label: "blocks", dtype: "int4" });
  gpu.write(blocks, new Uint32Array(5).fill(9), { offset: 5 });
  assert.deepEqual(await bitsOf(blocks), [
    ...Array<number>(10).fill(0),
    9,
    0,
    9,
    0,
    9,
    0,
    9,
    0,
    9,
    0,
  ]);
});

test("write() wants exactly as many values as the tensor has", () => {
  for (const [shape, dtype, values, expected] of [
    [[1], "f32", new Float32Array(0), "1 values"],
    [[5], "f16", new Uint16Array(6), "5 values"],
    [[2], "bf16", new Uint16Array(1), "2 values"],
    [[2, 33], "int8", new Uint32Array(35), "36 words of blocks"],
    [[2, 33], "int4", new Uint32Array(66), "20 words of blocks"],
  ] as const) {
    const tensor = gpu.tensor(shape, { label: "x", dtype });
    assert.throws(() => gpu.write(tensor, values), {
      name: "RangeError",
      message: `Cannot write "x" [${shape.join(", ")}] ${dtype}: expected a persistent tensor and ${expected}, got ${values.length}`,
    });
  }
  const odd = gpu.tensor([5], { label: "x", dtype: "f16" });
  assert.throws(() => gpu.write(odd, new Uint16Array(2), { offset: 4 }), {
    name: "RangeError",
    message: /expected a persistent tensor and 5 values, got 2 from 4 on$/,
  });
  gpu.write(gpu.tensor([0], { label: "nothing" }), new Float32Array(0));
});

test("write() refuses parts beyond the tensor, and halves of words", () => {
  const x = gpu.tensor([8], { label: "x" });
  const message = (what: string) =>
    `Cannot write "x" [8] ${what.startsWith("h") ? "f16" : "f32"}: expected a persistent tensor and 8 values, got ${what.replace("h ", "")}`;
  for (const [length, offset] of [
    [3, 6],
    [1, 8],
    [1, -1],
    [1, 0.5],
    [1, NaN],
  ] as const) {
    assert.throws(() => gpu.write(x, new Float32Array(length), { offset }), {
      name: "RangeError",
      message: message(`${length} from ${offset} on`),
    });
  }
  const halves = gpu.tensor([8], { label: "x", dtype: "f16" });
  for (const [length, offset] of [
    [2, 1],
    [3, 2],
  ] as const) {
    assert.throws(() => gpu.write(halves, new Uint16Array(length), { offset }), {
      name: "RangeError",
      message: message(`h ${length} from ${offset} on`),
    });
  }
});

/** A mapped buffer of a fake device, which copies into it; ranges must be aligned. */
function staged(bytes: Uint8Array): GPUBuffer {
  const getMappedRange = (offset = 0, size = 0) => {
    assert.equal(offset % 8, 0);
    assert.equal(size % 4, 0);
    return bytes.buffer.slice(offset, offset + size);
  };
  return { getMappedRange } as unknown as GPUBuffer;
}

test("transfers of any size bring every byte to its place, and none is too large", () => {
  const parts = fc.array(
    fc.record({ bytes: fc.integer({ min: 0, max: 300 }), begin: fc.integer({ min: 0, max: 9 }) }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 20 }), (sizes, limit) => {
      const contents = sizes.map((_, index) =>
        new Uint8Array(400).map((_value, i) => (i * 7 + index * 31) % 251),
      );
      const sources = sizes.map(({ bytes, begin }, index) => ({
        buffer: { contents: contents[index] } as unknown as GPUBuffer,
        bytes,
        begin: 4 * begin,
      }));
      const results = resultsOf(sources);
      const transfers = transfersOf(sources, 8 * limit);
      for (const transfer of transfers) {
        assert.ok(transfer.bytes <= 8 * limit);
        const staging = new Uint8Array(transfer.bytes);
        for (const { buffer, begin, bytes, offset } of transfer.pieces) {
          assert.equal(begin % 4, 0);
          const { contents: from } = buffer as unknown as { contents: Uint8Array };
          staging.set(from.subarray(begin, begin + bytes), offset);
        }
        unpack(staged(staging), transfer, results);
      }
      sources.forEach(({ bytes, begin }, index) => {
        const length = Math.ceil(bytes / 4) * 4;
        assert.deepEqual(
          new Uint8Array(results[index]!),
          contents[index]!.slice(begin, begin + length),
        );
      });
      const total = transfers.reduce((sum, { bytes }) => sum + bytes, 0);
      assert.ok(transfers.length <= 1 + total / (8 * limit), "transfers must be full but the last");
    }),
  );
});
