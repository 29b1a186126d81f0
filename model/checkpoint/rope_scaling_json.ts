import { yarnAttentionFactor } from "../../engine/ops/rope_scaling.ts";
import type { RopeScaling } from "../transformer/config.ts";
import type { Fields } from "./fields.ts";
import type { JsonObject } from "./strict_json.ts";

/** Ways to scale rotary positions that are supported, by the name that a file gives them. */
const TYPES = ["default", "linear", "llama3", "yarn"] as const;

/** Constants of YaRN's paper, which files leave out. */
const YARN = { betaFast: 32, betaSlow: 1 } as const;

/** Rotary positions of a model. */
export interface RopeSettings {
  /** Base of the frequencies. */
  readonly theta: number;
  readonly scaling: RopeScaling | null;
}

/**
 * Reads how positions rotate, from `rope_scaling` and `rope_theta`, or from `rope_parameters` of
 * newer files.
 *
 * @param fields The whole of `config.json`.
 * @param maxSeqLen Longest document; YaRN's original context unless the file says otherwise.
 * @throws {SyntaxError} If the scaling is of an unknown type, or a field of it is malformed.
 * @see {@link https://huggingface.co/docs/transformers/internal/rope_utils | The fields}
 */
export function ropeFromJson(fields: Fields, maxSeqLen: number): RopeSettings {
  const parameters = fields.object("rope_parameters");
  const scaling = fields.object("rope_scaling");
  for (const group of [fields, parameters, scaling]) {
    group.only("partial_rotary_factor", [1], "must be 1, whole heads are rotated");
  }
  const orElse = parameters.number("rope_theta", { orElse: 10_000 });
  const theta = fields.number("rope_theta", { orElse });
  const [older, newer] = [
    scalingFromJson(scaling, maxSeqLen),
    scalingFromJson(parameters, maxSeqLen),
  ];
  if (older !== null && newer !== null && !isSame(older, newer)) {
    fields.refuse("rope_scaling", "must say the same as rope_parameters");
  }
  return { theta, scaling: older ?? newer };
}

/** Content of `rope_scaling`. */
export function ropeScalingToJson(scaling: RopeScaling | null): JsonObject | null {
  if (scaling === null) return null;
  const { type, factor } = scaling;
  if (scaling.type === "linear") return { rope_type: type, factor };
  const original = { original_max_position_embeddings: scaling.originalMaxSeqLen };
  if (scaling.type === "llama3") {
    const { lowFreqFactor, highFreqFactor } = scaling;
    return {
      rope_type: type,
      factor,
      low_freq_factor: lowFreqFactor,
      high_freq_factor: highFreqFactor,
      ...original,
    };
  }
  const { betaFast, betaSlow, attentionFactor } = scaling;
  return {
    rope_type: type,
    factor,
    ...original,
    beta_fast: betaFast,
    beta_slow: betaSlow,
    attention_factor: attentionFactor,
  };
}

function scalingFromJson(group: Fields, maxSeqLen: number): RopeScaling | null {
  const legacy = group.choice("type", TYPES, { orElse: "default" });
  const type = group.choice("rope_type", TYPES, { orElse: legacy });
  if (type === "default") return null;
  const factor = group.number("factor");
  if (type === "linear") return { type, factor };
  if (type === "llama3") {
    return {
      type,
      factor,
      lowFreqFactor: group.number("low_freq_factor"),
      highFreqFactor: group.number("high_freq_factor"),
      originalMaxSeqLen: group.number("original_max_position_embeddings"),
    };
  }
  group.only("truncate", [true], "must be true");
  if ((group.raw("attention_factor") ?? null) === null) {
    // Libraries disagree about what these do to the attention factor, so that none is right.
    const rule = "must be absent, or attention_factor be given instead";
    for (const key of ["mscale", "mscale_all_dim"]) group.only(key, [0], rule);
  }
  return {
    type,
    factor,
    originalMaxSeqLen: group.number("original_max_position_embeddings", { orElse: maxSeqLen }),
    betaFast: group.number("beta_fast", { orElse: YARN.betaFast }),
    betaSlow: group.number("beta_slow", { orElse: YARN.betaSlow }),
    attentionFactor: group.number("attention_factor", { orElse: yarnAttentionFactor(factor) }),
  };
}

function isSame(a: RopeScaling, b: RopeScaling): boolean {
  return JSON.stringify(a) === JSON.stringify(b); // both were made by the same lines
}
