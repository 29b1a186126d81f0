import { Fields } from "../checkpoint/fields.ts";
import { brief, isJsonObject, type JsonObject } from "../checkpoint/strict_json.ts";
import type { LoraStrength } from "./config.ts";
import { isTarget } from "./modules.ts";

/** Name of the file that says what an adapter is. */
export const PEFT_CONFIG_FILE = "adapter_config.json";

/** What `adapter_config.json` says, in the names of the model's family. */
export interface PeftConfig extends LoraStrength {
  readonly dropout: number;
  readonly rsLora: boolean;
  /** Names of modules or their last parts; a regular expression as one string. */
  readonly targetModules: readonly string[] | string;
  /** Whether blocks or modules are chosen by more than `targetModules`. */
  readonly isNarrowed: boolean;
  /** Ranks that differ, by the last parts of names; the first that fits counts. */
  readonly rankPattern: Readonly<Record<string, number>>;
  /** Alphas that differ, likewise. */
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** The adapted model: a name on a hub, or a path. */
  readonly baseModel?: string;
  /** Branch, tag or commit of it. */
  readonly revision?: string;
}

/** Fields of what is not supported, and what they must be, besides absent or null. */
const UNSUPPORTED: readonly (readonly [key: string, rule: string])[] = [
  ["lora_bias", "must be false, since changes have no biases here"],
  ["modules_to_save", "must be null, since whole modules beside the changes are not supported"],
  ["trainable_token_indices", "must be null, since changed tokens are not supported"],
  ["layer_replication", "must be null, since repeated layers are not supported"],
  ["target_parameters", "must be null, since changes of single parameters are not supported"],
  ["alora_invocation_tokens", "must be null, since activated LoRA is not supported"],
  ["arrow_config", "must be null, since routed adapters are not supported"],
];

/** How PEFT may have drawn fresh adapters without changing the model beneath. */
const INITIALIZATIONS = [true, false, "gaussian", "eva", "orthogonal"];

/** Switches that choose how an adapter computes, of which only this one may be on. */
const RS_LORA = "use_rslora";

/** Content of `adapter_config.json`, with the fields that PEFT writes, in its order. */
export function peftConfigToJson(config: PeftConfig, isTransposed: boolean): JsonObject {
  return {
    alpha_pattern: config.alphaPattern,
    auto_mapping: null,
    base_model_name_or_path: config.baseModel ?? null,
    bias: "none",
    fan_in_fan_out: isTransposed,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: null,
    peft_type: "LORA",
    r: config.rank,
    rank_pattern: config.rankPattern,
    revision: config.revision ?? null,
    target_modules: config.targetModules,
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: config.rsLora,
  };
}

/**
 * Reads `adapter_config.json`.
 *
 * @param json Content of the file.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If a field is malformed or asks for what is not supported: another kind of
 *   adapter, DoRA, biases, whole modules, weights that were drawn from the model beneath.
 */
export function peftConfigFromJson(json: JsonObject, file: string): PeftConfig {
  const fields = new Fields(json, file);
  fields.choice("peft_type", ["LORA"]);
  fields.only("task_type", ["CAUSAL_LM"], 'must be "CAUSAL_LM" or null');
  fields.only("bias", ["none"], 'must be "none", since trained biases are not supported');
  for (const [key, rule] of UNSUPPORTED) if (!isEmpty(fields.raw(key))) fields.refuse(key, rule);
  for (const key of Object.keys(json)) {
    if (!key.startsWith("use_") || key === RS_LORA || isEmpty(fields.raw(key))) continue;
    fields.refuse(key, "must be false, since only LoRA and rsLoRA are supported");
  }
  fields.only(
    "init_lora_weights",
    INITIALIZATIONS,
    "must leave the model beneath as it was (PiSSA, OLoRA, CorDA and LoftQ do not: convert the adapter when saving it)",
  );
  fields.boolean("fan_in_fan_out", { orElse: false }); // says nothing that the model does not
  const dropout = fields.number("lora_dropout", { orElse: 0 });
  if (!(dropout >= 0 && dropout < 1)) fields.refuse("lora_dropout", "must lie in [0, 1)");
  const alpha = fields.number("lora_alpha", { orElse: 8 });
  if (!(alpha > 0)) fields.refuse("lora_alpha", "must be positive");
  const baseModel = optionalText(fields, "base_model_name_or_path");
  const revision = optionalText(fields, "revision");
  return {
    rank: fields.size("r", { orElse: 8 }),
    alpha,
    dropout,
    rsLora: fields.boolean(RS_LORA, { orElse: false }),
    targetModules: targetsOf(fields),
    isNarrowed: ["layers_to_transform", "layers_pattern", "exclude_modules"].some(
      (key) => !isEmpty(fields.raw(key)),
    ),
    rankPattern: patternOf(fields, "rank_pattern", (value) => Number.isSafeInteger(value)),
    alphaPattern: patternOf(fields, "alpha_pattern", () => true),
    ...(baseModel !== undefined && { baseModel }),
    ...(revision !== undefined && { revision }),
  };
}

/** What a pattern gives for a module, if anything. */
export function matchPattern(
  pattern: Readonly<Record<string, number>>,
  module: string,
): number | undefined {
  return Object.entries(pattern).find(([key]) => isTarget(key, module))?.[1];
}

function patternOf(
  fields: Fields,
  key: string,
  isValid: (value: number) => boolean,
): Record<string, number> {
  const value = fields.raw(key) ?? {};
  if (!isJsonObject(value)) return fields.refuse(key, "must be an object");
  for (const [name, number] of Object.entries(value)) {
    if (!/^[\w.]+$/.test(name)) {
      fields.refuse(
        key,
        `must have names of modules as keys, not expressions such as ${brief(name)}`,
      );
    }
    if (typeof number !== "number" || !(number > 0) || !isValid(number)) {
      fields.refuse(key, `must hold a positive number for ${brief(name)}`);
    }
  }
  return value as Record<string, number>;
}

function targetsOf(fields: Fields): readonly string[] | string {
  const value = fields.raw("target_modules") ?? null;
  if (typeof value === "string") return value;
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  if (isList && value.length > 0) return value;
  return fields.refuse("target_modules", "must be a list of names, or an expression");
}

function optionalText(fields: Fields, key: string): string | undefined {
  const value = fields.raw(key) ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  return fields.refuse(key, "must be a text or null");
}

/** Whether a field asks for nothing. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}
