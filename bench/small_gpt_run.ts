/** The small GPT's training step in tenure; prints what `measure()` prints. */
import { openAdapter } from "../cli/platform/dawn.ts";
import { Gpu } from "../engine/gpu.ts";
import { TrainingStep } from "../model/train/training_step.ts";
import { Transformer } from "../model/transformer/transformer.ts";
import { measure, numTimedSteps } from "./peers/measure.ts";
import {
  SMALL_GPT,
  SMALL_GPT_BATCH,
  SMALL_GPT_LEARNING_RATE,
  SMALL_GPT_LOSSES,
  SMALL_GPT_OPTIMIZER,
  smallGptBatch,
  smallGptWeights,
} from "./small_gpt.ts";

const { adapter } = await openAdapter();
const gpu = await Gpu.open(adapter);
const model = Transformer.create(gpu, SMALL_GPT, { values: smallGptWeights() });
const training = new TrainingStep(gpu, model, { ...SMALL_GPT_BATCH, ...SMALL_GPT_OPTIMIZER });
const batch = smallGptBatch();
await measure(SMALL_GPT_LOSSES.length + numTimedSteps, async (step) => {
  await training.compile();
  const at = { learningRate: SMALL_GPT_LEARNING_RATE, step, numBatches: step - 1 };
  return (await training.run([batch], at)).loss;
});
