import type { Gpu } from "../engine/gpu.ts";
import { linear } from "../engine/ops/linear.ts";
import { Plan } from "../engine/plan.ts";
import { Tape } from "../engine/tape.ts";
import { CachedInputs, textSpan } from "../model/generate/cached_inputs.ts";
import { KvCache } from "../model/generate/kv_cache.ts";
import type { Transformer } from "../model/transformer/transformer.ts";

/** Tokens that are read at a time: logits of a large vocabulary take a megabyte for eight. */
const CHUNK = 32;

/** Log-probabilities of all tokens after each token of a text, in float64. */
export async function nextTokenDistributions(
  gpu: Gpu,
  model: Transformer,
  tokens: Uint32Array,
): Promise<Float64Array[]> {
  const { config, weights } = model;
  const capacity = Math.ceil(tokens.length / CHUNK) * CHUNK;
  const cache = new KvCache(gpu, config, { numRows: 1, capacity });
  const inputs = new CachedInputs(gpu, cache, CHUNK);
  const tape = new Tape(gpu);
  const logits = linear(tape, model.hidden(tape, inputs), weights.output);
  const plan = await new Plan(gpu, tape, { keep: [logits] }).compile();
  const distributions: Float64Array[] = [];
  for (let begin = 0; begin < tokens.length; begin += CHUNK) {
    const part = tokens.subarray(begin, begin + CHUNK);
    inputs.write([textSpan(part, begin, config.slidingWindow)]);
    plan.run();
    const [values] = await plan.read(logits);
    for (let t = 0; t < part.length; t++) {
      const row = values!.subarray(t * config.vocabSize, (t + 1) * config.vocabSize);
      distributions.push(logSoftmax(row));
    }
  }
  plan.destroy();
  inputs.destroy();
  cache.destroy();
  return distributions;
}

/** exp of the mean surprise at each token but the first. */
export function perplexity(distributions: readonly Float64Array[], tokens: Uint32Array): number {
  let sum = 0;
  for (let t = 1; t < tokens.length; t++) sum -= distributions[t - 1]![tokens[t]!]!;
  return Math.exp(sum / (tokens.length - 1));
}

/** Mean over positions of KL(p ‖ q), in nats. */
export function klDivergence(p: readonly Float64Array[], q: readonly Float64Array[]): number {
  let sum = 0;
  p.forEach((logs, t) => {
    logs.forEach((log, token) => (sum += Math.exp(log) * (log - q[t]![token]!)));
  });
  return sum / p.length;
}

function logSoftmax(logits: Float32Array): Float64Array {
  const values = Float64Array.from(logits);
  const top = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
  return values.map((value) => value - top - Math.log(total));
}
