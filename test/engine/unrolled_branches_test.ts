import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attentionBackwardKeySubgroup,
  attentionBackwardQuerySubgroup,
} from "../../shaders/attention_backward_subgroup.wgsl.ts";
import { attentionForwardSubgroup } from "../../shaders/attention_forward_subgroup.wgsl.ts";
import { decodeAttentionFlat } from "../../shaders/decode_attention_flat.wgsl.ts";

/** Operators that may skip their right side, which drivers compile as branches. */
const shortCircuits = (code: string) => code.match(/&&|\|\|/g)?.length ?? 0;

/** SwiftShader's time and memory to compile them grow out of all bounds with their number. */
const SAME = "as many && and || for many rows as for few";

test("kernels unrolled over rows have no branch a row", () => {
  const few = { headDim: 32, storage: "f32", subgroupSize: 16, rows: 2, walked: 1 } as const;
  const many = { ...few, rows: 16, walked: 4 } as const;
  const sums = { accumulate: true, accumulateKey: true, accumulateValue: true };
  for (const kernel of [
    attentionForwardSubgroup,
    attentionBackwardQuerySubgroup,
    attentionBackwardKeySubgroup,
  ]) {
    const counts = [few, many].map((rows) => shortCircuits(kernel.code({ ...rows, ...sums })));
    assert.equal(counts[1], counts[0], `${kernel.name}: ${SAME}`);
  }
});

test("kernels unrolled over pairs of queries and heads have no branch a pair", () => {
  const shape = { headDim: 32, storage: "f32", cacheStorage: "f32", workgroupSize: 8 } as const;
  for (const [subgroupSize, direct] of [
    [8, false],
    [8, true],
    [0, false],
  ] as const) {
    const counts = [1, 8].map((pairs) =>
      shortCircuits(decodeAttentionFlat.code({ ...shape, pairs, subgroupSize, direct })),
    );
    assert.equal(counts[1], counts[0], `subgroups of ${subgroupSize}: ${SAME}`);
  }
});
