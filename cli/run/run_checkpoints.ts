import type { Gpu } from "../../engine/gpu.ts";
import { type Tensor, bytesOf } from "../../engine/tensor.ts";
import { checkpointFiles, tokenizerFiles } from "../../model/checkpoint/checkpoint_files.ts";
import type { ExportedFile } from "../../model/checkpoint/exported_file.ts";
import { type RunSource, runFiles, type StoredRun } from "../../model/checkpoint/run_state.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { captureLora } from "../../model/lora/adapter_weights.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import type { Trainer } from "../../model/train/trainer.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { checkpointName } from "../platform/checkpoints.ts";
import type { BaseModel } from "./base_model.ts";
import type { Corpus } from "./learning.ts";
import type { RunSettings } from "./settings.ts";

/** Bytes that may wait for the device at a time. */
const BYTES_IN_FLIGHT = 2 ** 26;

/** What a checkpoint is taken of. */
export interface RunParts {
  readonly gpu: Gpu;
  readonly model: Transformer;
  readonly trainer: Trainer;
  readonly settings: RunSettings;
  readonly corpus: Corpus;
  readonly base: BaseModel | undefined;
}

/**
 * A checkpoint of a run as files, whose tensors are read back from the device as they are drained:
 * before the next step. Of a run that trains adapters, it holds those and names their base.
 *
 * @param parts What it is taken of.
 * @param progress Epochs taken, and the rest of the trainer's state.
 */
export async function captureCheckpoint(
  parts: RunParts,
  progress: { readonly epoch: number; readonly state: JsonObject },
): Promise<ExportedFile[]> {
  const { gpu, model, corpus, settings, base } = parts;
  const lora = settings.pretrained?.lora;
  const run = runSource(parts, progress);
  const kept = tokenizerOf(corpus, base?.stored);
  if (lora !== undefined) {
    const adapter = await captureLora(gpu, model, lora);
    const peft = exportPeft(settings.model, adapter, base && { baseModel: base.path });
    return [...peft, ...tokenizerFiles(kept), ...runFiles(run)];
  }
  return checkpointFiles({
    config: settings.model,
    weights: (label) => gpu.read(model.tensors.get(label)!),
    ...kept,
    generation: base?.stored.generation ?? { endTokens: [corpus.tokenizer.endId] },
    trainer: run,
  });
}

function tokenizerOf({ prepared }: Corpus, stored: StoredModel | undefined) {
  const { tokenizer = prepared.tokenizerJson, tokenizerConfig } = stored ?? {};
  return { tokenizer, ...(tokenizerConfig !== undefined && { tokenizerConfig }) };
}

function runSource(
  { gpu, model, trainer }: RunParts,
  { epoch, state }: { readonly epoch: number; readonly state: JsonObject },
): RunSource {
  const { best, step } = trainer.state;
  const { moments } = trainer.step;
  return {
    step,
    epoch,
    ...(best !== undefined && {
      best: { metric: best.loss, checkpoint: checkpointName(best.step) },
    }),
    state,
    shapes: model.parameters,
    moment: (label, moment) => gpu.read(moments.get(label)![moment]),
  };
}

/** Puts the moments of a checkpoint back onto the device, one at a time. */
export async function restoreMoments(
  gpu: Gpu,
  trainer: { readonly step: Pick<Trainer["step"], "moments"> },
  run: StoredRun,
): Promise<void> {
  let inFlight = 0;
  const restore = async (tensor: Tensor, values: Promise<Float32Array<ArrayBuffer>>) => {
    gpu.write(tensor, await values);
    inFlight += bytesOf(tensor);
    if (inFlight < BYTES_IN_FLIGHT) return;
    await gpu.finish(); // the queue keeps a copy of what is written until then
    inFlight = 0;
  };
  for (const [label, { m, v }] of trainer.step.moments) {
    await restore(m, run.moment(label, "m"));
    await restore(v, run.moment(label, "v"));
  }
}
