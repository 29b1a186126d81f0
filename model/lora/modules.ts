import { modelTypeOf } from "../checkpoint/config_json.ts";
import { tensorLayouts } from "../checkpoint/tensor_layout.ts";
import type { ModelConfig } from "../transformer/config.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";

/** A matrix that can be adapted. */
export interface LinearModule {
  /** Such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  readonly dOut: number;
  readonly dIn: number;
}

/** A linear layer under the name that its family has for it, and our matrices in it. */
export interface FamilyModule {
  /** Such as `transformer.h.0.attn.c_attn`. */
  readonly name: string;
  /** One below the other: more than one in GPT-2's `c_attn`. */
  readonly parts: readonly LinearModule[];
}

/** Every matrix of a model's blocks, in order. */
export function linearModules(config: ModelConfig): LinearModule[] {
  const modules: LinearModule[] = [];
  for (const { label, shape } of weightShapes(config)) {
    const [dOut, dIn] = shape;
    if (!label.startsWith("model.layers.") || dOut === undefined || dIn === undefined) continue;
    modules.push({ name: moduleOf(label), dOut, dIn });
  }
  return modules;
}

/** The same matrices as the layers of the model's family, in its order. */
export function familyModules(config: ModelConfig): FamilyModule[] {
  const known = new Map(linearModules(config).map((module) => [module.name, module]));
  const modules: FamilyModule[] = [];
  for (const { name, parts } of tensorLayouts(config, modelTypeOf(config))) {
    const found = parts.flatMap(({ label }) => known.get(moduleOf(label)) ?? []);
    if (name.endsWith(".weight") && found.length > 0) {
      modules.push({ name: moduleOf(name), parts: found });
    }
  }
  return modules;
}

/** Whether a target is a module's name, or the last parts of it. */
export function isTarget(target: string, name: string): boolean {
  return name === target || name.endsWith(`.${target}`);
}

/**
 * The shortest ends of names that tell some from all others: `q_proj` where every `q_proj` is
 * among them, whole names at worst.
 *
 * @param chosen Names to tell apart, all of which are in `all`.
 * @param isAlike Whether another name may be meant, too. @default {if it is chosen}
 */
export function shortTargets(
  chosen: readonly string[],
  all: readonly string[],
  isAlike?: (name: string, other: string) => boolean,
): string[] {
  const set = new Set(chosen);
  const alike = isAlike ?? ((_, other) => set.has(other));
  const targets = new Set<string>();
  for (const name of chosen) {
    const parts = name.split(".");
    const ends = parts.map((_, i) => parts.slice(parts.length - 1 - i).join("."));
    const isClear = (end: string) =>
      all.every((other) => !isTarget(end, other) || alike(name, other));
    targets.add(ends.find(isClear) ?? name);
  }
  return [...targets];
}

function moduleOf(label: string): string {
  return label.replace(/\.(weight|bias)$/, "");
}
