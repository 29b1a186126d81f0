import { tableLabel } from "../../model/career/career_model.ts";
import { type CareerConfig, transformerConfig } from "../../model/career/config.ts";
import type { CovariateVocabulary } from "../../model/career/covariates.ts";
import type { CareerBatch } from "../../model/career/pack.ts";
import { embeddingReference } from "./embedding.ts";
import { linearReference } from "./linear.ts";
import { type ReferenceWeights, transformerReference } from "./transformer.ts";
import { twoStageReference } from "./two_stage.ts";

/** CAREER in float64: the weighted loss of a batch, and the log-probability of every truth. */
export function careerReference(
  { config, vocabulary }: { config: CareerConfig; vocabulary: CovariateVocabulary },
  weights: ReferenceWeights,
  { batch, randomness }: { batch: CareerBatch; randomness?: Uint32Array },
): ReturnType<typeof twoStageReference> {
  const { dModel } = config;
  const { positions, previous, targets } = batch;
  const jobs = embeddingReference(weights["model.embed_tokens.weight"]!, previous, dModel);
  const tables = vocabulary.map(({ name }, which) =>
    embeddingReference(weights[tableLabel(name)]!, batch.covariates[which]!, dModel),
  );
  const x = jobs.map((job, at) => {
    const [t, i] = [positions[Math.floor(at / dModel)]!, at % dModel];
    const covariates = tables.reduce((sum, table) => sum + table[at]!, 0);
    return Math.sqrt(dModel) * job + sinusoid(t, i, dModel) + covariates;
  });
  // From here on it is a transformer whose every place has a token of its own.
  const places = Uint32Array.from(targets.keys());
  const given: ReferenceWeights = {
    ...weights,
    "model.embed_tokens.weight": x,
    "model.embed_positions.weight": new Float64Array(config.maxSeqLen * dModel),
  };
  const { hidden } = transformerReference(transformerConfig(config), given, {
    batch: { ...batch, tokens: places },
    ...(randomness !== undefined && { randomness }),
  });
  const weight = weights["lm_head.weight"]!;
  const bias = new Float64Array(config.numOccupations + 1);
  const logits = linearReference({ x: hidden, weight, bias });
  return twoStageReference({ logits, previous, targets, weights: batch.weights });
}

function sinusoid(t: number, i: number, dModel: number): number {
  const half = dModel / 2;
  const angle = t / 10_000 ** ((i % half) / (half - 1));
  return i < half ? Math.sin(angle) : Math.cos(angle);
}
