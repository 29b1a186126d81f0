import { forwardFlopsPerToken } from "../../model/transformer/flops.ts";
import { formatBytes } from "./format.ts";
import type { Learning } from "./learning.ts";
import type { MemoryPlan, Saving } from "./memory_plan.ts";
import type { RunSettings } from "./settings.ts";

/** A name and what is said of it. */
type Row = readonly [name: string, value: string];

/** Width of the column of names. */
const NAME_WIDTH = 12;

/** What a run takes in memory, a line each, and what would take less. */
export function describeMemory(plan: MemoryPlan, savings: readonly Saving[]): string[] {
  const weights = Array.from(
    plan.weights,
    ([dtype, { numWeights, bytes }]) =>
      `${numWeights.toLocaleString("en")} as ${dtype} (${formatBytes(bytes)})`,
  );
  const validation =
    plan.validation === 0 ? "" : `, and ${formatBytes(plan.validation)} for validation`;
  const rows: Row[] = [
    ["Weights", weights.join(" + ")],
    ["Gradients", formatBytes(plan.gradients)],
    ["Optimizer", formatBytes(plan.optimizer)],
    ["Inputs", formatBytes(plan.inputs)],
    [
      "Activations",
      `${formatBytes(plan.activations)} in shared buffers, ${formatBytes(plan.unshared)} without sharing${validation}`,
    ],
    ["Peak", formatBytes(plan.peak)],
  ];
  if (savings.length > 0) {
    const ways = savings.map(({ flag, bytes }) => `${formatBytes(bytes)} with ${flag}`);
    rows.push(["Savings", ways.join("; ")]);
  }
  return rows.map(formatRow);
}

/** What a step of a run would dispatch and compute, and how long an epoch is, a line each. */
export function describeSteps(
  plan: MemoryPlan,
  { settings, learning }: { readonly settings: RunSettings; readonly learning: Learning },
): string[] {
  const { gradients, update } = plan.dispatches;
  const { batch, length, model } = settings;
  const { accumulation, numRows, seqLen } = batch;
  const numTokens = numRows * seqLen * accumulation;
  const { numBatches, efficiency } = learning.train.summary(0);
  const rows: Row[] = [
    [
      "Dispatches",
      `${gradients.numDispatches * accumulation + update.numDispatches} a step: ${kernels(gradients.numDispatchesByKernel)}`,
    ],
    ["Batch", `${numRows} rows of ${seqLen} tokens, ${accumulation} a step: ${numTokens} tokens`],
    [
      "Arithmetic",
      `${((3 * forwardFlopsPerToken(model, seqLen) * numTokens) / 1e9).toFixed(2)} GFLOP a step`,
    ],
    ["Epoch", `${numBatches} batches, ${(100 * efficiency).toFixed(1)}% full`],
    ["Length", `${length.count} ${length.unit}`],
  ];
  return rows.map(formatRow);
}

function formatRow([name, value]: Row): string {
  return `${name.padEnd(NAME_WIDTH)}${value}`;
}

function kernels(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}
