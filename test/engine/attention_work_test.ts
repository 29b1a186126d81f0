import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type { Kernel } from "../../shaders/kernel.ts";
import { openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const SEQ_LEN = 600;
const WINDOW = 20;
const SIZES = { seqLen: SEQ_LEN, numHeads: 1, numKvHeads: 1, headDim: 1 };

/** What each kernel stores of a row, and the count of rows walked over that takes its place. */
const STORED: Readonly<
  Record<string, { what: RegExp; count: string; output: string; offset: number }>
> = {
  attentionForward: {
    what: /vec2f\(lse, 0\.0\)/,
    count: "vec2f(visits, 0.0)",
    output: "statistics",
    offset: 0,
  },
  attentionBackwardQuery: {
    what: /\.y = ownDelta/,
    count: ".y = visits",
    output: "statistics",
    offset: 1,
  },
  attentionBackwardKey: {
    what: /(?<=dk\[[^\]]*\] = f32\()[^;]*(?=\);)/,
    count: "visits",
    output: "dk",
    offset: 0,
  },
};

/** Attention of one head under a window, and its backward. */
function record(variant: Variant, width: number): Tape {
  const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
  const head = (label: string) => ({
    ...tape.activation([SEQ_LEN, 1], { label }),
    needsGradient: true,
  });
  const u32 = (label: string, valueOf: (t: number) => number) =>
    gpu.tensor([SEQ_LEN], {
      label,
      dtype: "u32",
      values: Uint32Array.from({ length: SEQ_LEN }, (_, t) => valueOf(t)),
    });
  const masks = {
    starts: u32("starts", (t) => Math.max(0, t + 1 - width)),
    ends: u32("ends", () => SEQ_LEN),
  };
  const y = causalAttention(tape, { q: head("q"), k: head("k"), v: head("v"), ...masks }, SIZES);
  tape.backward(y, tape.activation(y.shape, { label: "dy" }));
  return tape;
}

/** How many rows the lane of each row walks over in a kernel. */
async function visitsOf(name: string, variant: Variant, width: number): Promise<number[]> {
  const { what, count, output: place, offset } = STORED[name]!;
  const tape = record(variant, width);
  const counting = new Tape(tape);
  const index = tape.dispatches.findIndex(({ kernel }) => kernel.name === name);
  for (const dispatch of tape.dispatches.slice(0, index)) {
    counting.dispatch(dispatch.kernel as Kernel<unknown>, dispatch);
  }
  const { kernel, ...dispatch } = tape.dispatches[index]!;
  const code = kernel.code(dispatch.constants as never);
  assert.match(code, what);
  const counted = `${code
    .replace(what, count)
    .replace("let visible =", "visits += 1.0; let visible =")}
    var<private> visits = 0.0;`;
  const constants = { counted };
  counting.dispatch({ ...kernel, code: () => counted }, { ...dispatch, constants });
  const output = dispatch.buffers[place]!;
  const plan = await new Plan(gpu, counting, { keep: [output] }).compile();
  plan.run();
  const [stored] = await plan.read(output);
  plan.destroy();
  const stride = sizeOf(output.shape) / SEQ_LEN;
  return Array.from({ length: SEQ_LEN }, (_, t) => stored![t * stride + offset]!);
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // A block of lanes walks over the union of its windows; keys stop at a chunk of 32 queries.
  const lanes = variant === "tiled" ? 64 : gpu.subgroupSize || 8;
  const most = WINDOW + lanes + 32;

  for (const name of Object.keys(STORED)) {
    test(`${name} ${variant} walks over its window and not the whole row`, async () => {
      const visits = await visitsOf(name, variant, WINDOW);
      assert.ok(Math.min(...visits) >= 1);
      assert.ok(Math.max(...visits) <= most, `at most ${most}, got ${Math.max(...visits)}`);
      const whole = await visitsOf(name, variant, SEQ_LEN);
      assert.equal(Math.max(...whole), SEQ_LEN, "without a window, someone walks over all");
    });
  }
}
