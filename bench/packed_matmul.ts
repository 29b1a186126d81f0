/**
 * Products with packed weights beside f32, on this machine's adapter: the shapes of decoding (one
 * row) and of prefill (128) in a Llama of 15M parameters, and of decoding in one of 260K. Every
 * line is the least of several rounds, which alternate between the formats.
 *
 *     npx tsx bench/packed_matmul.ts
 */
import { openAdapter } from "../cli/platform/dawn.ts";
import { Gpu } from "../engine/gpu.ts";
import { matmul } from "../engine/ops/matmul.ts";
import { pack, type WeightDType } from "../engine/pack.ts";
import { Plan } from "../engine/plan.ts";
import { Tape } from "../engine/tape.ts";
import { bytesOf } from "../engine/tensor.ts";

const DTYPES = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];

// [rows, dIn, dOut]
const SHAPES = [
  [1, 288, 288],
  [1, 288, 768],
  [1, 768, 288],
  [1, 288, 32_000],
  [1, 64, 172],
  [1, 64, 512],
  [128, 288, 768],
  [128, 768, 288],
] as const;

const ROUNDS = 12;
/** Operations of a round: so many that a submit's own time hardly counts. */
const OPERATIONS_A_ROUND = 1e8;

const { adapter, line } = await openAdapter();
const gpu = await Gpu.open(adapter);
print(`${line}, ${gpu.variant}`);
for (const shape of SHAPES) {
  for (const layout of shape[0] === 1 ? (["nt"] as const) : (["nt", "nn"] as const)) {
    await compare(layout, shape);
  }
}
gpu.destroy();

/** Prints a line for each format: `nt` forward, `nn` backward to the activations. */
async function compare(
  layout: "nt" | "nn",
  [numRows, dIn, dOut]: (typeof SHAPES)[number],
): Promise<void> {
  const operations = 2 * numRows * dIn * dOut;
  const repeats = Math.max(1, Math.min(200, Math.round(OPERATIONS_A_ROUND / operations)));
  const [depth, numColumns] = layout === "nt" ? [dIn, dOut] : [dOut, dIn];
  const values = Float32Array.from({ length: dIn * dOut }, (_, i) => Math.sin(i) / 10);
  const runs = DTYPES.map((dtype) => {
    const packed = pack(values, [dOut, dIn], dtype);
    const b = gpu.tensor([dOut, dIn], { label: "weight", dtype, values: packed });
    const a = gpu.tensor([numRows, depth], {
      label: "x",
      values: values.slice(0, numRows * depth),
    });
    const c = gpu.tensor([numRows, numColumns], { label: "y" });
    const tape = new Tape(gpu);
    for (let i = 0; i < repeats; i++) matmul(tape, layout, { a, b, c });
    return { dtype, plan: new Plan(gpu, tape), bytes: bytesOf(b), ms: Infinity };
  });
  for (const { plan } of runs) await plan.compile();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const run of runs) {
      const begin = performance.now();
      run.plan.run();
      await gpu.device.queue.onSubmittedWorkDone();
      if (round > 0) run.ms = Math.min(run.ms, (performance.now() - begin) / repeats);
    }
  }
  print(`\n${layout} [${numRows}, ${depth}] to ${numColumns}`);
  for (const { dtype, plan, bytes, ms } of runs) {
    const speed = `${(operations / ms / 1e6).toFixed(1).padStart(7)} GFLOP/s`;
    const read = `${(bytes / ms / 1e6).toFixed(2).padStart(6)} GB/s of weights`;
    print(`  ${dtype.padEnd(5)} ${ms.toFixed(4).padStart(9)} ms ${speed} ${read}`);
    plan.destroy();
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
