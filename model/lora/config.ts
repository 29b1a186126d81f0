import type { ModelConfig } from "../transformer/config.ts";
import { familyModules, isTarget, type LinearModule, linearModules } from "./modules.ts";

export { DEFAULT_LORA } from "./default_lora.ts";

/** Rank of a change, and how much it counts. */
export interface LoraStrength {
  /** Rank of the change. */
  readonly rank: number;
  /** Scale of the change: it counts alpha / rank times, or alpha / √rank under rsLoRA. */
  readonly alpha: number;
}

/** How a model is adapted: which matrices get a low-rank change, and of what rank. */
export interface LoraConfig extends LoraStrength {
  /** Share of the inputs dropped in training. */
  readonly dropout: number;
  /**
   * Last parts of the names of modules, such as `q_proj`, or whole names, ours or those of the
   * model's family, such as GPT-2's `c_attn`; `"all-linear"` for every matrix of every block.
   */
  readonly targetModules: readonly string[] | "all-linear";
  /**
   * Scales by alpha / √rank, so that higher ranks learn as fast.
   *
   * @see {@link https://arxiv.org/abs/2312.03732 | Kalajdzievski, "rsLoRA", 2023}
   */
  readonly rsLora: boolean;
  /** Strengths of single modules that differ from the others', by our whole name. */
  readonly perModule?: Readonly<Record<string, LoraStrength>>;
}

/** How much a change counts. */
export function loraScale({
  rank,
  alpha,
  rsLora,
}: LoraStrength & Pick<LoraConfig, "rsLora">): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank);
}

/** The alpha that gives another rank the same scale. */
export function alphaOfRank(
  rank: number,
  other: LoraStrength & Pick<LoraConfig, "rsLora">,
): number {
  if (rank === other.rank) return other.alpha;
  if (!other.rsLora) return (other.alpha * rank) / other.rank;
  return other.alpha * Math.sqrt(rank / other.rank);
}

/** Rank and alpha of a module, by our whole name. */
export function strengthOf(
  { rank, alpha, perModule = {} }: Pick<LoraConfig, "rank" | "alpha" | "perModule">,
  module: string,
): LoraStrength {
  return Object.hasOwn(perModule, module) ? perModule[module]! : { rank, alpha };
}

/**
 * The matrices that a configuration adapts, in the model's order.
 *
 * @throws {RangeError} If a number is out of range, or a target names no matrix of the model.
 */
export function adaptedModules(config: ModelConfig, lora: LoraConfig): LinearModule[] {
  const { dropout, targetModules, perModule = {} } = lora;
  checkStrength(lora);
  if (!(dropout >= 0 && dropout < 1)) fail("dropout must lie in [0, 1)", dropout);
  const modules = linearModules(config);
  const adapted =
    targetModules === "all-linear" ? modules : modulesOfTargets(config, modules, targetModules);
  for (const [name, strength] of Object.entries(perModule)) {
    if (!adapted.some((module) => module.name === name)) {
      fail("perModule must name matrices that are adapted", `"${name}"`);
    }
    checkStrength(strength);
  }
  return adapted;
}

function checkStrength({ rank, alpha }: LoraStrength): void {
  if (!Number.isSafeInteger(rank) || rank < 1) fail("rank must be a positive integer", rank);
  if (!(Number.isFinite(alpha) && alpha > 0)) fail("alpha must be positive", alpha);
}

function modulesOfTargets(
  config: ModelConfig,
  modules: readonly LinearModule[],
  targets: readonly string[],
): LinearModule[] {
  if (targets.length === 0) fail("targetModules must name a matrix", "none");
  const adapted = new Set<string>();
  const families = familyModules(config);
  for (const target of targets) {
    const own = modules.filter(({ name }) => isTarget(target, name));
    const family = families.filter(({ name }) => isTarget(target, name));
    const found = [...own, ...family.flatMap(({ parts }) => parts)];
    if (found.length === 0) {
      const names = [...modules, ...families].map(({ name }) => name.split(".").pop());
      const known = [...new Set(names)].join(", ");
      fail(`targetModules must name matrices of the model (${known})`, `"${target}"`);
    }
    for (const { name } of found) adapted.add(name);
  }
  return modules.filter(({ name }) => adapted.has(name));
}

function fail(rule: string, got: unknown): never {
  throw new RangeError(`Cannot adapt a model: ${rule}, got ${String(got)}`);
}
