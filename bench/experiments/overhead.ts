import type { OpenedAdapter } from "../../cli/platform/dawn.ts";
import { Gpu } from "../../engine/gpu.ts";
import { packParameters } from "../../engine/parameters.ts";
import { Generator } from "../../model/generate/generator.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { GPT2_124M, type ModelShape, STORIES_260K } from "../cases/mod.ts";
import { rowsSvg } from "../report/bar_chart.ts";
import { formatNumber } from "../report/format.ts";
import { table } from "../report/markdown.ts";
import { rowOf } from "../report/row.ts";
import { medianBand } from "../report/statistics.ts";
import { SMALL_GPT, SMALL_GPT_BATCH } from "../small_gpt.ts";
import { randomBatch } from "../suite/random_batch.ts";
import type { ExperimentOptions, ExperimentResult } from "./experiment.ts";
import { SubmitProbe } from "./submit_probe.ts";

/** What the host spends on a step. */
export interface StepOverhead {
  readonly name: string;
  readonly numDispatches: number;
  readonly numSubmits: number;
  /** Encoding and submitting of each step, ms. */
  readonly encodeRounds: readonly number[];
  /** Whole steps, ms, the wait for the device included. */
  readonly stepRounds: readonly number[];
}

/** A step that can be taken again and again. */
interface Steps {
  readonly name: string;
  readonly take: () => Promise<unknown>;
  readonly destroy: () => void;
}

/** Steps that are timed; of the large model, which takes a second each on a software adapter. */
const ROUNDS = { quick: 5, large: 5, full: 30 } as const;

/** Tokens of the large model's row: the same dispatches as of many, and little arithmetic. */
const FEW_TOKENS = { numRows: 1, seqLen: 8 } as const;

/** What the host spends on encoding and submitting steps, and in how many dispatches and submits. */
export async function overheadExperiment(
  { adapter }: OpenedAdapter,
  { quick, subtitle }: ExperimentOptions,
): Promise<ExperimentResult> {
  const gpu = await Gpu.open(adapter);
  const probe = new SubmitProbe(gpu);
  const overheads: StepOverhead[] = [];
  const rounds = quick ? ROUNDS.quick : ROUNDS.full;
  const small = { name: "small GPT", config: SMALL_GPT };
  try {
    for (const [make, count] of [
      [() => trainingSteps(gpu, small, SMALL_GPT_BATCH), rounds],
      [() => decodingSteps(gpu, STORIES_260K), rounds],
      [() => trainingSteps(gpu, GPT2_124M, FEW_TOKENS), ROUNDS.large],
    ] as const) {
      const steps = await make();
      overheads.push(await measureSteps(probe, steps, count));
      steps.destroy();
    }
  } finally {
    gpu.destroy();
  }
  return report(overheads, subtitle);
}

/** Takes steps, counts what one is made of, and times what the host does for each. */
export async function measureSteps(
  probe: SubmitProbe,
  { name, take }: Steps,
  rounds: number,
): Promise<StepOverhead> {
  await take(); // compiles
  const { numDispatches, numSubmits } = await probe.count(take);
  const encodeRounds: number[] = [];
  const stepRounds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begin = performance.now();
    encodeRounds.push((await probe.time(take)).encodeMs);
    stepRounds.push(performance.now() - begin);
  }
  return { name, numDispatches, numSubmits, encodeRounds, stepRounds };
}

/** Training steps; weights are zeros, which take as long as any others. */
export async function trainingSteps(
  gpu: Gpu,
  { name, config }: ModelShape,
  sizes: { readonly numRows: number; readonly seqLen: number },
): Promise<Steps> {
  const parameters = packParameters(gpu, weightShapes(config));
  const tensors = new Map(parameters.map((parameter) => [parameter.label, parameter]));
  const model = new Transformer(gpu, config, { tensors, parameters });
  const step = await new TrainingStep(gpu, model, sizes).compile();
  const batch = randomBatch(config.vocabSize, sizes);
  let count = 0;
  const take = () => {
    count += 1;
    return step.run([batch], { learningRate: 1e-4, step: count, numBatches: count - 1 });
  };
  const destroy = () => {
    step.destroy();
    model.destroy();
  };
  return { name: `train step ${name} B${sizes.numRows} T${sizes.seqLen}`, take, destroy };
}

/** Steps of greedy decoding, one row. */
async function decodingSteps(gpu: Gpu, { name, config }: ModelShape): Promise<Steps> {
  const model = Transformer.create(gpu, config);
  const generator = new Generator(gpu, model, { numRows: 1, capacity: config.maxSeqLen });
  const request = { prompt: Uint32Array.of(1), settings: { temperature: 0 } };
  const begin = () => generator.run([request], { maxSteps: config.maxSeqLen - 1, endTokens: [] });
  const steps = begin();
  const destroy = () => {
    generator.destroy();
    model.destroy();
  };
  return { name: `decode ${name} B1`, take: () => steps.next(), destroy };
}

function report(overheads: readonly StepOverhead[], subtitle: string): ExperimentResult {
  const title = "What the host spends on a step";
  const rows = overheads.map(({ name, encodeRounds }) =>
    rowOf(
      { id: `encode and submit: ${name}`, group: "train step", shape: "", dtype: "f32" },
      { rounds: encodeRounds, clock: "wall" },
    ),
  );
  const cells = overheads.map(({ name, numDispatches, numSubmits, encodeRounds, stepRounds }) => {
    const { middle, low, high } = medianBand(encodeRounds);
    const each = (ms: number) => formatNumber((1000 * ms) / numDispatches);
    return [
      name,
      `${numDispatches}`,
      `${numSubmits}`,
      formatNumber(1000 * middle),
      `${each(middle)} (${each(low)}–${each(high)})`,
      each(Math.min(...encodeRounds)),
      formatNumber(medianBand(stepRounds).middle),
    ];
  });
  const head = [
    "",
    "dispatches",
    "submits",
    "µs a step",
    "µs a dispatch",
    "least",
    "whole step, ms",
  ];
  return {
    body: { steps: overheads },
    markdown: `# ${title}\n\n${subtitle}\n\n${table(head, cells)}`,
    images: { svg: rowsSvg(rows, { title, subtitle }) },
  };
}
