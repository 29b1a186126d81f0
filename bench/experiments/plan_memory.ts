import { paperAdapter } from "../../cli/platform/paper_adapter.ts";
import { Gpu } from "../../engine/gpu.ts";
import { packParameters } from "../../engine/parameters.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { countWeights, weightShapes } from "../../model/transformer/weight_shapes.ts";
import { GPT2_124M, type ModelShape } from "../cases/mod.ts";
import { formatBytes, formatNumber } from "../report/format.ts";
import { table } from "../report/markdown.ts";
import { stackedSvg } from "../report/stacked_chart.ts";
import type { ExperimentOptions, ExperimentResult } from "./experiment.ts";
import type { OpenedAdapter } from "../../cli/platform/dawn.ts";

/** A training step whose memory is planned. */
export interface PlannedStep {
  readonly model: ModelShape;
  readonly numRows: number;
  readonly seqLen: number;
  readonly dtype: "f32" | "f16";
  readonly checkpoint: boolean;
}

/** Bytes of a training step, by what they are for. */
export interface StepMemory {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly inputs: number;
  /** Activations in shared buffers. */
  readonly activations: number;
  /** The same, if each had memory of its own. */
  readonly unshared: number;
  /** All but what is not shared. */
  readonly peak: number;
  readonly numDispatches: number;
}

/** GPT-2 124M on a batch of 4 rows of 1,024 tokens. */
const SIZES = { model: GPT2_124M, numRows: 4, seqLen: 1024 } as const;

/**
 * Plans a training step on a device that takes notes: nothing is allocated, and what no adapter
 * here could hold is planned too.
 *
 * @param adapter Whose limits and features count.
 * @param step What to plan.
 */
export async function planStep(adapter: GPUAdapter, step: PlannedStep): Promise<StepMemory> {
  const gpu = await Gpu.open(paperAdapter(adapter), {
    ...(step.dtype === "f16" && { traits: { hasFloat16: true } }),
  });
  const { config } = step.model;
  const parameters = packParameters(gpu, weightShapes(config));
  const tensors = new Map(parameters.map((parameter) => [parameter.label, parameter]));
  const model = new Transformer(gpu, config, { tensors, parameters });
  const weights = gpu.allocatedBytes;
  const { gradients, update } = new TrainingStep(gpu, model, step).describe();
  const activations = gradients.sharedActivationBytes + update.sharedActivationBytes;
  const trained = update.bytes.gradients;
  const { optimizer } = update.bytes;
  return {
    weights,
    gradients: trained,
    optimizer,
    inputs: gpu.allocatedBytes - weights - trained - optimizer,
    activations,
    unshared: gradients.bytes.activations + update.bytes.activations,
    peak: gpu.allocatedBytes + activations,
    numDispatches: gradients.numDispatches + update.numDispatches,
  };
}

/** Memory of training GPT-2 124M in f32 and f16, with and without checkpointing. */
export async function planMemoryExperiment(
  { adapter }: OpenedAdapter,
  { subtitle }: ExperimentOptions,
): Promise<ExperimentResult> {
  const plans: (StepMemory & { readonly name: string })[] = [];
  for (const dtype of ["f32", "f16"] as const) {
    for (const checkpoint of [false, true]) {
      const name = `${dtype}${checkpoint ? ", checkpointed" : ""}`;
      plans.push({ name, ...(await planStep(adapter, { ...SIZES, dtype, checkpoint })) });
    }
  }
  const { model, numRows, seqLen } = SIZES;
  const numWeights = countWeights(model.config);
  const title = `Memory of a training step: ${model.name}, ${numRows} × ${seqLen} tokens`;
  const parts = ["weights", "gradients", "optimizer", "inputs", "activations"] as const;
  const head = ["", ...parts, "unshared activations", "peak", "saved", "dispatches"];
  const cells = plans.map((plan) => [
    plan.name,
    ...parts.map((part) => formatBytes(plan[part])),
    formatBytes(plan.unshared),
    formatBytes(plan.peak),
    formatBytes(plan.unshared - plan.activations),
    `${plan.numDispatches}`,
  ]);
  const bars = plans.map((plan) => ({
    name: plan.name,
    parts: parts.map((part) => plan[part]),
    beyond: plan.unshared - plan.activations,
  }));
  return {
    body: { model: model.name, numWeights, numRows, seqLen, plans },
    markdown: `# ${title}\n\n${subtitle}\n\n${table(head, cells)}`,
    images: {
      svg: stackedSvg({
        title,
        subtitle,
        parts,
        beyond: "saved by sharing",
        bars,
        format: (bytes) => `${formatNumber(bytes / 1e9)} GB`,
      }),
    },
  };
}
