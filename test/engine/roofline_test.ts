import assert from "node:assert/strict";
import { after, test } from "node:test";
import { costOf } from "../../engine/profile/costs.ts";
import { measureRoofline, type RooflineRun } from "../../engine/profile/roofline.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { AnyKernel } from "../../engine/tape.ts";
import {
  FMA_UNROLL,
  rooflineCopy,
  rooflineFma,
  rooflineMatrix,
} from "../../shaders/roofline.wgsl.ts";
import { toFloat16, fromFloat16 } from "../float16.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Small enough for every adapter; the figures mean nothing. */
const QUICK = { copyBytes: [2 ** 16, 2 ** 18], scale: 1 / 64, minMs: 0.2, rounds: 1 };

/** Rounding of a sum of some hundred f32 terms. */
const F32_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

/** Runs a kernel once and reads what it writes. */
async function run(
  kernel: AnyKernel,
  {
    buffers,
    output,
    ...dispatch
  }: {
    readonly constants: unknown;
    readonly params: Record<string, number>;
    readonly buffers: Record<string, Tensor>;
    readonly output: string;
    readonly workgroups: number;
  },
): Promise<Float32Array> {
  const tape = new Tape(gpu);
  tape.dispatch(kernel as never, { ...dispatch, buffers });
  const plan = await new Plan(gpu, tape).compile();
  plan.run();
  const values = await gpu.read(buffers[output]!);
  plan.destroy();
  return values;
}

test("rooflineCopy copies every vector once, also where lanes have nothing left to do", async () => {
  const length = 4 * 523; // vectors of four; prime, so no tile fits
  const values = uniform(length, 1);
  const x = gpu.tensor([length], { label: "x", values });
  const y = gpu.tensor([length], { label: "y" });
  for (const constants of [
    { workgroupSize: 8, elementsPerLane: 64 },
    { workgroupSize: 64, elementsPerLane: 1 },
  ]) {
    gpu.write(y, new Float32Array(length));
    const workgroups = Math.ceil(523 / (constants.workgroupSize * constants.elementsPerLane));
    const copied = await run(rooflineCopy, {
      constants,
      params: { length: 523 },
      buffers: { x, y },
      output: "y",
      workgroups,
    });
    assert.deepEqual(copied, values);
  }
});

for (const storage of ["f32", "f16"] as const) {
  test(
    `rooflineFma of ${storage} does as many multiply-adds as it counts`,
    { skip: storage === "f16" && withoutFloat16(gpu) },
    async () => {
      for (const [width, chains] of [
        [1, 3],
        [2, 2],
        [4, 2],
      ] as const) {
        const y = gpu.tensor([16], { label: "y" });
        // x ← x + 1, exact in halves up to 2048: what is left counts the steps.
        const buffers = { y };
        const constants = { storage, width, chains, workgroupSize: 8 };
        const params = { iterations: 3, factor: 1, term: 1 };
        const values = await run(rooflineFma, {
          constants,
          params,
          buffers,
          output: "y",
          workgroups: 2,
        });
        const begins = (lane: number) =>
          Array.from({ length: chains }, (_, c) => (lane + c) * 0.001).reduce((a, b) => a + b);
        const expected = Float64Array.from(
          { length: 16 },
          (_, i) => width * (chains * 3 * FMA_UNROLL + begins(i % 8)),
        );
        // Each step of a half near 24 rounds by 2⁻⁷ at most, and 24 steps of some chains add up.
        const tolerance = storage === "f32" ? F32_TOLERANCE : { rtol: 2 ** -9, atol: 0.2 * width };
        assertClose(values, expected, { what: `${chains} chains of ${width}`, ...tolerance });
        const { flops } = costOf({
          kernel: rooflineFma,
          constants,
          params,
          buffers,
          workgroups: 2,
          isBackward: false,
        });
        assert.equal(flops, 2 * 16 * width * chains * 3 * FMA_UNROLL);
      }
    },
  );
}

test(
  "rooflineMatrix adds the product of every chain as often as told",
  { skip: withoutFloat16(gpu) },
  async () => {
    const shape = { m: 8, n: 4, k: 16, subgroupSize: 8, emulated: true } as const;
    const { m, n, k } = shape;
    const [chains, numSubgroups, iterations] = [2, 2, 5];
    const halves = toFloat16(uniform(chains * m * k + k * n, 2));
    const at = fromFloat16(halves.buffer, chains * m * k + k * n);
    const operands = gpu.tensor([at.length], { label: "operands", dtype: "f16", values: halves });
    const sums = gpu.tensor([2 * numSubgroups * chains * m * n], { label: "sums" });
    const dispatch = {
      constants: { shape, chains, numSubgroups },
      params: { iterations },
      buffers: { operands, sums },
      workgroups: 2,
    };
    const values = await run(rooflineMatrix, { ...dispatch, output: "sums" });
    const expected = Float64Array.from({ length: values.length }, (_, i) => {
      const chain = Math.floor(i / (m * n)) % chains;
      const [row, column] = [Math.floor(i / n) % m, i % n];
      let sum = 0;
      for (let j = 0; j < k; j++) {
        sum += at[(chain * m + row) * k + j]! * at[chains * m * k + j * n + column]!;
      }
      return iterations * sum;
    });
    assertClose(values, expected, { what: "sums", ...F32_TOLERANCE });
    const { flops } = costOf({ kernel: rooflineMatrix, ...dispatch, isBackward: false });
    assert.equal(flops, 2 * m * n * k * chains * iterations * 2 * numSubgroups);
  },
);

test("a roofline has the best of all launches, and frees their memory", async () => {
  const before = gpu.allocatedBytes;
  const told: RooflineRun[] = [];
  const roofline = await measureRoofline(gpu, { ...QUICK, onRun: (one) => told.push(one) });
  assert.equal(gpu.allocatedBytes, before);
  assert.deepEqual(roofline.runs, told);
  const best = (kind: string) =>
    Math.max(...told.filter((one) => one.kind === kind).map(({ perSecond }) => perSecond));
  assert.equal(roofline.bytesPerSecond, best("copy"));
  assert.equal(roofline.flopsPerSecond, best("f32"));
  assert.ok(told.every(({ perSecond }) => perSecond > 0));
  assert.equal("halfFlopsPerSecond" in roofline, gpu.traits.hasFloat16);
  assert.equal("matrixFlopsPerSecond" in roofline, gpu.traits.matrix !== undefined);
  const sizes = new Set(told.flatMap(({ shape }) => /^[\d.]+ MiB/.exec(shape) ?? []));
  assert.deepEqual(sizes, new Set(["0.0625 MiB", "0.250 MiB"]));
});

test("a roofline measures what is asked for, and has no number for the rest", async () => {
  const { runs, ...rest } = await measureRoofline(gpu, { ...QUICK, kinds: ["copy"] });
  assert.ok(runs.length > 0 && runs.every(({ kind }) => kind === "copy"));
  assert.deepEqual(Object.keys(rest), ["bytesPerSecond", "flopsPerSecond"]);
  assert.ok(rest.bytesPerSecond > 0);
  assert.ok(Number.isNaN(rest.flopsPerSecond));
});

test("a device that has too little memory for a copy says so", async () => {
  const small = await openGpu({ maxMemoryBytes: 2 ** 17 });
  after(() => small.destroy());
  await assert.rejects(
    measureRoofline(small, { ...QUICK, copyBytes: [2 ** 20], kinds: ["copy"] }),
    /^RangeError: Cannot hold x: /,
  );
  assert.equal(small.allocatedBytes, 0);
});
