import assert from "node:assert/strict";
import { after, test } from "node:test";
import { add } from "../../engine/ops/add.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import type { AttentionPass } from "../../engine/ops/attention_family.ts";
import {
  ATTENTION_BACKWARD_KEY,
  ATTENTION_BACKWARD_QUERY,
  ATTENTION_FORWARD,
} from "../../engine/ops/attention_tunable.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Choice, keyOf, sameChoice } from "../../engine/tuning/tunable.ts";
import {
  attentionBackwardKeyBlock,
  attentionBackwardQueryBlock,
} from "../../shaders/attention_backward_block.wgsl.ts";
import {
  attentionBlockBytes,
  type AttentionBlockConstants,
} from "../../shaders/attention_block.wgsl.ts";
import { attentionForwardBlock } from "../../shaders/attention_forward_block.wgsl.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { attentionReference } from "../reference/attention.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";
import { errorsOf, openNullDevice } from "./null_device.ts";

const gpu = await openGpu({ variant: "tiled", traits: { maxWorkgroupBytes: 32_768 } });
const nullDevice = await openNullDevice();
after(() => [gpu, nullDevice].forEach((each) => each?.destroy()));
const device = { variant: gpu.variant, subgroupSize: gpu.subgroupSize, traits: gpu.traits };
const skip = withoutFloat16(gpu);

// Softmax over up to 150 keys and dot products of up to 256 terms, each rounded at 6e-8.
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };
// One rounding of results to half precision; delta sums a y that was rounded.
const F16_TOLERANCE = { rtol: 2 ** -10, atol: 2e-3 };

const TUNABLES = {
  forward: ATTENTION_FORWARD,
  query: ATTENTION_BACKWARD_QUERY,
  key: ATTENTION_BACKWARD_KEY,
} as const;

/** Heads of one row, or of several rows alike, and who sees whom. */
interface Case {
  readonly sizes: readonly [numRows: number, seqLen: number, numHeads: number, numKvHeads: number];
  readonly headDim: number;
  readonly storage?: "f32" | "f16";
  readonly startOf?: (t: number) => number;
  readonly endOf?: (s: number) => number;
}

/** A way of the family, without its name. */
type Way = Readonly<Record<"rows" | "columns" | "lanes" | "depth", number>> & {
  readonly staged?: "f32" | "f16";
};

const PASSES = ["forward", "query", "key"] as const satisfies readonly AttentionPass[];

function problemOf({ sizes, headDim, storage = "f32" }: Case) {
  const [numRows, seqLen, numHeads, numKvHeads] = sizes;
  return { numRows, seqLen, numHeads, numKvHeads, headDim, storage };
}

/** Choices that force a way on passes. */
function forced(
  shape: Case,
  way: Way,
  passes: readonly AttentionPass[] = PASSES,
): Map<string, Choice> {
  const choice = { kernel: "block", staged: "f32", ...way };
  const problem = problemOf(shape);
  for (const pass of passes) {
    const all = TUNABLES[pass].candidates(gpu, problem);
    assert.ok(
      all.some((one) => sameChoice(one, choice)),
      `${pass} must offer ${JSON.stringify(choice)}, got ${JSON.stringify(all)}`,
    );
  }
  return new Map(passes.map((pass) => [keyOf(TUNABLES[pass], problem), choice]));
}

/** Inputs of a case, rounded to what is stored. */
function valuesOf(shape: Case) {
  const { numRows, seqLen, numHeads, numKvHeads, headDim, storage } = problemOf(shape);
  const values = (heads: number, seed: number) => {
    const drawn = uniform(numRows * seqLen * heads * headDim, seed);
    return storage === "f16" ? fromFloat16(toFloat16(drawn).buffer, drawn.length) : drawn;
  };
  return {
    q: values(numHeads, 1),
    k: values(numKvHeads, 2),
    v: values(numKvHeads, 3),
    dy: values(numHeads, 4),
  };
}

/** Runs a case, by default forward and backward, and reads `y`, `dq`, `dk` and `dv`. */
async function run(
  shape: Case,
  choices: ReadonlyMap<string, Choice>,
  { isForward = false, isTwice = false } = {},
) {
  const { startOf = () => 0, endOf } = shape;
  const problem = problemOf(shape);
  const { numRows, seqLen, storage: dtype } = problem;
  const numTokens = numRows * seqLen;
  const values = valuesOf(shape);
  const head = (name: keyof typeof values): Tensor => ({
    ...gpu.tensor([numTokens, values[name].length / numTokens], {
      label: name,
      dtype,
      values: dtype === "f16" ? toFloat16(values[name]) : values[name],
    }),
    needsGradient: true,
  });
  const u32 = (label: string, of: (at: number) => number) => {
    const numbers = Uint32Array.from({ length: numTokens }, (_, t) => of(t % seqLen));
    return gpu.tensor([numTokens], { label, dtype: "u32", values: numbers });
  };
  const masks = { starts: u32("starts", startOf), ends: u32("ends", endOf ?? (() => seqLen)) };
  const [q, k, v] = [head("q"), head("k"), head("v")];
  const tape = new Tape({ ...device, choices });
  const attend = () => causalAttention(tape, { q, k, v, ...masks }, problem);
  const y = isTwice ? add(tape, attend(), attend()) : attend();
  if (!isForward) tape.backward(y, head("dy"), [q, k, v]);
  const outputs = [y, ...(isForward ? [] : [q, k, v].map((x) => tape.gradient(x)))];
  const plan = await new Plan(gpu, tape, { keep: outputs }).compile();
  plan.run();
  const read = await plan.read(...outputs);
  plan.destroy();
  const kernels = tape.dispatches.map(({ kernel }) => kernel.name);
  const results = outputs.map(({ shape: [rows, columns] }, i) =>
    dtype === "f16"
      ? fromFloat16(read[i]!.buffer, rows! * columns!)
      : read[i]!.slice(0, rows! * columns!),
  );
  return { kernels, results };
}

/** Checks against float64: results by element, gradients along one direction. */
function check(shape: Case, results: readonly Float32Array[]): void {
  const { startOf = () => 0, endOf, storage } = shape;
  const problem = problemOf(shape);
  const visible = (_: number, t: number, s: number) =>
    startOf(t) <= s && s <= t && t < (endOf?.(s) ?? problem.seqLen);
  const { dy, ...values } = valuesOf(shape);
  const at = {
    q: Float64Array.from(values.q),
    k: Float64Array.from(values.k),
    v: Float64Array.from(values.v),
  };
  const tolerance = storage === "f16" ? F16_TOLERANCE : TOLERANCE;
  const [y, ...gradients] = results;
  const reference = (of: typeof at) => attentionReference(of, { ...problem, visible });
  assertClose(y!, reference(at), { what: "y", ...tolerance });
  for (const [i, name] of (["q", "k", "v"] as const).entries()) {
    const gradient = gradients[i];
    if (gradient === undefined) continue;
    for (const seed of [97, 98]) {
      const direction = uniform(gradient.length, seed);
      const loss = (value: Float64Array) => dot(reference({ ...at, [name]: value }), dy);
      const what = `d(${name}) along direction ${seed}`;
      // Errors of many elements add up as a random walk does.
      const atol = (tolerance.atol + tolerance.rtol) * Math.sqrt(gradient.length);
      const expected = directionalDerivative(loss, at[name], direction);
      assertClose([dot(gradient, direction)], [expected], { what, rtol: tolerance.rtol, atol });
    }
  }
}

/** Of more lanes across than a subgroup of lavapipe has, so that it shows where a barrier is missing. */
const WHOLE: Way = { rows: 16, columns: 64, lanes: 64, depth: 32 };
/** Parts of heads, and turns of keys, of a width that lanes do not divide. */
const PARTS: Way = { rows: 32, columns: 32, lanes: 64, depth: 12 };

/** Ends of 5 nodes in depth-first order: root, child, its two children, second child. */
const treeEnd = (t: number) => t - (t % 5) + [5, 4, 3, 4, 5][t % 5]!;

const CASES: readonly (Case & { readonly name: string; readonly way: Way })[] = [
  { name: "one token", way: WHOLE, sizes: [1, 1, 1, 1], headDim: 32 },
  { name: "rows of a tile and one", way: WHOLE, sizes: [2, 65, 4, 2], headDim: 32 },
  { name: "exactly two tiles", way: WHOLE, sizes: [1, 128, 1, 1], headDim: 32 },
  {
    name: "documents under a window",
    way: WHOLE,
    sizes: [1, 150, 1, 1],
    headDim: 32,
    startOf: (t) => Math.max(t < 41 ? 0 : 41, t - 37),
    endOf: (s) => (s < 41 ? 41 : 150),
  },
  {
    name: "trees after a prefix",
    way: WHOLE,
    sizes: [1, 110, 2, 1],
    headDim: 32,
    endOf: (s) => (s < 10 ? 110 : treeEnd(s)),
  },
  {
    name: "queries and blocks of them that see nothing",
    way: WHOLE,
    sizes: [1, 97, 1, 1],
    headDim: 32,
    startOf: (t) => (t % 9 === 4 ? t + 1 : 0),
    endOf: (s) => (s < 70 ? 0 : 97),
  },
  { name: "parts of grouped heads", way: PARTS, sizes: [2, 150, 2, 1], headDim: 24 },
  {
    name: "parts of heads under a window",
    way: PARTS,
    sizes: [1, 150, 1, 1],
    headDim: 24,
    startOf: (t) => Math.max(0, t - 17),
  },
  { name: "one token in parts", way: PARTS, sizes: [3, 1, 1, 1], headDim: 24 },
];

for (const one of CASES) {
  test(`attention in blocks computes ${one.name}`, async () => {
    const choices = forced(one, one.way);
    const { kernels, results } = await run(one, choices);
    assert.deepEqual(kernels.slice(1), [
      "attentionForwardBlock",
      "attentionBackwardQueryBlock",
      "attentionBackwardKeyBlock",
    ]);
    check(one, results);
    assert.deepEqual((await run(one, choices)).results, results, "the same bits");
  });
}

test("attention in blocks gives exact zeros where a query sees nothing", async () => {
  const one = CASES.find(({ name }) => name.includes("see nothing"))!;
  const { results } = await run(one, forced(one, one.way));
  for (const [i, name] of ["y", "dq", "dk", "dv"].entries()) {
    assert.ok(
      results[i]!.subarray(0, 70 * 32).every((value) => value === 0),
      name,
    );
  }
});

test("attention in blocks of halves matches float64", { skip }, async () => {
  const one: Case = { sizes: [1, 45, 2, 1], headDim: 32, storage: "f16" };
  const { results } = await run(one, forced(one, { ...WHOLE, staged: "f16" }));
  check(one, results);
});

test("attention in blocks adds to gradients that are there", async () => {
  const one: Case = { sizes: [1, 40, 1, 1], headDim: 32 };
  const choices = forced(one, WHOLE);
  const once = (await run(one, choices)).results;
  const twice = (await run(one, choices, { isTwice: true })).results;
  for (const [i, name] of ["y", "dq", "dk", "dv"].entries()) {
    const expected = once[i]!.map((value) => 2 * value);
    assertClose(twice[i]!, expected, { what: `${name} twice`, ...TOLERANCE });
  }
});

test("attention in blocks of many rows a lane, forward", async () => {
  const one: Case = { sizes: [1, 70, 1, 1], headDim: 32 };
  const way: Way = { rows: 64, columns: 32, lanes: 64, depth: 16 };
  check(one, (await run(one, forced(one, way, ["forward"]), { isForward: true })).results);
});

test("attention of heads of 256 computes in blocks by default", async () => {
  const one: Case = { sizes: [1, 18, 1, 1], headDim: 256 };
  const { kernels, results } = await run(one, new Map(), { isForward: true });
  assert.deepEqual(kernels.slice(1), ["attentionForwardBlock"]);
  check(one, results);
});

/** Devices of much and of little workgroup memory. */
const DEVICES = [16_384, 32_768, 49_152].map((maxWorkgroupBytes) => ({
  variant: "tiled" as const,
  subgroupSize: 0,
  traits: { hasFloat16: true, maxWorkgroupBytes, maxWorkgroupLanes: 256 },
}));

const KERNELS = {
  forward: attentionForwardBlock,
  query: attentionBackwardQueryBlock,
  key: attentionBackwardKeyBlock,
};

/** Constants of every way that devices are offered for heads of a width. */
function* waysOf(pass: AttentionPass, headDim: number) {
  for (const tuned of DEVICES) {
    for (const storage of ["f32", "f16"] as const) {
      const problem = problemOf({ sizes: [2, 300, 4, 2], headDim, storage });
      const ways = TUNABLES[pass].candidates(tuned, problem);
      for (const { kernel, ...way } of ways) {
        if (kernel !== "block") continue;
        const constants = { headDim, storage, ...(way as Way & { staged: "f32" | "f16" }) };
        yield { constants, limit: tuned.traits.maxWorkgroupBytes, lanes: constants.lanes };
      }
    }
  }
}

/** WGSL of a way; gradients are stored. */
function codeOf(pass: AttentionPass, constants: AttentionBlockConstants): string {
  const sums = { accumulate: false, accumulateKey: false, accumulateValue: false };
  return KERNELS[pass].code({ ...constants, ...sums });
}

for (const pass of PASSES) {
  test(`blocks of the ${pass} pass fit into workgroup memory, as their bytes say`, () => {
    for (const headDim of [20, 32, 64, 80, 96, 128, 256]) {
      let numWays = 0;
      for (const { constants, limit } of waysOf(pass, headDim)) {
        let bytes = 0;
        for (const [, type, length] of codeOf(pass, constants).matchAll(
          /var<workgroup> \w+: array<(\w+), (\d+)>/g,
        )) {
          bytes += Number(length) * (type === "Staged" && constants.staged === "f16" ? 8 : 16);
        }
        assert.equal(attentionBlockBytes(constants, pass), bytes);
        assert.ok(bytes <= limit, JSON.stringify(constants));
        numWays++;
      }
      assert.ok(numWays > 10, `${numWays} ways for heads of ${headDim}`);
    }
  });

  test(`blocks are the default of the ${pass} pass for wide heads of GPUs alone`, () => {
    const first = (variant: "flat" | "tiled", headDim: number) => {
      const problem = problemOf({ sizes: [1, 300, 4, 4], headDim });
      return TUNABLES[pass].candidates({ ...DEVICES[0]!, variant }, problem)[0]!["kernel"];
    };
    for (const headDim of [64, 96, 128, 256]) assert.equal(first("tiled", headDim), "block");
    for (const headDim of [8, 32, 60, 66]) assert.equal(first("tiled", headDim), "lane");
    for (const headDim of [8, 32, 64, 256]) assert.notEqual(first("flat", headDim), "block");
  });
}

test(
  "Dawn compiles blocks of every pass and many widths",
  { skip: nullDevice === undefined ? "not covered in this runtime: Dawn's null backend" : false },
  async () => {
    for (const pass of PASSES) {
      const seen = new Set<string>();
      for (const headDim of [20, 64, 256]) {
        for (const { constants } of waysOf(pass, headDim)) {
          const { rows, columns, lanes, storage } = constants;
          const kind = [headDim, rows, columns, lanes, storage].join(" ");
          if (seen.has(kind)) continue;
          seen.add(kind);
          assert.deepEqual(await errorsOf(nullDevice!, codeOf(pass, constants)), [], kind);
        }
      }
      assert.ok(seen.size > 20, `${seen.size} texts`);
    }
  },
);
