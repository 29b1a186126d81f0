import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isSoftware } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { cachedAttention } from "../../engine/ops/cached_attention.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { fusedProjection } from "../../engine/ops/fused_projection.ts";
import { linear } from "../../engine/ops/linear.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { pack } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { TokenInput } from "../../engine/segments.ts";
import { type RecordedDispatch, Tape } from "../../engine/tape.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import type { Kernel } from "../../shaders/kernel.ts";
import { openGpu, uniform } from "../support.ts";

const gpu = await openGpu({ variant: "tiled" });
after(() => gpu.destroy());

/**
 * Every barrier of a kernel guards one of two hazards of shared memory: reading before it is
 * written, or overwriting before it is read. A software driver runs one subgroup of a workgroup
 * after another, up to the next barrier: take any barrier away, and the result must be wrong.
 */
const skip = isSoftware(gpu.info)
  ? false
  : "not covered on this adapter: a GPU may give right results by luck where a barrier is missing";

const BARRIER = /workgroupBarrier\(\);/g;

interface Run {
  readonly outputs: readonly Tensor[];
  readonly tape: Tape;
}

const parameter = (label: string, shape: number[], seed: number): Parameter =>
  gpu.parameter(shape, { label, values: uniform(sizeOf(shape), seed) });

const u32 = (label: string, length: number, value: number): Tensor =>
  gpu.tensor([length], { label, dtype: "u32", values: new Uint32Array(length).fill(value) });

/** A frozen weight of bf16. */
const packed = (shape: [number, number]): Tensor =>
  gpu.tensor(shape, {
    label: "weight",
    dtype: "bf16",
    values: pack(uniform(sizeOf(shape), 2), shape, "bf16"),
  });

/** Records an op and its backward; the outputs are its result and its inputs' gradients. */
function record(inputs: readonly Parameter[], op: (tape: Tape) => Tensor): Run {
  const tape = new Tape(gpu);
  const y = op(tape);
  const dy = gpu.tensor(y.shape, { label: "dy", values: uniform(sizeOf(y.shape), 9) });
  tape.backward(y, dy);
  return { tape, outputs: [y, ...inputs.map(({ gradient }) => gradient)] };
}

/**
 * Shapes of several tiles, so that each tile is staged over an earlier one. Sampling is left out:
 * with each barrier taken away, a software driver takes 7 s to compile it again. All of its barriers
 * are those of `workgroupReduction()`, which rmsNorm() calls too.
 */
const RUNS: Readonly<Record<string, () => Run>> = {
  linear: () => {
    // Forward only: the gradients are the same kernel in other layouts, slow to compile.
    const values = (length: number) => ({ label: "operand", values: uniform(length, length) });
    const x = gpu.tensor([70, 40], values(70 * 40));
    const weight = gpu.tensor([68, 40], values(68 * 40));
    return record([], (tape) => linear(tape, x, weight));
  },
  fusedProjection: () => {
    // The kernel of linear() of few rows, with the sums of a layer norm before those of its products.
    const values = (length: number) => ({ label: "operand", values: uniform(length, length) });
    const x = gpu.tensor([2, 300], values(600));
    const weight = gpu.tensor([9, 300], values(2700));
    const norm = { kind: "layerNorm", weight: gpu.tensor([300], values(300)), eps: 1e-3 } as const;
    return record([], (tape) => fusedProjection(tape, { x, norm, by: [{ weight }] }));
  },
  "linear of packed weights": () => {
    // Tiles of 64 rows and 32 terms.
    const x = gpu.tensor([70, 70], { label: "x", values: uniform(4900, 1) });
    return record([], (tape) => linear(tape, x, packed([68, 70])));
  },
  "gradient of few rows": () => {
    // Forward, few rows of packed weights are the kernel above.
    const x = parameter("x", [2, 70], 1);
    return record([x], (tape) => linear(tape, x, packed([40, 70])));
  },
  causalAttention: () => {
    const heads = [1, 2, 3].map((seed) => parameter("head", [100, 16], seed));
    const [q, k, v] = heads as [Parameter, Parameter, Parameter];
    const masks = { starts: u32("starts", 100, 0), ends: u32("ends", 100, 100) };
    const sizes = { seqLen: 100, numHeads: 2, numKvHeads: 2, headDim: 8 };
    return record(heads, (tape) => causalAttention(tape, { q, k, v, ...masks }, sizes));
  },
  cachedAttention: () => {
    // Forward only. The walk stages what attention does; decoding scores 64 keys at a time.
    const heads = (length: number, width: number) =>
      gpu.tensor([length, width], { label: "heads", values: uniform(length * width, width) });
    const [q, k, v] = [heads(1, 48), heads(120, 16), heads(120, 16)];
    const masks = { places: u32("places", 1, 110), starts: u32("starts", 1, 3) };
    const sizes = { seqLen: 1, capacity: 120, numHeads: 3, numKvHeads: 1, headDim: 16 };
    const ends = u32("ends", 120, 120);
    return record([], (tape) => cachedAttention(tape, { q, k, v, ends, ...masks }, sizes));
  },
  rmsNorm: () => {
    const [x, weight] = [parameter("x", [3, 200], 1), parameter("weight", [200], 2)];
    return record([x, weight], (tape) => rmsNorm(tape, x, weight));
  },
  embedding: () => {
    const table = parameter("table", [4, 40], 1);
    const tokens = new TokenInput(gpu, { numTokens: 50, vocabSize: 4 });
    tokens.write(Uint32Array.from({ length: 50 }, (_, i) => i % 3));
    return record([table], (tape) => embedding(tape, table, tokens));
  },
  linearCrossEntropy: () => {
    const [x, weight] = [parameter("x", [9, 8], 1), parameter("weight", [300, 8], 2)];
    // Logits of the first row far below 0, which a maximum over fresh memory would be.
    gpu.write(
      x,
      uniform(72, 1).map((value, i) => (i < 8 ? 100 : value)),
    );
    gpu.write(
      weight,
      uniform(2400, 2).map((value) => value - 1),
    );
    const targets = u32("targets", 9, 7);
    const weights = gpu.tensor([9], { label: "weights", values: uniform(9, 3) });
    return record(
      [x, weight],
      (tape) => linearCrossEntropy(tape, { x, weight, targets, weights }).loss,
    );
  },
};

/** WGSL of a dispatch. */
const codeOf = ({ kernel, constants }: RecordedDispatch): string => kernel.code(constants as never);

/** Bits of what a run computes, with the code of one of its kernels changed. */
async function bitsOf(
  { tape, outputs }: Run,
  change?: { kernel: string; code: (code: string) => string },
): Promise<Uint32Array[]> {
  const changed = new Tape(gpu);
  for (const dispatch of tape.dispatches) {
    const { kernel } = dispatch;
    if (change === undefined || kernel.name !== change.kernel) {
      changed.dispatch(kernel as Kernel<unknown>, dispatch);
      continue;
    }
    const name = `${kernel.name} changed`;
    const code = () => change.code(codeOf(dispatch));
    changed.dispatch({ ...kernel, name, code }, { ...dispatch, constants: code() });
  }
  for (const tensor of outputs) {
    if (tensor.buffer !== undefined) gpu.write(tensor, new Float32Array(sizeOf(tensor.shape)));
  }
  const keep = outputs.filter(({ buffer }) => buffer === undefined);
  const plan = await new Plan(gpu, changed, { keep }).compile();
  plan.run();
  const read = await plan.read(...outputs);
  plan.destroy();
  return read.map(({ buffer }) => new Uint32Array(buffer));
}

/** Kernels that an op before has tested, with more tiles. */
const tested = new Set<string>();

for (const [name, make] of Object.entries(RUNS)) {
  const run = make();
  const guarded = new Map<string, number>();
  for (const dispatch of run.tape.dispatches) {
    const code = codeOf(dispatch);
    if (!code.includes("var<workgroup>") || tested.has(dispatch.kernel.name)) continue;
    guarded.set(dispatch.kernel.name, code.match(BARRIER)?.length ?? 0);
  }

  for (const kernel of guarded.keys()) tested.add(kernel);

  test(`${name}() stages in workgroup memory behind barriers`, () => {
    assert.ok(guarded.size > 0, "a tiled kernel must stage something");
    for (const [kernel, count] of guarded) assert.ok(count > 0, `${kernel} must have barriers`);
  });

  for (const [kernel, count] of guarded) {
    for (let index = 0; index < count; index++) {
      test(
        `${name}() is wrong without barrier ${index + 1} of ${count} of ${kernel}`,
        { skip },
        async () => {
          const right = await bitsOf(run);
          assert.deepEqual(
            await bitsOf(run),
            right,
            "with all barriers, reruns give the same bits",
          );
          const without = await bitsOf(run, {
            kernel,
            code: (code) => {
              let seen = 0;
              return code.replaceAll(BARRIER, (barrier) => (seen++ === index ? "" : barrier));
            },
          });
          assert.ok(
            without.some((values, output) => values.some((bits, i) => bits !== right[output]![i])),
            "a barrier that changes nothing guards nothing",
          );
        },
      );
    }
  }
}
