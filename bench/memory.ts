/**
 * Peak memory of loading and fine-tuning a random Llama of 110 million weights: whole, by LoRA,
 * and by QLoRA on int4. Prints JSON.
 *
 *     node --import tsx bench/memory.ts
 *
 * Each case runs in a process of its own, so that its resident memory is its own. On a software
 * adapter that holds the device's memory, too.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAdapter } from "../cli/platform/dawn.ts";
import { saveCheckpoint } from "../cli/platform/checkpoints.ts";
import { openModelPath } from "../cli/platform/model_folder.ts";
import { formatBytes } from "../cli/run/format.ts";
import type { Batch } from "../data/batch.ts";
import { Gpu } from "../engine/gpu.ts";
import { checkpointFiles } from "../model/checkpoint/checkpoint_files.ts";
import { attachLora } from "../model/lora/adapter.ts";
import { DEFAULT_LORA } from "../model/lora/config.ts";
import { loadTransformer } from "../model/pretrained/load_transformer.ts";
import { normal } from "../model/random.ts";
import { TrainingStep } from "../model/train/training_step.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../model/transformer/config.ts";
import { weightShapes } from "../model/transformer/weight_shapes.ts";

const CONFIG: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: 32_000,
  dModel: 768,
  dHidden: 2048,
  numBlocks: 12,
  numHeads: 12,
  numKvHeads: 12,
  headDim: 64,
  maxSeqLen: 1024,
};

const SIZES = { numRows: 1, seqLen: 128 };
const NUM_STEPS = 2;

/** How the model is held, and whether adapters are trained in its place. */
const CASES = {
  full: {},
  lora: { baseDtype: "f32" },
  qlora: { baseDtype: "int4" },
} as const;

type CaseName = keyof typeof CASES;

/** Memory of a process at a moment, in bytes. */
interface Memory {
  /** The most that was resident so far. */
  readonly peakRss: number;
  /** The most that was allocated on the device so far. */
  readonly gpuPeak: number;
}

const [, , name, folder] = process.argv;
if (name === undefined) await measureAll();
else process.stdout.write(`${JSON.stringify(await measureCase(name as CaseName, folder!))}\n`);
process.exit(0);

async function measureAll(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "tenure-memory-"));
  try {
    const model = await saveCheckpoint(home, "model", randomModel());
    const { line } = await openAdapter();
    const cases: Record<string, object> = {};
    for (const each of Object.keys(CASES)) {
      const output = execFileSync(
        process.execPath,
        ["--import", "tsx", import.meta.filename, each, model],
        { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
      );
      const result = JSON.parse(output) as Record<string, Memory>;
      cases[each] = result;
      for (const [phase, memory] of Object.entries(result)) {
        const [host, device] = [memory.peakRss, memory.gpuPeak].map(formatBytes);
        const text = `${host} resident, ${device} on the device`;
        process.stderr.write(`${each}, ${phase}: ${text}\n`);
      }
    }
    const numWeights = [...weightShapes(CONFIG)].reduce(
      (sum, { shape }) => sum + product(shape),
      0,
    );
    process.stdout.write(
      `${JSON.stringify({ adapter: line, numWeights, ...SIZES, cases }, null, 2)}\n`,
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Files of a random model, drawn tensor by tensor. */
function randomModel(): ReturnType<typeof checkpointFiles> {
  const shapes = new Map(Array.from(weightShapes(CONFIG), ({ label, shape }) => [label, shape]));
  let stream = 0;
  return checkpointFiles({
    config: CONFIG,
    weights: (label) => {
      const shape = shapes.get(label)!;
      const length = product(shape);
      const values =
        shape.length === 1
          ? new Float32Array(length).fill(1)
          : normal(length, { seed: 1, stream: stream++, deviation: 1 / Math.sqrt(shape[1]!) });
      return Promise.resolve(values);
    },
  });
}

/** Loads the model, takes steps, and, where all of it is trained, saves it. */
async function measureCase(each: CaseName, model: string): Promise<Record<string, Memory>> {
  const { adapter } = await openAdapter();
  const gpu = await Gpu.open(adapter);
  const now = (): Memory => ({ peakRss: peakResident(), gpuPeak: gpu.peakBytes });
  const phases: Record<string, Memory> = { opened: now() };
  const stored = await openModelPath(model);
  const { baseDtype } = CASES[each] as { readonly baseDtype?: "f32" | "int4" };
  const beneath = await loadTransformer(
    gpu,
    stored,
    baseDtype === undefined ? { trainable: true } : { dtype: baseDtype },
  );
  phases["loaded"] = now();
  const trained = baseDtype === undefined ? beneath : attachLora(gpu, beneath, DEFAULT_LORA);
  const step = await new TrainingStep(gpu, trained, SIZES).compile();
  for (let index = 1; index <= NUM_STEPS; index++) {
    const { finite } = await step.run([batchOf(index)], {
      learningRate: 1e-5,
      step: index,
      numBatches: index - 1,
    });
    if (!finite) throw new Error("Cannot measure memory: losses must be finite, got NaN");
  }
  phases["trained"] = now();
  if (each !== "full") return phases;
  const files = checkpointFiles({
    config: CONFIG,
    weights: (label) => gpu.read(trained.tensors.get(label)!),
    trainer: {
      step: NUM_STEPS,
      state: {},
      shapes: trained.parameters,
      moment: (label, moment) => gpu.read(step.moments.get(label)![moment]),
    },
  });
  await saveCheckpoint(join(model, ".."), "checkpoint-2", files);
  phases["saved"] = now();
  return phases;
}

/** A row of one document. */
function batchOf(index: number): Batch {
  const { numRows, seqLen } = SIZES;
  const tokens = Uint32Array.from({ length: seqLen }, (_, i) => (7919 * (i + index)) % 32_000);
  return {
    label: `batch ${index}`,
    numRows,
    seqLen,
    tokens,
    targets: Uint32Array.from(tokens, (_, i) => tokens[(i + 1) % seqLen]!),
    weights: new Float32Array(seqLen).fill(1),
    positions: Uint32Array.from({ length: seqLen }, (_, i) => i),
    starts: new Uint32Array(seqLen),
    ends: new Uint32Array(seqLen).fill(seqLen),
  };
}

/** The most memory that this process has had resident, in bytes. */
function peakResident(): number {
  try {
    // Unlike getrusage(), it begins anew with the program.
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return 1024 * Number(kib);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, length) => total * length, 1);
}
