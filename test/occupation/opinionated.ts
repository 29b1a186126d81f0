import type { Batch, EncodedResume } from "../../data/batch.ts";
import { Random } from "../../data/random.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { DEFAULT_CONFIG } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";

const VOCAB_SIZE = 40;
export const MAX_SEQ_LEN = 128;
/** Sums of a handful of f32 log-probabilities, each near −5 with an error of some ulps. */
export const TOLERANCE = { rtol: 1e-6, atol: 3e-5 };

const random = Random.from(3, "language model test");
/** A random model with opinions: fresh weights predict almost uniformly, and pruning has no point. */
export async function opinionated(gpu: Gpu): Promise<Transformer> {
  const model = Transformer.create(
    gpu,
    {
      ...DEFAULT_CONFIG,
      vocabSize: VOCAB_SIZE,
      dModel: 32,
      dHidden: 48,
      numBlocks: 2,
      numHeads: 4,
      numKvHeads: 2,
      headDim: 8,
      maxSeqLen: MAX_SEQ_LEN,
    },
    { seed: 5 },
  );
  for (const parameter of model.parameters) {
    if (parameter.shape.length === 1) continue;
    const values = await gpu.read(parameter);
    gpu.write(
      parameter,
      values.map((weight) => weight * 12),
    );
  }
  return model;
}

/** The same weights, but no token sees further than the two titles before it. */
export function shortSightedOf(
  gpu: Gpu,
  { config, tensors, parameters }: Transformer,
): Transformer {
  return new Transformer(gpu, { ...config, slidingWindow: 7 }, { tensors, parameters });
}

/** Titles of 1 to 4 tokens; the second begins the third, as "Physicians" does its assistants. */
export const TITLES = [
  [1], [2, 3], [2, 3, 4], [2, 5], [6, 7, 8, 9], [6, 7, 10], [11], [12, 1], [12, 13, 2], [14],
  [15, 16], [15, 17, 18], [15, 17, 19], [20, 21], [22, 23, 24], [25],
].map((tokens) => Uint32Array.from(tokens)); // prettier-ignore

/** A person with random occupations, and a resume as tokens. */
export function makePerson(id: string, numObservations: number): Person {
  const tokens = [30, 31, 32];
  const occupations = Array.from({ length: numObservations }, () => random.below(TITLES.length));
  const titles = occupations.map((occupation, index) => {
    tokens.push(33 + (index % 3), 36);
    const start = tokens.length;
    tokens.push(...TITLES[occupation]!, 37);
    const previous = index > 0 ? { previous: occupations[index - 1]! } : {};
    return { start, end: tokens.length - 1, occupation, ...previous };
  });
  const resume: EncodedResume = { id, tokens: Uint32Array.from(tokens), titles };
  const career = { id, gender: "female", ethnicity: "white", observations: [] };
  return { career, occupations, resume };
}

/** Log-probability of each title after a prompt, each title in a forward pass of its own. */
export async function oneByOne(
  gpu: Gpu,
  of: Transformer,
  { person: { resume }, observation }: { readonly person: Person; readonly observation: number },
): Promise<Float64Array> {
  const step = await new LossStep(gpu, of, { numRows: 1, seqLen: MAX_SEQ_LEN }).compile();
  const { start } = resume!.titles[observation]!;
  const sums = new Float64Array(TITLES.length);
  for (const [which, title] of TITLES.entries()) {
    const tokens = new Uint32Array(MAX_SEQ_LEN);
    tokens.set(resume!.tokens.subarray(0, start));
    tokens.set(title, start);
    const targets = new Uint32Array(MAX_SEQ_LEN).fill(0xffff_ffff);
    targets.set(title, start - 1);
    const batch: Batch = {
      label: "one title",
      numRows: 1,
      seqLen: MAX_SEQ_LEN,
      tokens,
      targets,
      weights: new Float32Array(MAX_SEQ_LEN),
      positions: Uint32Array.from(tokens, (_, i) => i),
      starts: new Uint32Array(MAX_SEQ_LEN),
      ends: new Uint32Array(MAX_SEQ_LEN).fill(MAX_SEQ_LEN),
    };
    sums[which] = (await step.logProbabilities(batch)).reduce((sum, value) => sum + value, 0);
  }
  step.destroy();
  return sums;
}
