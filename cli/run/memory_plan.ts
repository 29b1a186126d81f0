import type { Gpu } from "../../engine/gpu.ts";
import type { WeightDType } from "../../engine/pack.ts";
import { bytesOf, type DType, type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { attachLora } from "../../model/lora/adapter.ts";
import { DEFAULT_LORA, type LoraConfig } from "../../model/lora/config.ts";
import { dtypeOf } from "../../model/pretrained/load_transformer.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { countWeights, weightShapes } from "../../model/transformer/weight_shapes.ts";
import type { PretrainedSettings, RunSettings } from "./settings.ts";
import { trainerOptions } from "./trainer_options.ts";

/** Weights held in one format. */
export interface HeldWeights {
  readonly numWeights: number;
  readonly bytes: number;
}

/** What a run would take on a device, in bytes. */
export interface MemoryPlan {
  /** By format, adapters included. */
  readonly weights: ReadonlyMap<DType, HeldWeights>;
  /** Of weights or adapters that are trained. */
  readonly gradients: number;
  /** Moments. */
  readonly optimizer: number;
  /** Batches, tables and other small things. */
  readonly inputs: number;
  /** Activations of a step in shared buffers. */
  readonly activations: number;
  /** The same, if each had its own. */
  readonly unshared: number;
  /** Activations of validation, which stay beside those of a step. */
  readonly validation: number;
  /** All of it together. */
  readonly peak: number;
  readonly dispatches: ReturnType<TrainingStep["describe"]>;
}

/** A way to take less, by its flag. */
export interface Saving {
  readonly flag: string;
  readonly bytes: number;
}

/** Fewest bytes that a weight takes. */
const BYTES_PER_WEIGHT: Readonly<Record<WeightDType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  int8: 1,
  int4: 0.5,
};

/** Bytes of the gradient and both moments of a weight that is trained. */
const TRAINING_BYTES_PER_WEIGHT = 12;

/**
 * Refuses sizes that cannot fit, from numbers alone: nothing is made or recorded, however absurd
 * they are.
 *
 * @throws {RangeError} With the estimate.
 */
export function checkSizes(gpu: Gpu, { model, pretrained }: RunSettings): void {
  const count = countWeights(model);
  const { lora, baseDtype = "f32" } = pretrained ?? {};
  const each = BYTES_PER_WEIGHT[baseDtype] + (lora === undefined ? TRAINING_BYTES_PER_WEIGHT : 0);
  const table = model.position === "rotary" ? 4 * model.maxSeqLen * model.headDim : 0;
  const what = lora === undefined ? "weights, gradients and moments" : `weights as ${baseDtype}`;
  gpu.checkFits(count * each + table, `${count.toLocaleString("en")} ${what}`);
}

/**
 * Plans what a run takes, by recording its plans on paper.
 *
 * @param paper A device that takes notes, of which nothing is there yet.
 * @throws {RangeError} If a tensor is too large for the device.
 * @throws {TypeError} If activations are to be halves, and the device has none.
 */
export function planMemory(
  paper: Gpu,
  settings: RunSettings,
  { hasValidation }: { readonly hasValidation: boolean },
): MemoryPlan {
  const model = paperModel(paper, settings);
  const options = trainerOptions(settings, 1);
  const dispatches = new TrainingStep(paper, model, options).describe();
  const validation = hasValidation
    ? new LossStep(paper, model, options).describe().sharedActivationBytes
    : 0;
  const { gradients, update } = dispatches;
  const activations = gradients.sharedActivationBytes + update.sharedActivationBytes;
  const weights = heldWeights(model);
  const weightBytes = [...weights.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const { gradients: trained, optimizer } = update.bytes;
  return {
    weights,
    gradients: trained,
    optimizer,
    inputs: paper.allocatedBytes - weightBytes - trained - optimizer,
    activations,
    unshared: gradients.bytes.activations + update.bytes.activations,
    validation,
    peak: paper.allocatedBytes + activations + validation,
    dispatches,
  };
}

/**
 * What could be saved, in the order of what it costs in quality or time.
 *
 * @param settings Of the run.
 * @param planOf Plans other settings.
 */
export async function savingsOf(
  settings: RunSettings,
  planOf: (settings: RunSettings) => Promise<MemoryPlan>,
): Promise<Saving[]> {
  const { peak } = await planOf(settings);
  const savings: Saving[] = [];
  for (const [flag, other] of alternatives(settings)) {
    const bytes = peak - (await planOf(other)).peak;
    if (bytes > 0) savings.push({ flag, bytes });
  }
  return savings;
}

function alternatives(settings: RunSettings): [flag: string, settings: RunSettings][] {
  const { pretrained, checkpoint = false } = settings;
  const others: [string, RunSettings][] = [];
  const withPretrained = (changes: Partial<PretrainedSettings>): RunSettings => ({
    ...settings,
    pretrained: { ...pretrained!, ...changes },
  });
  if (!checkpoint) others.push(["--checkpoint-activations", { ...settings, checkpoint: true }]);
  if (pretrained === undefined) return others;
  const lora: LoraConfig = pretrained.lora ?? DEFAULT_LORA;
  if (pretrained.lora === undefined) {
    others.push([`--lora-r ${lora.rank}`, withPretrained({ lora })]);
  }
  if ((pretrained.baseDtype ?? "f32") !== "int4") {
    const flags = pretrained.lora === undefined ? `--lora-r ${lora.rank} ` : "";
    others.push([`${flags}--base-dtype int4`, withPretrained({ lora, baseDtype: "int4" })]);
  }
  return others;
}

/** The model of a run without values. */
function paperModel(paper: Gpu, { model: config, pretrained }: RunSettings): Transformer {
  const { lora, baseDtype = "f32" } = pretrained ?? {};
  const tensors = new Map<string, Tensor>();
  const parameters: Parameter[] = [];
  for (const { label, shape } of weightShapes(config)) {
    if (lora === undefined) {
      const parameter = paper.parameter(shape, { label });
      parameters.push(parameter);
      tensors.set(label, parameter);
    } else {
      const dtype = dtypeOf(label, shape, baseDtype);
      tensors.set(label, paper.tensor(shape, { label, purpose: "weights", dtype }));
    }
  }
  const model = new Transformer(paper, config, { tensors, parameters });
  return lora === undefined ? model : attachLora(paper, model, lora);
}

function heldWeights({ tensors, parameters }: Transformer): Map<DType, HeldWeights> {
  const held = new Map<DType, HeldWeights>();
  for (const tensor of new Map([
    ...tensors,
    ...parameters.map((p) => [p.label, p] as const),
  ]).values()) {
    const { numWeights = 0, bytes = 0 } = held.get(tensor.dtype) ?? {};
    held.set(tensor.dtype, {
      numWeights: numWeights + sizeOf(tensor.shape),
      bytes: bytes + bytesOf(tensor),
    });
  }
  return held;
}
