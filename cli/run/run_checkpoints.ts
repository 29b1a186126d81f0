import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { Checkpoint } from "../../model/checkpoint/checkpoint.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Trainer } from "../../model/train/trainer.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { checkpointName } from "../platform/checkpoints.ts";
import type { Prepared } from "./prepared.ts";

type Values = Map<string, Float32Array<ArrayBuffer>>;

/** Reads a model and all that its trainer needs back from the device, one tensor at a time. */
export async function captureCheckpoint(
  gpu: Gpu,
  { model, trainer }: { readonly model: Transformer; readonly trainer: Trainer },
  {
    prepared,
    epoch,
    state,
  }: { readonly prepared: Prepared; readonly epoch: number; readonly state: JsonObject },
): Promise<Checkpoint> {
  const read = async (tensors: Iterable<readonly [string, Tensor]>): Promise<Values> => {
    const values: Values = new Map();
    for (const [label, tensor] of tensors) values.set(label, await gpu.read(tensor));
    return values;
  };
  const moments = [...trainer.step.moments];
  const { best, step } = trainer.state;
  return {
    config: model.config,
    weights: await read(model.parameters.map((parameter) => [parameter.label, parameter])),
    tokenizer: prepared.tokenizerJson,
    generation: { endTokens: [prepared.tokenizer.endId] },
    trainer: {
      step,
      epoch,
      ...(best !== undefined && {
        best: { metric: best.loss, checkpoint: checkpointName(best.step) },
      }),
      state,
      optimizer: {
        m: await read(moments.map(([label, { m }]) => [label, m])),
        v: await read(moments.map(([label, { v }]) => [label, v])),
      },
    },
  };
}

/** Puts the moments of a checkpoint back onto the device. */
export function restoreMoments(gpu: Gpu, trainer: Trainer, { trainer: kept }: Checkpoint): void {
  if (kept === undefined) return;
  for (const [label, { m, v }] of trainer.step.moments) {
    gpu.write(m, kept.optimizer.m.get(label)!);
    gpu.write(v, kept.optimizer.v.get(label)!);
  }
}
