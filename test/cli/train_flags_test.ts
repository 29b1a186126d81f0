import assert from "node:assert/strict";
import { test } from "node:test";
import { Command, CommanderError } from "commander";
import { EXIT } from "../../cli/platform/errors.ts";
import type { TrainRequest } from "../../cli/run/train.ts";
import { addTrainFlags, type TrainFlags, trainRequest } from "../../cli/run/train_flags.ts";

/** What flags ask for. */
function parse(...args: string[]): TrainRequest {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  command.requiredOption("-o, --output <run>");
  addTrainFlags(command);
  command.parse(["-o", "run", ...args], { from: "user" });
  return trainRequest("data", command.opts<TrainFlags>());
}

test("the learning rate is that of a new model, of somebody's, or of adapters, unless given", () => {
  const rate = (...args: string[]) => parse(...args).settings.optimizer.learningRate;
  assert.equal(rate(), 2e-3);
  assert.equal(rate("--model", "m"), 2e-5);
  assert.equal(rate("--model", "m", "--lora-r", "8"), 2e-4);
  assert.equal(rate("--model", "m", "--learning-rate", "3"), 3);
});

test("--model and --lora-r with what belongs to them become a request", () => {
  assert.equal(parse().pretrained, undefined);
  assert.deepEqual(parse("--model", "m", "--dropout", "0.1").pretrained, {
    path: "m",
    dropout: 0.1,
  });
  assert.deepEqual(parse("--model", "m", "--lora-r", "8").pretrained, {
    path: "m",
    lora: { rank: 8, alpha: 16, dropout: 0, targetModules: "all-linear", rsLora: false },
  });
  const flags = "--lora-alpha 3 --lora-dropout 0.2 --rslora --base-dtype int4".split(" ");
  const modules = ["--lora-target-modules", "q_proj, v_proj"];
  assert.deepEqual(parse("--model", "m", "--lora-r", "8", ...flags, ...modules).pretrained, {
    path: "m",
    lora: {
      rank: 8,
      alpha: 3,
      dropout: 0.2,
      targetModules: ["q_proj", "v_proj"],
      rsLora: true,
    },
    baseDtype: "int4",
  });
});

test("what decides no bits is no setting, so that runs of before go on", () => {
  const { settings, maxMemoryGiB } = parse("--dtype", "f32", "--max-memory", "1.5");
  assert.ok(!("dtype" in settings) && !("checkpoint" in settings));
  assert.equal(maxMemoryGiB, 1.5);
  const other = parse("--dtype", "f16", "--checkpoint-activations").settings;
  assert.deepEqual([other.dtype, other.checkpoint], ["f16", true]);
});

test("sizes of a new model do not go with --model", () => {
  for (const [flag, value] of [
    ["--size", "tiny"],
    ["--d-model", "64"],
    ["--d-hidden", "64"],
    ["--num-blocks", "2"],
    ["--num-heads", "2"],
    ["--num-kv-heads", "2"],
    ["--head-dim", "8"],
  ] as const) {
    assert.throws(
      () => parse("--model", "m", flag, value),
      (error: unknown) =>
        error instanceof CommanderError &&
        error.message.includes("'--model <path>' cannot be used with option") &&
        error.message.includes(`${flag} <`),
    );
  }
});

test("flags of adapters want adapters, and adapters want a model", () => {
  for (const [args, message] of [
    [["--lora-r", "8"], /^Cannot train with --lora-r: --model <path> must be given/],
    [["--model", "m", "--lora-alpha", "8"], /--lora-alpha: --lora-r <n> must be given/],
    [["--model", "m", "--base-dtype", "int8"], /--base-dtype: --lora-r <n> must be given/],
    [["--model", "m", "--rslora"], /--rslora: --lora-r <n> must be given/],
  ] as const) {
    assert.throws(() => parse(...args), { exitCode: EXIT.usage, message });
  }
  assert.throws(() => parse("--model", "m", "--lora-r", "0"), CommanderError);
  const wrong = ["--lora-target-modules", "q proj"];
  assert.throws(() => parse("--model", "m", "--lora-r", "1", ...wrong), CommanderError);
});
