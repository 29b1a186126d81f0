import type { Gpu } from "../../engine/gpu.ts";
import { packParameters } from "../../engine/parameters.ts";
import { uniform } from "../random.ts";
import { Transformer } from "../transformer/transformer.ts";
import type { LoraWeights } from "../transformer/weights.ts";
import {
  adaptedModules,
  type LoraConfig,
  loraScale,
  type LoraStrength,
  strengthOf,
} from "./config.ts";
import type { LinearModule } from "./modules.ts";

/** Values of adapters by label: `<module>.lora_A.weight` `[rank, dIn]`, `<module>.lora_B.weight` `[dOut, rank]`. */
export type LoraValues = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** A trained adapter: all that is kept of it. */
export interface LoraAdapter {
  readonly config: LoraConfig;
  readonly values: LoraValues;
}

/** How {@linkcode attachLora} fills adapters. */
export interface AttachOptions {
  /** Seed of fresh adapters. @default {0} */
  readonly seed?: number;
  /** Adapters that were trained before, in place of fresh ones. */
  readonly values?: LoraValues;
}

/** Labels of a module's adapter. */
export function loraLabels({ name }: Pick<LinearModule, "name">): { a: string; b: string } {
  return { a: `${name}.lora_A.weight`, b: `${name}.lora_B.weight` };
}

/**
 * A model with low-rank changes, which alone are trained; it shares the tensors of `base`.
 *
 *     y = x · Wᵀ + scale · dropout(x) · Aᵀ · Bᵀ
 *
 * Fresh adapters change nothing: B is zero, and A uniform in ±1 / √dIn, as PEFT draws it. The
 * base may be held in any format: gradients flow through it, never into it.
 *
 * @param gpu The device of `base`.
 * @param base A model without adapters.
 * @param lora Which matrices, and how.
 * @param options Seed or values of the adapters.
 * @throws {RangeError} If the configuration does not fit the model, or the values do not fit it.
 * @throws {TypeError} If the base has adapters already.
 * @see {@link https://arxiv.org/abs/2106.09685 | Hu et al., "LoRA", 2021}
 * @see {@link https://arxiv.org/abs/2305.14314 | Dettmers et al., "QLoRA", 2023}
 */
export function attachLora(
  gpu: Gpu,
  base: Transformer,
  lora: LoraConfig,
  { seed = 0, values }: AttachOptions = {},
): Transformer {
  const modules = adaptedModules(base.config, lora);
  checkBare(base);
  const shapes = modules.flatMap((module) => loraShapes(module, strengthOf(lora, module.name)));
  if (values !== undefined) checkValues(shapes, values);
  const parameters = packParameters(gpu, shapes);
  shapes.forEach(({ label, shape }, index) => {
    const own = values?.get(label) ?? initial(shape, label, { seed, stream: index });
    gpu.write(parameters[index]!, own);
  });
  const byLabel = new Map(parameters.map((parameter) => [parameter.label, parameter]));
  const adapters = new Map(
    modules.map((module): [string, LoraWeights] => {
      const { a, b } = loraLabels(module);
      const pair = { a: byLabel.get(a)!, b: byLabel.get(b)! };
      const strength = strengthOf(lora, module.name);
      const scale = loraScale({ ...strength, rsLora: lora.rsLora });
      return [module.name, { ...pair, scale, dropout: lora.dropout }];
    }),
  );
  return new Transformer(gpu, base.config, {
    tensors: base.frozenTensors(),
    parameters,
    loraOf: (name) => adapters.get(name),
    ...(base.rotaryTable !== undefined && { rotaryTable: base.rotaryTable }),
  });
}

/** Labels and shapes of a module's adapter. */
export function loraShapes(
  module: LinearModule,
  { rank }: LoraStrength,
): { readonly label: string; readonly shape: readonly [number, number] }[] {
  const { a, b } = loraLabels(module);
  return [
    { label: a, shape: [rank, module.dIn] },
    { label: b, shape: [module.dOut, rank] },
  ];
}

/** Adapters of the base would be lost without a word. */
function checkBare({ weights }: Transformer): void {
  const isAdapted = weights.blocks.some(({ query, key, value, output, gate, up, down }) =>
    [query, key, value, output, gate, up, down].some((linear) => linear?.lora !== undefined),
  );
  if (!isAdapted) return;
  throw new TypeError(
    "Cannot adapt a model: the base must have no adapters, got some; merge them first, or adapt their base",
  );
}

function initial(
  [rows, columns]: readonly [number, number],
  label: string,
  at: { readonly seed: number; readonly stream: number },
): Float32Array<ArrayBuffer> {
  const length = rows * columns;
  if (label.endsWith(".lora_B.weight")) return new Float32Array(length);
  const bound = 1 / Math.sqrt(columns);
  return uniform(length, { ...at, bound });
}

function checkValues(
  shapes: readonly { readonly label: string; readonly shape: readonly [number, number] }[],
  values: LoraValues,
): void {
  for (const { label, shape } of shapes) {
    const length = values.get(label)?.length;
    if (length === shape[0] * shape[1]) continue;
    throw new RangeError(
      `Cannot adapt a model: "${label}" must have shape [${shape.join(", ")}], got ${length === undefined ? "none" : `${length} values`}`,
    );
  }
  const known = new Set(shapes.map(({ label }) => label));
  const stranger = [...values.keys()].find((label) => !known.has(label));
  if (stranger === undefined) return;
  throw new RangeError(
    `Cannot adapt a model: adapters must belong to the matrices that are adapted, got "${stranger}"`,
  );
}
