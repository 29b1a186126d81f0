import type { ModelConfig } from "../transformer/config.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";

/** How a model is adapted: which matrices get a low-rank change, and of what rank. */
export interface LoraConfig {
  /** Rank of the change. */
  readonly rank: number;
  /** Scale of the change: it counts alpha / rank times, or alpha / √rank under rsLoRA. */
  readonly alpha: number;
  /** Share of the inputs dropped in training. */
  readonly dropout: number;
  /**
   * Last parts of the names of modules, such as `q_proj`, or whole names; `"all-linear"` for
   * every matrix of every block.
   */
  readonly targetModules: readonly string[] | "all-linear";
  /**
   * Scales by alpha / √rank, so that higher ranks learn as fast.
   *
   * @see {@link https://arxiv.org/abs/2312.03732 | Kalajdzievski, "rsLoRA", 2023}
   */
  readonly rsLora: boolean;
}

/** What every field is unless said otherwise. */
export const DEFAULT_LORA: LoraConfig = {
  rank: 16,
  alpha: 32,
  dropout: 0,
  targetModules: "all-linear",
  rsLora: false,
};

/** A matrix that can be adapted. */
export interface LinearModule {
  /** Such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  readonly dOut: number;
  readonly dIn: number;
}

/** How much a change counts. */
export function loraScale({ rank, alpha, rsLora }: LoraConfig): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank);
}

/** Every matrix of a model's blocks, in order. */
export function linearModules(config: ModelConfig): LinearModule[] {
  const modules: LinearModule[] = [];
  for (const { label, shape } of weightShapes(config)) {
    const [dOut, dIn] = shape;
    if (!label.startsWith("model.layers.") || dOut === undefined || dIn === undefined) continue;
    modules.push({ name: label.replace(/\.weight$/, ""), dOut, dIn });
  }
  return modules;
}

/**
 * The matrices that a configuration adapts.
 *
 * @throws {RangeError} If a number is out of range, or a target names no matrix of the model.
 */
export function adaptedModules(config: ModelConfig, lora: LoraConfig): LinearModule[] {
  const { rank, alpha, dropout, targetModules } = lora;
  const fail = (rule: string, got: unknown): never => {
    throw new RangeError(`Cannot adapt a model: ${rule}, got ${String(got)}`);
  };
  if (!Number.isSafeInteger(rank) || rank < 1) fail("rank must be a positive integer", rank);
  if (!(Number.isFinite(alpha) && alpha > 0)) fail("alpha must be positive", alpha);
  if (!(dropout >= 0 && dropout < 1)) fail("dropout must lie in [0, 1)", dropout);
  const modules = linearModules(config);
  if (targetModules === "all-linear") return modules;
  const isTarget = (target: string, name: string) => name === target || name.endsWith(`.${target}`);
  for (const target of targetModules) {
    if (modules.some(({ name }) => isTarget(target, name))) continue;
    const known = [...new Set(modules.map(({ name }) => name.split(".").pop()))].join(", ");
    fail(`targetModules must name matrices of the model (${known})`, `"${target}"`);
  }
  const adapted = modules.filter(({ name }) => targetModules.some((one) => isTarget(one, name)));
  return adapted.length > 0 ? adapted : fail("targetModules must name a matrix", "none");
}
