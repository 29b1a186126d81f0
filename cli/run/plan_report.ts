import type { Gpu } from "../../engine/gpu.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { forwardFlopsPerToken } from "../../model/transformer/flops.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { formatBytes } from "./format.ts";
import type { Learning } from "./learning.ts";
import type { RunSettings } from "./settings.ts";
import { trainerOptions } from "./trainer_options.ts";

/** What a step of a run would dispatch and take in memory, from its recorded plans alone. */
export async function describeRun(
  gpu: Gpu,
  model: Transformer,
  { settings, learning }: { readonly settings: RunSettings; readonly learning: Learning },
): Promise<string> {
  const step = await failingAs(
    EXIT.device,
    () => new TrainingStep(gpu, model, trainerOptions(settings, 1)),
  );
  const { gradients, update } = step.describe();
  const { batch, length } = settings;
  const { accumulation, numRows, seqLen } = batch;
  const numTokens = numRows * seqLen * accumulation;
  const { numBatches, efficiency } = learning.train.summary(0);
  // Both plans hold weights and gradients; each is there once.
  const { weights, gradients: dWeights, inputs } = gradients.bytes;
  const { optimizer } = update.bytes;
  const activations = gradients.sharedActivationBytes + update.sharedActivationBytes;
  const rows: [string, string][] = [
    ["Weights", `${model.numParameters.toLocaleString("en")} (${formatBytes(weights)})`],
    ["Gradients", formatBytes(dWeights)],
    ["Optimizer", formatBytes(optimizer)],
    ["Inputs", formatBytes(inputs + update.bytes.inputs)],
    [
      "Activations",
      `${formatBytes(activations)} in shared buffers, ${formatBytes(gradients.bytes.activations)} without sharing`,
    ],
    [
      "Peak",
      formatBytes(weights + dWeights + optimizer + inputs + update.bytes.inputs + activations),
    ],
    [
      "Dispatches",
      `${gradients.numDispatches * accumulation + update.numDispatches} a step: ${kernels(gradients.numDispatchesByKernel)}`,
    ],
    ["Batch", `${numRows} rows of ${seqLen} tokens, ${accumulation} a step: ${numTokens} tokens`],
    [
      "Arithmetic",
      `${((3 * forwardFlopsPerToken(settings.model, seqLen) * numTokens) / 1e9).toFixed(2)} GFLOP a step`,
    ],
    ["Epoch", `${numBatches} batches, ${(100 * efficiency).toFixed(1)}% full`],
    ["Length", `${length.count} ${length.unit}`],
  ];
  return `${rows.map(([name, value]) => `${name.padEnd(12)}${value}`).join("\n")}\n`;
}

function kernels(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}
