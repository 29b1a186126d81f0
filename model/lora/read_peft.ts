import type { FileSet } from "../checkpoint/byte_source.ts";
import { decodeFloats, isFloatDtype, notFloats } from "../checkpoint/float_conversion.ts";
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorInFile,
} from "../checkpoint/safetensors_file.ts";
import { readJson } from "../checkpoint/shards.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { type LoraAdapter, loraLabels } from "./adapter.ts";
import { alphaOfRank, type LoraConfig, type LoraStrength } from "./config.ts";
import { type AdapterPair, separateAdapters, splitAdapter } from "./fused_adapter.ts";
import {
  type FamilyModule,
  familyModules,
  isTarget,
  type LinearModule,
  linearModules,
  shortTargets,
} from "./modules.ts";
import {
  matchPattern,
  PEFT_CONFIG_FILE,
  type PeftConfig,
  peftConfigFromJson,
} from "./peft_config.ts";
import { JOINED_KEY, moduleOfKey, PEFT_WEIGHTS_FILE, peftKeys } from "./peft_names.ts";

/** An adapter in files, and what it says of the model that it adapts. */
export interface PeftAdapter extends LoraAdapter {
  /** A name on a hub, or a path. */
  readonly baseModel?: string;
  readonly revision?: string;
}

/** An adapter of one of our matrices. */
interface PartAdapter extends AdapterPair {
  readonly part: LinearModule;
  readonly alpha: number;
}

/** Digits of alpha that two roots leave whole. */
const ALPHA_DIGITS = 12;

/** Name that PEFT saves an adapter under as a pickle. */
const PICKLE = "adapter_model.bin";

/**
 * Reads an adapter that PEFT, or this program, has saved. Which modules are adapted, the weights
 * tell; all of them must be matrices of blocks. Values of 16 bits are widened exactly.
 *
 * An adapter of GPT-2's `c_attn` becomes one each of query, key and value, with the same A.
 *
 * @param files The folder.
 * @param config Configuration of the adapted model.
 * @throws {SyntaxError} If a file is missing, malformed or not supported, naming file and field.
 * @throws {RangeError} If the adapter does not fit the model, naming the tensor.
 * @throws {TypeError} If values are not F32, F16 or BF16.
 */
export async function readPeft(files: FileSet, config: ModelConfig): Promise<PeftAdapter> {
  const json = await readPeftConfig(files);
  const source = await files.open(PEFT_WEIGHTS_FILE);
  if (source === undefined) {
    const hasPickle = (await files.open(PICKLE)) !== undefined;
    const got = hasPickle
      ? `only "${PICKLE}"; reading a pickle runs the code in it, so save the adapter again with safe_serialization=True`
      : "none";
    throw new SyntaxError(
      `Cannot read "${files.name}": ${PEFT_WEIGHTS_FILE} must be there, got ${got}`,
    );
  }
  const file = await openSafetensors(source);
  const tensors = tensorsByModule(file);
  const modules = familyModules(config);
  checkModules(modules, { tensors, json, file: source.name });
  const joined = joinedRanks(file);
  const parts: PartAdapter[] = [];
  for (const module of modules) {
    const pair = tensors.get(module.name);
    if (pair === undefined) continue;
    const strength = strengthIn(json, module.name);
    const fused = await readPair(module, pair, strength);
    parts.push(...partsOf(module, fused, { strength, json, ranks: joined.get(module.name) }));
  }
  const adapter = adapterOf(config, parts, json);
  const { baseModel, revision } = json;
  return {
    ...adapter,
    ...(baseModel !== undefined && { baseModel }),
    ...(revision !== undefined && { revision }),
  };
}

/**
 * Reads what an adapter says of itself, without its weights.
 *
 * @throws {SyntaxError} If the file is missing, malformed or not supported.
 */
export async function readPeftConfig(files: FileSet): Promise<PeftConfig> {
  const source = await files.open(PEFT_CONFIG_FILE);
  if (source !== undefined) return peftConfigFromJson(await readJson(source), PEFT_CONFIG_FILE);
  throw new SyntaxError(`Cannot read "${files.name}": ${PEFT_CONFIG_FILE} must be there, got none`);
}

/** Both tensors of each adapted module, by the family's name. */
function tensorsByModule({
  name: file,
  tensors,
}: SafetensorsFile): Map<string, { a: TensorInFile; b: TensorInFile }> {
  const modules = new Set<string>();
  for (const key of tensors.keys()) {
    const found = moduleOfKey(key);
    if (found === undefined) {
      const rule = "tensors must be named base_model.model.<module>.lora_A.weight or lora_B.weight";
      const kind = /magnitude/.test(key)
        ? " of DoRA"
        : /embedding/.test(key)
          ? " of embeddings"
          : "";
      throw new SyntaxError(
        `Cannot read "${file}": ${rule}, got "${key}"${kind && `, and adapters${kind} are not supported`}`,
      );
    }
    modules.add(found.module);
  }
  if (modules.size === 0) {
    throw new SyntaxError(`Cannot read "${file}": it must hold an adapter, got no tensors`);
  }
  return new Map(
    Array.from(modules, (module) => {
      const keys = peftKeys(module);
      const [a, b] = [tensors.get(keys.a), tensors.get(keys.b)];
      if (a !== undefined && b !== undefined) return [module, { a, b }];
      throw new SyntaxError(
        `Cannot read "${file}": tensor "${a === undefined ? keys.a : keys.b}" must be beside its other half, got none`,
      );
    }),
  );
}

/** What {@linkcode checkModules} compares. */
interface Listing {
  readonly tensors: ReadonlyMap<string, unknown>;
  readonly json: PeftConfig;
  readonly file: string;
}

/** Modules with tensors are those of the model that the configuration names, all of them. */
function checkModules(modules: readonly FamilyModule[], { tensors, json, file }: Listing): void {
  const { targetModules, isNarrowed } = json;
  const isNamed = (name: string) =>
    typeof targetModules === "string" || targetModules.some((target) => isTarget(target, name));
  const names = new Set(modules.map(({ name }) => name));
  for (const name of tensors.keys()) {
    if (!names.has(name)) {
      const known = [...new Set([...names].map((one) => one.split(".").pop()))].join(", ");
      throw new RangeError(
        `Cannot read "${file}": adapted modules must be matrices of the model's blocks (${known}), got "${name}"`,
      );
    }
    if (!isNamed(name)) {
      throw new SyntaxError(
        `Cannot read "${file}": its modules must be among the target_modules of ${PEFT_CONFIG_FILE}, got "${name}"`,
      );
    }
  }
  if (typeof targetModules === "string" || isNarrowed) return;
  const missing = [...names].find((name) => isNamed(name) && !tensors.has(name));
  if (missing === undefined) return;
  throw new SyntaxError(
    `Cannot read "${file}": each of the target_modules of ${PEFT_CONFIG_FILE} must be in it, got none of "${missing}"`,
  );
}

function strengthIn(json: PeftConfig, module: string): LoraStrength {
  return {
    rank: matchPattern(json.rankPattern, module) ?? json.rank,
    alpha: matchPattern(json.alphaPattern, module) ?? json.alpha,
  };
}

async function readPair(
  { name, parts }: FamilyModule,
  { a, b }: { readonly a: TensorInFile; readonly b: TensorInFile },
  { rank }: LoraStrength,
): Promise<AdapterPair> {
  const dOut = parts.reduce((sum, part) => sum + part.dOut, 0);
  const { dIn } = parts[0]!;
  const keys = peftKeys(name);
  return {
    rank,
    a: await readFloats(a, keys.a, [rank, dIn]),
    b: await readFloats(b, keys.b, [dOut, rank]),
  };
}

async function readFloats(
  tensor: TensorInFile,
  name: string,
  shape: readonly [number, number],
): Promise<Float32Array<ArrayBuffer>> {
  if (tensor.shape.join() !== shape.join()) {
    throw new RangeError(
      `Cannot read "${tensor.file}": tensor "${name}" must have shape [${shape.join(", ")}] for this model and rank, got [${tensor.shape.join(", ")}]`,
    );
  }
  if (!isFloatDtype(tensor.dtype)) throw notFloats(name, tensor.dtype, tensor.file);
  return decodeFloats((await tensor.read()).slice(), tensor.dtype);
}

/** Adapters of a layer's matrices: the very ones that were joined, if that is known. */
function partsOf(
  { parts }: FamilyModule,
  fused: AdapterPair,
  {
    strength,
    json: { rsLora },
    ranks,
  }: { strength: LoraStrength; json: PeftConfig; ranks: readonly number[] | undefined },
): PartAdapter[] {
  const separate = ranks && separateAdapters(parts, fused, ranks);
  const pairs = separate ?? splitAdapter(parts, fused);
  return parts.flatMap((part, index): PartAdapter[] => {
    const pair = pairs[index];
    if (pair === undefined) return [];
    const exact = alphaOfRank(pair.rank, { ...strength, rsLora });
    // Writing has multiplied by a root, too; what both have rounded, this takes back.
    const alpha = rsLora ? Number(exact.toPrecision(ALPHA_DIGITS)) : exact;
    return [{ part, ...pair, alpha }];
  });
}

/** Ranks that `exportPeft()` has joined, by module; what is no such note says nothing. */
function joinedRanks({ metadata }: SafetensorsFile): Map<string, readonly number[]> {
  const note = metadata.get(JOINED_KEY);
  const ranks = new Map<string, readonly number[]>();
  if (note === undefined) return ranks;
  try {
    for (const [module, value] of Object.entries(JSON.parse(note) as Record<string, unknown>)) {
      if (!Array.isArray(value)) continue;
      if (value.every((rank) => Number.isSafeInteger(rank) && rank >= 0)) {
        ranks.set(module, value as number[]);
      }
    }
  } catch {
    // Other programs may write what they like under this key.
  }
  return ranks;
}

function adapterOf(
  config: ModelConfig,
  parts: readonly PartAdapter[],
  { rank, alpha, dropout, rsLora }: PeftConfig,
): LoraAdapter {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { part, a, b } of parts) {
    const labels = loraLabels(part);
    values.set(labels.a, a).set(labels.b, b);
  }
  const isEqual = (x: LoraStrength, y: LoraStrength) => x.rank === y.rank && x.alpha === y.alpha;
  const common = parts.find((one) => isEqual(one, { rank, alpha })) ?? parts[0]!;
  const others = parts.filter((one) => !isEqual(one, common));
  const lora: LoraConfig = {
    rank: common.rank,
    alpha: common.alpha,
    dropout,
    targetModules: shortTargets(
      parts.map(({ part }) => part.name),
      linearModules(config).map(({ name }) => name),
    ),
    rsLora,
    ...(others.length > 0 && {
      perModule: Object.fromEntries(
        others.map((one) => [one.part.name, { rank: one.rank, alpha: one.alpha }]),
      ),
    }),
  };
  return { config: lora, values };
}
