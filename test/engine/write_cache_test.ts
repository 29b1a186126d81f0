import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { writeCache } from "../../engine/ops/cached_attention.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { toFloat16 } from "../float16.ts";
import { openGpu, uniform } from "../support.ts";
import { PADDING } from "./cached_case.ts";
import { withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

for (const width of [3, 8]) {
  for (const variant of ["flat", "tiled"] satisfies Variant[]) {
    test(`writeCache() ${variant} writes vectors of ${width} to their places and no others`, async () => {
      const [numRows, seqLen, capacity] = [2, 3, 5];
      const x = uniform(numRows * seqLen * width, 1);
      const before = uniform(numRows * capacity * width, 2);
      const tensor = (shape: number[], values: Float32Array<ArrayBuffer>) =>
        gpu.tensor(shape, { label: "cache", values });
      const places = Uint32Array.of(4, 0, 5, 2, PADDING, 1);
      const inputs = () => ({
        x: tensor([6, width], x),
        cache: tensor([10, width], before),
      });
      const [one, two, three] = [inputs(), inputs(), inputs()] as const;
      gpu.write(
        three.x,
        x.map((value) => -value),
      );
      const at = gpu.tensor([6], { label: "places", dtype: "u32", values: places });
      const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
      writeCache(tape, { ...one, places: at }, { seqLen, capacity });
      writeCache(tape, { ...two, also: three, places: at }, { seqLen, capacity });
      const plan = await new Plan(gpu, tape).compile();
      plan.run();
      const expected = (sign: number) => {
        const cache = before.slice();
        for (const [token, to] of [
          [0, 4],
          [1, 0],
          [3, 5 + 2],
          [5, 5 + 1],
        ] as const) {
          const vector = x.subarray(token * width, (token + 1) * width);
          cache.set(
            vector.map((value) => sign * value),
            to * width,
          );
        }
        return cache;
      };
      assert.deepEqual(await gpu.read(one.cache), expected(1));
      assert.deepEqual(await gpu.read(two.cache), expected(1));
      assert.deepEqual(await gpu.read(three.cache), expected(-1));
      plan.destroy();
    });
  }
}

// Tiled only: a workgroup of the flat variant takes 512 vectors, so that more than 65,535 of them
// need 128 MiB for each tensor. How elements are numbered is the same code.
test("writeCache() tiled reaches tokens beyond 65 535 workgroups", async () => {
  const numTokens = 65_600 * 64;
  const values = uniform(numTokens, 1);
  const x = gpu.tensor([numTokens, 1], { label: "x", values });
  const cache = gpu.tensor([numTokens, 1], { label: "cache" });
  const backwards = Uint32Array.from({ length: numTokens }, (_, token) => numTokens - 1 - token);
  const places = gpu.tensor([numTokens], { label: "places", dtype: "u32", values: backwards });
  const tape = new Tape({ variant: "tiled", subgroupSize: 0 });
  writeCache(tape, { x, cache, places }, { seqLen: numTokens, capacity: numTokens });
  assert.ok(tape.dispatches[0]!.workgroups > 65_535);
  const plan = await new Plan(gpu, tape).compile();
  plan.run();
  assert.deepEqual(await gpu.read(cache), values.toReversed());
  plan.destroy();
});

test(
  "writeCache() stores f32 as halves where the cache holds halves",
  { skip: withoutFloat16(gpu) },
  async () => {
    const values = uniform(8, 1);
    const x = gpu.tensor([1, 8], { label: "x", values });
    const cache = gpu.tensor([2, 8], { label: "cache", dtype: "f16" });
    const places = gpu.tensor([1], { label: "places", dtype: "u32", values: Uint32Array.of(1) });
    const tape = new Tape(gpu);
    writeCache(tape, { x, cache, places }, { seqLen: 1, capacity: 2 });
    const plan = await new Plan(gpu, tape).compile();
    plan.run();
    const [bytes] = await gpu.readBuffers([{ buffer: cache.buffer, bytes: 32 }]);
    assert.deepEqual(
      new Uint16Array(bytes!),
      Uint16Array.of(...new Uint16Array(8), ...toFloat16(values)),
    );
    plan.destroy();
  },
);

test("writeCache() refuses shapes and types that do not fit, and says what it got", () => {
  const f32 = (shape: number[]) => gpu.tensor(shape, { label: "x" });
  const [x, narrow, cache] = [f32([2, 4]), f32([2, 3]), f32([10, 4])] as const;
  const places = gpu.tensor([2], { label: "places", dtype: "u32" });
  const one = gpu.tensor([1], { label: "places", dtype: "u32" });
  const halves = gpu.tensor([10, 4], { label: "cache", dtype: "f16" });
  const tape = new Tape(gpu);
  const record =
    (inputs: Partial<Parameters<typeof writeCache>[1]>, capacity = 5) =>
    () =>
      writeCache(tape, { x, cache, places, ...inputs }, { seqLen: 1, capacity });
  assert.throws(record({}, 4), {
    name: "RangeError",
    message:
      "Cannot write a cache of 4 places a row, seqLen 1: shapes must fit, " +
      "got places [2] u32, x [2, 4] f32, cache [10, 4] f32",
  });
  assert.throws(record({ x: narrow }), RangeError);
  assert.throws(record({ places: one }), RangeError);
  assert.throws(record({ also: { x: narrow, cache } }), RangeError);
  assert.throws(record({ also: { x, cache: x } }), RangeError);
  assert.throws(record({ places: f32([2]) }), TypeError);
  assert.throws(record({ also: { x, cache: halves } }), TypeError);
  assert.throws(
    record({ cache: gpu.tensor([10, 4], { label: "cache", dtype: "u32" }) }),
    TypeError,
  );
  assert.equal(tape.dispatches.length, 0);
});
