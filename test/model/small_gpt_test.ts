import { after, test } from "node:test";
import {
  SMALL_GPT,
  SMALL_GPT_BATCH,
  SMALL_GPT_LEARNING_RATE,
  SMALL_GPT_LOSSES,
  SMALL_GPT_OPTIMIZER,
  smallGptBatch,
  smallGptWeights,
} from "../../bench/small_gpt.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { assertClose, openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

test("six training steps of a small GPT have the losses of a float64 reference to 1e-5", async () => {
  const model = Transformer.create(gpu, SMALL_GPT, { values: smallGptWeights() });
  const training = new TrainingStep(gpu, model, { ...SMALL_GPT_BATCH, ...SMALL_GPT_OPTIMIZER });
  await training.compile();
  const batch = smallGptBatch();
  const losses: number[] = [];
  for (let step = 1; step <= SMALL_GPT_LOSSES.length; step++) {
    const at = { learningRate: SMALL_GPT_LEARNING_RATE, step, numBatches: step - 1 };
    losses.push((await training.run([batch], at)).loss);
  }
  assertClose(losses, SMALL_GPT_LOSSES, { what: "loss", rtol: 0, atol: 1e-5 });
});
