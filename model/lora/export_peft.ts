import { modelTypeOf } from "../checkpoint/config_json.ts";
import { type ExportedFile, fileOf } from "../checkpoint/exported_file.ts";
import { encodeFloats, type FloatDtype } from "../checkpoint/float_conversion.ts";
import { PYTORCH_METADATA, startSafetensors } from "../checkpoint/safetensors_writer.ts";
import { encodeJson } from "../checkpoint/strict_json.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { type LoraAdapter, loraLabels } from "./adapter.ts";
import {
  adaptedModules,
  alphaOfRank,
  type LoraConfig,
  loraScale,
  type LoraStrength,
  strengthOf,
} from "./config.ts";
import { type AdapterPair, joinAdapters } from "./fused_adapter.ts";
import { type FamilyModule, familyModules, type LinearModule, shortTargets } from "./modules.ts";
import { PEFT_CONFIG_FILE, type PeftConfig, peftConfigToJson } from "./peft_config.ts";
import { JOINED_KEY, PEFT_WEIGHTS_FILE, peftKeys } from "./peft_names.ts";

/** Options of {@linkcode exportPeft}. */
export interface PeftExportOptions {
  /** Type of the values in the file. @default {"F32"} */
  readonly dtype?: FloatDtype;
  /** The adapted model, as other programs shall find it: a name on a hub, or a path. */
  readonly baseModel?: string;
  /** Branch, tag or commit of it. */
  readonly revision?: string;
}

/** An adapter of a layer of the family. */
interface FamilyAdapter extends AdapterPair, LoraStrength {
  readonly module: FamilyModule;
  /** Ranks of our matrices' adapters, if several were joined side by side. */
  readonly joined?: readonly number[];
}

/** Differences of scale that rounding alone can make. */
const SCALE_TOLERANCE = 1e-12;

/**
 * Writes an adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`, in the
 * names of the model's family.
 *
 * GPT-2 has queries, keys and values in one layer, `c_attn`: their adapters become one, A above
 * each other and B as blocks, whose rank is the sum of theirs and whose scale is the same.
 * `readPeft()` takes them apart again.
 *
 * @param config The adapted model's.
 * @param adapter What to write.
 * @param options Type of the values; the adapted model's name.
 * @returns Both files; drain one after the other. Draining throws a `RangeError` if a value is
 *   beyond the range of the type, naming it.
 * @throws {RangeError} If the adapter does not fit the model, or parts of one layer have scales
 *   that differ.
 */
export function exportPeft(
  config: ModelConfig,
  adapter: LoraAdapter,
  options: PeftExportOptions = {},
): ExportedFile[] {
  const { dtype = "F32" } = options;
  const adapters = familyAdapters(config, adapter);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  const descriptions = new Map<string, { dtype: FloatDtype; shape: readonly number[] }>();
  for (const { module, rank, a, b } of adapters) {
    const keys = peftKeys(module.name);
    values.set(keys.a, a).set(keys.b, b);
    descriptions.set(keys.a, { dtype, shape: [rank, a.length / rank] });
    descriptions.set(keys.b, { dtype, shape: [b.length / rank, rank] });
  }
  const isTransposed = modelTypeOf(config) === "gpt2";
  const json = peftConfigToJson(peftConfigOf(config, { adapter, adapters }, options), isTransposed);
  const { header, names, size } = startSafetensors(descriptions, metadataOf(adapters));
  async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    yield header;
    for (const name of names) yield encode(name, values.get(name)!, dtype);
  }
  return [
    fileOf(PEFT_CONFIG_FILE, encodeJson(json, PEFT_CONFIG_FILE)),
    { name: PEFT_WEIGHTS_FILE, size, chunks: chunks() },
  ];
}

/** An adapter for each layer of the family in which a matrix is adapted. */
function familyAdapters(
  config: ModelConfig,
  { config: lora, values }: LoraAdapter,
): FamilyAdapter[] {
  const adapted = new Set(adaptedModules(config, lora).map(({ name }) => name));
  const pairOf = (part: LinearModule): AdapterPair | undefined => {
    if (!adapted.has(part.name)) return undefined;
    const { rank } = strengthOf(lora, part.name);
    const labels = loraLabels(part);
    const a = filled(values, labels.a, rank * part.dIn);
    return { rank, a, b: filled(values, labels.b, part.dOut * rank) };
  };
  return familyModules(config).flatMap((module): FamilyAdapter[] => {
    const pairs = module.parts.map(pairOf);
    const first = module.parts.findIndex((_, index) => pairs[index] !== undefined);
    if (first < 0) return [];
    const strength = strengthOf(lora, module.parts[first]!.name);
    if (module.parts.length === 1) return [{ module, ...pairs[0]!, alpha: strength.alpha }];
    checkScales(module, pairs, lora);
    const joined = joinAdapters(module.parts, pairs);
    const ranks = pairs.map((pair) => pair?.rank ?? 0);
    const isJoined = ranks.reduce((x, y) => x + y, 0) === joined.rank;
    const alpha = alphaOfRank(joined.rank, { ...strength, rsLora: lora.rsLora });
    return [{ module, ...joined, alpha, ...(isJoined && { joined: ranks }) }];
  });
}

function checkScales(
  { name, parts }: FamilyModule,
  pairs: readonly (AdapterPair | undefined)[],
  lora: LoraConfig,
): void {
  const scales = parts
    .filter((_, index) => pairs[index] !== undefined)
    .map((part) => loraScale({ ...strengthOf(lora, part.name), rsLora: lora.rsLora }));
  const other = scales.find((scale) => Math.abs(scale / scales[0]! - 1) > SCALE_TOLERANCE);
  if (other === undefined) return;
  throw new RangeError(
    `Cannot write an adapter: parts of "${name}" must have one scale, got ${scales[0]} and ${other}`,
  );
}

/** What `adapter_config.json` says: the strength of most layers, and of those that differ. */
function peftConfigOf(
  config: ModelConfig,
  { adapter, adapters }: { adapter: LoraAdapter; adapters: readonly FamilyAdapter[] },
  { baseModel, revision }: PeftExportOptions,
): PeftConfig {
  const { config: lora } = adapter;
  const isEqual = (x: LoraStrength, y: LoraStrength) => x.rank === y.rank && x.alpha === y.alpha;
  const common = adapters.find((one) => isEqual(one, lora)) ?? adapters[0]!;
  const byName = new Map(adapters.map((one) => [one.module.name, one]));
  const chosen = [...byName.keys()];
  const others = chosen.filter((name) => !isEqual(byName.get(name)!, common));
  const keys = shortTargets(others, chosen, (name, other) =>
    isEqual(byName.get(name)!, byName.get(other)!),
  );
  const pattern = (field: keyof LoraStrength) =>
    Object.fromEntries(
      keys.flatMap((key): [string, number][] => {
        const [name] = others.filter((other) => other === key || other.endsWith(`.${key}`));
        const value = byName.get(name!)![field];
        return value === common[field] ? [] : [[key, value]];
      }),
    );
  return {
    rank: common.rank,
    alpha: common.alpha,
    dropout: lora.dropout,
    rsLora: lora.rsLora,
    targetModules: shortTargets(
      chosen,
      familyModules(config).map(({ name }) => name),
    ),
    isNarrowed: false,
    rankPattern: pattern("rank"),
    alphaPattern: pattern("alpha"),
    ...(baseModel !== undefined && { baseModel }),
    ...(revision !== undefined && { revision }),
  };
}

function metadataOf(adapters: readonly FamilyAdapter[]): ReadonlyMap<string, string> {
  const joined = adapters.flatMap(({ module, joined: ranks }) =>
    ranks === undefined ? [] : [[module.name, ranks] as const],
  );
  if (joined.length === 0) return PYTORCH_METADATA;
  return new Map([...PYTORCH_METADATA, [JOINED_KEY, JSON.stringify(Object.fromEntries(joined))]]);
}

function filled(
  values: LoraAdapter["values"],
  label: string,
  length: number,
): Float32Array<ArrayBuffer> {
  const found = values.get(label);
  if (found?.length === length) return found;
  const got = found === undefined ? "none" : `${found.length}`;
  throw new RangeError(
    `Cannot write an adapter: "${label}" must have ${length} values, got ${got}`,
  );
}

function encode(
  name: string,
  values: Float32Array<ArrayBuffer>,
  dtype: FloatDtype,
): Uint8Array<ArrayBuffer> {
  try {
    return encodeFloats(values, dtype);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`Cannot write "${name}": ${error.message}`, { cause: error });
  }
}
