import { type Command, InvalidArgumentError, Option } from "commander";
import type { WeightDType } from "../../engine/pack.ts";
import type { LoraConfig } from "../../model/lora/config.ts";
import { DEFAULT_LORA } from "../../model/lora/default_lora.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { WEIGHT_DTYPES } from "./choices.ts";
import { realNumber, wholeNumber } from "./flags.ts";
import type { PretrainedRequest } from "./train.ts";

/** Flags of training somebody's model. */
export interface PretrainedFlags {
  readonly model?: string;
  readonly loraR?: number;
  readonly loraAlpha?: number;
  readonly loraDropout?: number;
  readonly loraTargetModules?: LoraConfig["targetModules"];
  readonly rslora?: boolean;
  readonly baseDtype?: WeightDType;
  readonly dropout?: number;
}

/** Flags that make a new model, by their names in the parsed flags. */
const SIZE_FLAGS = ["size", "dModel", "dHidden", "numBlocks", "numHeads", "numKvHeads", "headDim"];

/** Adds them to a command that has flags for sizes of a new model. */
export function addPretrainedFlags(command: Command): void {
  command
    .addOption(
      new Option(
        "--model <path>",
        "begin with this model: a folder, a .gguf file, a run, or org/name that was pulled",
      ).conflicts(SIZE_FLAGS),
    )
    .option("--lora-r <n>", "train adapters of this rank alone", wholeNumber({ least: 1 }))
    .option(
      "--lora-alpha <x>",
      "scale of adapters (default: twice the rank)",
      realNumber({ above: 0 }),
    )
    .option("--lora-dropout <share>", "share of their inputs dropped", realNumber({ most: 0.99 }))
    .option(
      "--lora-target-modules <names>",
      'matrices to adapt, such as q_proj,v_proj (default: "all-linear")',
      targetModules,
    )
    .option("--rslora", "scale adapters by alpha / sqrt(rank)")
    .addOption(
      new Option(
        "--base-dtype <type>",
        "how weights beneath adapters are held (default: f32)",
      ).choices(WEIGHT_DTYPES),
    );
}

function targetModules(text: string): LoraConfig["targetModules"] {
  if (text === "all-linear") return text;
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => /^[\w.]+$/.test(name))) return names;
  throw new InvalidArgumentError('It must be names with commas between, or "all-linear".');
}

/**
 * Which model to begin with, and how to change it.
 *
 * @throws {CliError} With exit code 2 if a flag needs another that is absent.
 */
export function pretrainedOf(flags: PretrainedFlags): PretrainedRequest | undefined {
  const { model: path, loraR: rank, dropout, baseDtype } = flags;
  const needs = (flag: string, other: string): never => {
    throw new CliError(
      EXIT.usage,
      `Cannot train with ${flag}: ${other} must be given, too, got none`,
    );
  };
  if (rank === undefined) {
    const { loraAlpha, loraDropout, loraTargetModules, rslora } = flags;
    const others = {
      "--lora-alpha": loraAlpha,
      "--lora-dropout": loraDropout,
      "--lora-target-modules": loraTargetModules,
      "--rslora": rslora,
      "--base-dtype": baseDtype,
    };
    for (const [flag, value] of Object.entries(others)) {
      if (value !== undefined) return needs(flag, "--lora-r <n>");
    }
  }
  if (path === undefined)
    return rank === undefined ? undefined : needs("--lora-r", "--model <path>");
  return {
    path,
    ...(dropout !== undefined && { dropout }),
    ...(rank !== undefined && { lora: loraOf(rank, flags) }),
    ...(baseDtype !== undefined && baseDtype !== "f32" && { baseDtype }),
  };
}

function loraOf(rank: number, flags: PretrainedFlags): LoraConfig {
  const { loraAlpha, loraDropout, loraTargetModules, rslora = false } = flags;
  return {
    rank,
    alpha: loraAlpha ?? 2 * rank,
    dropout: loraDropout ?? DEFAULT_LORA.dropout,
    targetModules: loraTargetModules ?? DEFAULT_LORA.targetModules,
    rsLora: rslora,
  };
}
