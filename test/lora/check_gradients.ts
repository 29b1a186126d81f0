import assert from "node:assert/strict";
import type { Gpu } from "../../engine/gpu.ts";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { attachLora, loraLabels } from "../../model/lora/adapter.ts";
import { adaptedModules, type LoraConfig, loraScale, strengthOf } from "../../model/lora/config.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { BATCH } from "../model/check_transformer.ts";
import { mergedReference, type ReferenceAdapter } from "../reference/lora.ts";
import { transformerReference } from "../reference/transformer.ts";
import { assertClose, uniform } from "../support.ts";
import { differentiate, SEED, STEP, trainedAdapter } from "./adapted_model.ts";

// Some 80 roundings of f32 between an adapter and the loss of a few dozen tokens.
const LOSS_TOLERANCE = { rtol: 4e-6, atol: 0 };
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;
/** Where dropout of each module is keyed, behind those of sublayers. */
const MODULES = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
];

/**
 * Checks loss and every adapter's gradient, along one direction, against float64.
 *
 * @param weightOf What the base's tensors stand for.
 */
export async function checkAdapterGradients(
  gpu: Gpu,
  base: Transformer,
  lora: LoraConfig,
  weightOf = async (tensor: Tensor) => Float64Array.from(await gpu.read(tensor)),
): Promise<void> {
  const { config } = base;
  const { values } = trainedAdapter(config, lora);
  const model = attachLora(gpu, base, lora, { values });
  const { loss, gradients } = await differentiate(gpu, model);
  const entries = await Promise.all(
    Array.from(base.tensors, async ([label, tensor]) => {
      return [label, await weightOf(tensor)] as const;
    }),
  );
  const frozen = Object.fromEntries(entries);
  const randomness = randomnessOf({ seed: SEED, step: STEP });
  const lossWith = (changed?: string, value?: Float64Array): number => {
    const valueOf = (label: string) =>
      label === changed ? value! : Float64Array.from(values.get(label)!);
    const adapters = new Map<string, ReferenceAdapter>();
    const merged: Record<string, Float64Array> = { ...frozen };
    for (const module of adaptedModules(config, lora)) {
      const { a, b } = loraLabels(module);
      const scale = loraScale({ ...lora, ...strengthOf(lora, module.name) });
      const adapter = { a: valueOf(a), b: valueOf(b), scale };
      const [, block, name] = /layers\.(\d+)\.(.*)$/.exec(module.name)!;
      const id = (Number(block) + 1) * 2 ** 16 + MODULES.indexOf(name!);
      const label = `${module.name}.weight`;
      if (lora.dropout > 0) {
        adapters.set(module.name, { ...adapter, dropout: { rate: lora.dropout, id } });
      } else {
        merged[label] = mergedReference(frozen[label]!, adapter, module.dIn);
      }
    }
    return transformerReference(config, merged, { batch: BATCH, randomness, adapters }).loss;
  };
  assertClose([loss], [lossWith()], { what: "loss", ...LOSS_TOLERANCE });
  for (const [index, { label }] of model.parameters.entries()) {
    const gradient = gradients[index]!;
    const direction = uniform(gradient.length, 100 + index);
    const derivative = directionalDerivative(
      (value) => lossWith(label, value),
      Float64Array.from(values.get(label)!),
      direction,
    );
    const size = dot(gradient.map(Math.abs), direction.map(Math.abs));
    assert.ok(size > 0, `d(${label}) must not vanish`);
    assertClose([dot(gradient, direction)], [derivative], {
      what: `d(${label})`,
      rtol: 0,
      atol: GRADIENT_TOLERANCE * Math.max(1, size),
    });
  }
}
