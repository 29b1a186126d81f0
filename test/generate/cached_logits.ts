import type { Gpu } from "../../engine/gpu.ts";
import { linear } from "../../engine/ops/linear.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { CachedInputs, textSpan } from "../../model/generate/cached_inputs.ts";
import { KvCache } from "../../model/generate/kv_cache.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { packedBatch } from "../model/tiny_model.ts";

/** Logits of every position of every text, read in pieces of the given lengths over a cache. */
export async function cachedLogits(
  gpu: Gpu,
  model: Transformer,
  {
    texts,
    lengths,
    capacity,
  }: {
    readonly texts: readonly Uint32Array[];
    /** Tokens of each piece; the last one is repeated. */
    readonly lengths: readonly number[];
    readonly capacity: number;
  },
): Promise<Float32Array[]> {
  const { vocabSize, slidingWindow } = model.config;
  const cache = new KvCache(gpu, model.config, { numRows: texts.length, capacity });
  const results = texts.map(({ length }) => new Float32Array(length * vocabSize));
  const longest = Math.max(...texts.map(({ length }) => length));
  let piece = 0;
  for (let begin = 0; begin < longest; piece++) {
    const seqLen = lengths[Math.min(piece, lengths.length - 1)]!;
    const inputs = new CachedInputs(gpu, cache, seqLen);
    const tape = new Tape(gpu);
    const logits = linear(tape, model.hidden(tape, inputs), model.weights.output);
    const plan = await new Plan(gpu, tape, { keep: [logits] }).compile();
    inputs.write(
      texts.map((text) => textSpan(text.subarray(begin, begin + seqLen), begin, slidingWindow)),
    );
    plan.run();
    const [values] = await plan.read(logits);
    texts.forEach((text, row) => {
      const count = Math.min(seqLen, text.length - begin);
      if (count <= 0) return;
      const from = row * seqLen * vocabSize;
      results[row]!.set(values!.subarray(from, from + count * vocabSize), begin * vocabSize);
    });
    plan.destroy();
    inputs.destroy();
    begin += seqLen;
  }
  cache.destroy();
  return results;
}

/** Logits of every position of one text by a forward pass over all of it. */
export async function fullLogits(
  gpu: Gpu,
  model: Transformer,
  text: Uint32Array,
): Promise<Float32Array> {
  const inputs = new ModelInputs(gpu, model.config, { numRows: 1, seqLen: text.length });
  const tape = new Tape(gpu);
  const logits = linear(tape, model.hidden(tape, inputs), model.weights.output);
  const plan = await new Plan(gpu, tape, { keep: [logits] }).compile();
  const batch = packedBatch([[text.length]], { seqLen: text.length });
  inputs.write({ ...batch, tokens: Uint32Array.from(text) });
  plan.run();
  const [values] = await plan.read(logits);
  plan.destroy();
  inputs.destroy();
  return values!;
}

/** `log softmax` of one position's logits, in float64. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const top = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const sum = values.reduce((total, value) => total + Math.exp(value - top), 0);
  return values.map((value) => value - top - Math.log(sum));
}
