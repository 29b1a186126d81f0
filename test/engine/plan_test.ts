import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { activation } from "../../engine/ops/activation.ts";
import { linear } from "../../engine/ops/linear.ts";
import { liveDispatches } from "../../engine/live_dispatches.ts";
import { Plan } from "../../engine/plan.ts";
import { type RecordedDispatch, Tape } from "../../engine/tape.ts";
import { bytesOf, rootOf, rows, type Tensor } from "../../engine/tensor.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { copy } from "../../shaders/elementwise.wgsl.ts";
import {
  evaluateGraph,
  graphMasks,
  graphParameters,
  graphs,
  graphValues,
  recordGraph,
  ROWS,
  WIDTH,
  type Node,
} from "./random_graph.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Fixed, so that a failure is the same on every machine; fast-check prints the graph. */
const SEED = 20_260;
const masks = graphMasks(gpu);
const dy = uniform(ROWS * WIDTH, 99);
const seed = gpu.tensor([ROWS, WIDTH], { label: "dy", values: dy });

interface Recorded {
  readonly tape: Tape;
  readonly parameters: ReturnType<typeof graphParameters>;
  readonly nodes: readonly Tensor[];
}

function recorded(graph: readonly Node[], variant: Variant = gpu.variant, retain = 0): Recorded {
  const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
  const parameters = graphParameters(gpu);
  const nodes = recordGraph(tape, graph, parameters, masks);
  tape.backward(nodes.at(-1)!, seed, retain > 0 ? [nodes[retain]!] : []);
  return { tape, parameters, nodes };
}

/** Runs a recorded graph and reads its last node and every parameter's gradient. */
async function run(
  { tape, parameters, nodes }: Recorded,
  { shareMemory = true, poison = false, runs = 1 } = {},
): Promise<Record<string, Float32Array>> {
  const y = nodes.at(-1)!;
  const plan = new Plan(gpu, tape, { keep: [y], shareMemory });
  const buffers = await withBuffers(gpu, () => plan.compile());
  if (poison) for (const buffer of buffers) fillWithNaN(buffer);
  for (let i = 0; i < runs; i++) plan.run();
  const names = Object.keys(parameters) as (keyof typeof parameters)[];
  const values = await plan.read(y, ...names.map((name) => parameters[name].gradient));
  plan.destroy();
  return Object.fromEntries(["y", ...names].map((name, i) => [name, values[i]!]));
}

/** Every storage buffer that `allocate` creates. */
async function withBuffers(of: Gpu, allocate: () => Promise<unknown>): Promise<GPUBuffer[]> {
  const buffers: GPUBuffer[] = [];
  const create = of.createBuffer.bind(of);
  of.createBuffer = (...args) => {
    const buffer = create(...args);
    buffers.push(buffer);
    return buffer;
  };
  try {
    await allocate();
  } finally {
    of.createBuffer = create;
  }
  return buffers;
}

function fillWithNaN(buffer: GPUBuffer): void {
  gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(0x7fc0_0000));
}

/** First and last dispatch that name each activation; kept ones outlive them all. */
function uses(
  dispatches: readonly RecordedDispatch[],
  keep: readonly Tensor[],
): Map<Tensor, { first: number; last: number }> {
  const found = new Map<Tensor, { first: number; last: number }>();
  dispatches.forEach(({ buffers }, index) => {
    for (const root of Object.values(buffers).map(rootOf)) {
      const first = found.get(root)?.first ?? index;
      found.set(root, { first, last: keep.includes(root) ? dispatches.length : index });
    }
  });
  return found;
}

/** Asserts that no two tensors of one block are alive at a time. */
function assertDisjoint(tape: Tape, keep: readonly Tensor[]): void {
  const { memory } = new Plan(gpu, tape, { keep });
  const lifetimes = uses(liveDispatches(tape.dispatches, keep), keep);
  for (const [tensor, block] of memory.blockOf) {
    assert.ok(memory.blocks[block]! >= bytesOf(tensor), `"${tensor.label}" must fit its block`);
    for (const [other, otherBlock] of memory.blockOf) {
      if (other === tensor || otherBlock !== block) continue;
      const a = lifetimes.get(tensor)!;
      const b = lifetimes.get(other)!;
      assert.ok(
        a.last < b.first || b.last < a.first,
        `"${tensor.label}" [${a.first}, ${a.last}] and "${other.label}" [${b.first}, ${b.last}] share block ${block}`,
      );
    }
  }
}

/** Asserts that no dispatch reads an activation that none before it has written. */
function assertWrittenFirst(dispatches: readonly RecordedDispatch[]): void {
  const written = new Set<Tensor>();
  for (const { kernel, buffers } of dispatches) {
    for (const [name, tensor] of Object.entries(buffers)) {
      const root = rootOf(tensor);
      if (root.buffer !== undefined || kernel.buffers[name] !== "read") continue;
      assert.ok(written.has(root), `${kernel.name} reads "${tensor.label}" before it is written`);
    }
    for (const [name, tensor] of Object.entries(buffers)) {
      if (kernel.buffers[name] === "read_write") written.add(rootOf(tensor));
    }
  }
}

test("tensors that live at the same time never share memory, in any graph", () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const { tape, nodes } = recorded(graph);
      assertDisjoint(tape, [nodes.at(-1)!]);
      assertDisjoint(tape, nodes);
      assertWrittenFirst(tape.dispatches);
      assertWrittenFirst(liveDispatches(tape.dispatches, [nodes.at(-1)!]));
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("sharing memory changes no bit, nor do NaN left in it, in any graph", () =>
  fc.assert(
    fc.asyncProperty(graphs, async (graph) => {
      const alone = await run(recorded(graph), { shareMemory: false });
      const shared = await run(recorded(graph));
      assert.deepEqual(shared, alone, "shared memory must give the bits of memory apart");
      const poisoned = await run(recorded(graph), { poison: true });
      assert.deepEqual(poisoned, alone, "nothing may be read that was not written");
    }),
    { seed: SEED, numRuns: 150 },
  ));

/** What one step of f32 loses, relative to the size of what is added up, over a dozen ops. */
const GRAPH_TOLERANCE = 2e-4;

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  test(`gradients of any graph are those of float64, with kernels "${variant}"`, () =>
    fc.assert(
      fc.asyncProperty(graphs, async (graph) => {
        const { y, ...gradients } = await run(recorded(graph, variant));
        const values = graphValues();
        const names = Object.keys(values) as (keyof typeof values)[];
        const at = Object.fromEntries(
          names.map((name) => [name, Float64Array.from(values[name])]),
        ) as Record<keyof typeof values, Float64Array>;
        const expected = evaluateGraph(graph, at);
        const size = Math.max(...expected.map(Math.abs));
        assertClose(y!, expected, { what: "y", rtol: 0, atol: GRAPH_TOLERANCE * size });
        for (const [index, name] of names.entries()) {
          const direction = uniform(at[name].length, 50 + index);
          const f = (value: Float64Array) =>
            dot(evaluateGraph(graph, { ...at, [name]: value }), dy);
          const derivative = directionalDerivative(f, at[name], direction);
          const gradient = gradients[name]!;
          const scale = Math.max(size, dot(gradient.map(Math.abs), direction.map(Math.abs)));
          assertClose([dot(gradient, direction)], [derivative], {
            what: `d(${name})`,
            rtol: 0,
            atol: GRAPH_TOLERANCE * scale,
          });
        }
      }),
      { seed: SEED, numRuns: 100 },
    ));
}

test("a retained gradient is not overwritten by those that share its memory", () =>
  fc.assert(
    fc.asyncProperty(graphs, fc.nat(11), async (graph, pick) => {
      const retain = 1 + (pick % graph.length);
      const { tape, nodes } = recorded(graph, gpu.variant, retain);
      let gradient: Tensor;
      try {
        gradient = tape.gradient(nodes[retain]!);
      } catch (error) {
        assert.match((error as Error).message, /no gradient has reached it/); // a dead end
        return;
      }
      const plan = await new Plan(gpu, tape, { keep: [gradient] }).compile();
      plan.run();
      const [values] = await plan.read(gradient);
      plan.destroy();
      const p = graphValues();
      const at = Object.fromEntries(
        Object.entries(p).map(([name, value]) => [name, Float64Array.from(value)]),
      ) as Record<keyof typeof p, Float64Array>;
      const direction = uniform(ROWS * WIDTH, 7);
      const f = (offset: Float64Array) =>
        dot(evaluateGraph(graph, at, new Map([[retain, offset]])), dy);
      const derivative = directionalDerivative(f, new Float64Array(ROWS * WIDTH), direction);
      const scale = Math.max(1, dot(values!.map(Math.abs), direction.map(Math.abs)));
      assertClose([dot(values!, direction)], [derivative], {
        what: "retained gradient",
        rtol: 0,
        atol: GRAPH_TOLERANCE * scale,
      });
    }),
    { seed: SEED, numRuns: 100 },
  ));

test("gradient() of an activation that was not retained throws, and so does one that none reached", () => {
  const { tape, nodes } = recorded([{ op: "add", back: [0, 0, 0] }]);
  assert.throws(() => tape.gradient(nodes[1]!), {
    name: "RangeError",
    message:
      'Cannot give the gradient of "add": backward() must retain it, got one that others may overwrite',
  });
  assert.throws(() => tape.gradient(tape.activation([1], { label: "h" })), {
    name: "RangeError",
    message: 'Cannot give the gradient of "h": no gradient has reached it, call backward() first',
  });
});

test("replaying adds to weights' gradients and leaves activations as they were", async () => {
  const graph: Node[] = [
    { op: "biased", back: [0, 0, 0] },
    { op: "add", back: [0, 1, 0] },
    { op: "layerNorm", back: [0, 0, 0] },
    { op: "add", back: [0, 1, 0] },
  ];
  const once = await run(recorded(graph));
  const twice = await run(recorded(graph), { runs: 2 });
  for (const [name, values] of Object.entries(once)) {
    const expected = name === "y" ? values : values.map((value) => 2 * value);
    const tolerance = name === "y" ? { rtol: 0, atol: 0 } : { rtol: 1e-6, atol: 1e-6 };
    assertClose(twice[name]!, expected, { what: name, ...tolerance });
  }
});

/** `y = silu(silu(x · weightᵀ)) + x · weightᵀ`, whose memory can be counted by hand. */
function smallGraph(): { tape: Tape; h: Tensor; y: Tensor } {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const x = gpu.tensor([4, 8], { label: "x" });
  const weight = gpu.parameter([8, 8], { label: "weight" });
  const h = linear(tape, x, weight);
  const y = add(tape, activation(tape, activation(tape, h, "silu"), "silu"), h);
  return { tape, h, y };
}

test("describe() counts dispatches and bytes before anything runs", () => {
  const { tape, y } = smallGraph();
  const description = new Plan(gpu, tape, { keep: [y] }).describe();
  const activations = 4 * 8 * 4; // bytes of one activation
  assert.deepEqual(description, {
    numDispatches: 4,
    numDispatchesByKernel: { packedMatmulNtFlat: 1, silu: 2, add: 1 },
    bytes: {
      weights: 8 * 8 * 4,
      gradients: 0, // nothing flows back
      optimizer: 0,
      cache: 0,
      inputs: activations,
      activations: 4 * activations,
    },
    // h lives throughout; the first silu's memory is free again when the sum is written.
    sharedActivationBytes: 3 * activations,
    peakBytes: 8 * 8 * 4 + activations + 3 * activations,
  });
});

test("a plan leaves out what nobody reads, and nothing else", () => {
  const { tape, h, y } = smallGraph();
  const kernels = (keep: readonly Tensor[]) =>
    liveDispatches(tape.dispatches, keep).map(({ kernel }) => kernel.name);
  const all = tape.dispatches.map(({ kernel }) => kernel.name);
  assert.deepEqual(kernels([y]), all);
  assert.deepEqual(kernels([h]), all.slice(0, 1));
  assert.deepEqual(kernels([]), []);
  const stored = gpu.tensor(h.shape, { label: "stored" });
  tape.elementwise(copy, { x: h, y: stored });
  assert.deepEqual(kernels([]), [all[0], "copy"], "what is written for good always counts");
});

test("run() before compile() throws, and so does run() after destroy()", async () => {
  const { tape, y } = smallGraph();
  const plan = new Plan(gpu, tape, { keep: [y] });
  const error = { message: "Cannot run a plan: it must be compiled first, call compile()" };
  assert.throws(() => plan.run(), error);
  await plan.compile();
  plan.run();
  plan.destroy();
  assert.throws(() => plan.run(), error);
  await plan.compile();
  plan.run();
  plan.destroy();
});

test("compile() allocates once, however often and at whatever time it is called", async () => {
  const { tape, y } = smallGraph();
  const plan = new Plan(gpu, tape, { keep: [y] });
  const buffers = await withBuffers(gpu, () => Promise.all([plan.compile(), plan.compile()]));
  assert.equal(buffers.length, 3);
  assert.deepEqual(await withBuffers(gpu, () => plan.compile()), []);
  plan.destroy();
});

test("reading what a plan does not keep throws", async () => {
  const { tape, h, y } = smallGraph();
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  plan.run();
  await assert.rejects(plan.read(h), {
    name: "RangeError",
    message:
      'Cannot read "linear(weight)" [4, 8] f32: the plan must keep it, got one whose memory is shared; name it in the plan\'s options',
  });
  plan.destroy();
});

test("a view is read from where it begins", async () => {
  const tape = new Tape(gpu);
  const values = uniform(3 * 64, 1);
  const x = gpu.tensor([3, 64], { label: "x", values });
  const y = add(tape, x, x);
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  plan.run();
  const [second, input] = await plan.read(rows(y, 1, 3), rows(x, 2, 3));
  assert.deepEqual(
    second,
    values.subarray(64).map((value) => 2 * value),
  );
  assert.deepEqual(input, values.subarray(128));
  plan.destroy();
});

test("an activation larger than the device can bind is named, and errors still surface", async () => {
  const own = await openGpu();
  const limit = own.device.limits.maxStorageBufferBindingSize;
  const numRows = Math.floor(limit / 4 / 1024) + 1;
  const tape = new Tape(own);
  const x = own.tensor([numRows, 1], { label: "x" });
  const weight = own.tensor([1024, 1], { label: "weight" });
  const y = linear(tape, x, weight);
  await assert.rejects(new Plan(own, tape, { keep: [y] }).compile(), {
    name: "RangeError",
    message: `Cannot bind "linear(weight)" [${numRows}, 1024] f32 to matmul${own.variant === "flat" ? "Flat" : "Tiled"}: this device binds at most ${limit} bytes, got ${numRows * 4096}; use a smaller batch or model`,
  });
  // No error scope was left open to swallow what comes next.
  const encoder = own.device.createCommandEncoder();
  encoder.copyBufferToBuffer(weight.buffer, 0, weight.buffer, 0, 1 << 20); // beyond its end
  own.device.queue.submit([encoder.finish()]);
  await assert.rejects(own.read(weight), /^Error: Cannot run on the GPU: /);
  own.destroy();
});
