import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type KernelCase, kernelCases, MODELS, prepareCase } from "../../bench/cases/mod.ts";
import { GROUPS } from "../../bench/cases/kernel_case.ts";
import { openGpu } from "../support.ts";
import { withoutFloat16 } from "../engine/check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const small = kernelCases("small");
const full = kernelCases("full");

/** Every op, layout and storage once, at the least shapes: wide heads of halves compile slowly. */
const LEAST = small.filter(
  ({ id }) =>
    id.includes("stories260K") ||
    /^matmul \w\w f32 512x/.test(id) ||
    /^(layerNorm|embedding|linear\+cross-entropy) .* CAREER/.test(id) ||
    id.startsWith("adamW"),
);

test("cases have names of their own, the same at every run", () => {
  for (const cases of [small, full]) {
    const ids = cases.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  }
  assert.deepEqual(
    small.map(({ id }) => id),
    kernelCases("small").map(({ id }) => id),
  );
});

test("cases cover every group and model, in a quick run too", () => {
  for (const cases of [small, full]) {
    assert.deepEqual(new Set(cases.map(({ group }) => group)), new Set(GROUPS));
    assert.deepEqual(
      new Set(cases.filter(({ isQuick }) => isQuick).map(({ group }) => group)),
      new Set(GROUPS),
    );
    for (const { name } of MODELS)
      assert.ok(
        cases.some(({ id }) => id.includes(name)),
        name,
      );
  }
});

test("work and traffic are known of every case, and grow with the scale", () => {
  for (const { id, flops, bytes } of [...small, ...full]) {
    assert.ok(Number.isSafeInteger(flops) && flops > 0, id);
    assert.ok(Number.isSafeInteger(bytes) && bytes > 0, id);
  }
  const total = (cases: readonly KernelCase[]) => cases.reduce((sum, { flops }) => sum + flops, 0);
  assert.ok(total(full) > 100 * total(small));
  const square = full.find(({ id }) => id === "matmul nt f32 1024x1024x1024");
  assert.deepEqual([square?.flops, square?.bytes], [2 ** 31, 3 * 2 ** 22]);
});

for (const kernelCase of LEAST) {
  const skip = kernelCase.needsFloat16 && withoutFloat16(gpu);
  test(`${kernelCase.id} gives what float64 gives`, { skip }, async () => {
    const before = gpu.allocatedBytes;
    const { check, bytes, firstMs, destroy } = await prepareCase(gpu, kernelCase);
    destroy();
    assert.equal(check.failure, undefined);
    assert.ok(check.numChecked > 0 && check.worst <= 1);
    assert.ok(bytes > 0 && firstMs > 0);
    assert.equal(gpu.allocatedBytes, before, "a case must free what it allocates");
  });
}

const one = small.find(({ id }) => id.startsWith("matmul nt f32 stories260K up 32x"))!;

test("a wrong result is found, and named", async () => {
  const wrong: KernelCase = {
    ...one,
    record: (tape, make) =>
      one.record(tape, make).map((result) => ({
        ...result,
        expected: (index, found) => {
          const { value, magnitude } = result.expected(index, found);
          // What a product lacks that leaves out one of its 64 terms, or a bit of it.
          return { value: value + magnitude / 1000, magnitude };
        },
      })),
  };
  const { check, destroy } = await prepareCase(gpu, wrong);
  destroy();
  assert.match(check.failure ?? "", /^c\[\d+\] must be .* times the tolerance\)$/);
});

test("a result that was never written is wrong, and so is NaN", async () => {
  for (const value of [1, NaN]) {
    const unwritten: KernelCase = {
      ...one,
      record: (tape, make) => {
        one.record(tape, make);
        const tensor = make.empty("nothing", [4]);
        return [{ name: "nothing", tensor, expected: () => ({ value, magnitude: 1 }) }];
      },
    };
    const { check, destroy } = await prepareCase(gpu, unwritten);
    destroy();
    assert.match(check.failure ?? "", /^nothing\[0\] must be/);
  }
});
