import { Bench, type TaskResult } from "tinybench";
import { type Batch, type EncodedResume, IGNORED } from "../data/batch.ts";
import {
  encodeResume,
  NUM_OCCUPATIONS,
  occupationIndex,
  titleTokens,
  Tokenizer,
  trainResumeTokenizer,
} from "../data/mod.ts";
import { syntheticPopulation } from "../data/synthetic/mod.ts";
import type { Gpu } from "../engine/gpu.ts";
import { LanguageModel } from "../model/occupation/language_model.ts";
import { LossStep } from "../model/train/loss_step.ts";
import { DEFAULT_CONFIG } from "../model/transformer/config.ts";
import { Transformer } from "../model/transformer/transformer.ts";

/** What {@linkcode measureTitleScoring} found. */
export interface TitleScoring {
  readonly numParameters: number;
  readonly promptTokens: number;
  readonly treeNodes: number;
  /** All titles in one pass over their prefix tree, ms. */
  readonly onePassMs: number;
  /** A pass for each title behind the prompt, ms. */
  readonly oneByOneMs: number;
  readonly ratio: number;
  /** Largest difference of a log-probability between the two ways. */
  readonly error: number;
}

/** Times the distribution over all titles after one prompt, both ways, side by side. */
export async function measureTitleScoring(gpu: Gpu, rounds = 5): Promise<TitleScoring> {
  const careers = syntheticPopulation("survey").generate(2000, { seed: 1 });
  const tokenizer = Tokenizer.fromJson(trainResumeTokenizer(careers, { vocabSize: 2048 }));
  const titles = titleTokens(tokenizer);
  const career = careers.reduce((longest, other) =>
    other.observations.length > longest.observations.length ? other : longest,
  );
  const resume = encodeResume(career, tokenizer);
  const { vocabSize } = tokenizer;
  const model = Transformer.create(gpu, { ...DEFAULT_CONFIG, vocabSize, dHidden: 256 });
  const observation = career.observations.length - 1;
  const language = new LanguageModel(gpu, model, { titles });
  const occupations = career.observations.map(({ occupation }) => occupationIndex(occupation));
  const person = { career, occupations, resume };
  const prompt = resume.titles[observation]!.start;
  const longest = Math.max(...titles.map(({ length }) => length));
  const seqLen = prompt + longest;
  const step = new LossStep(gpu, model, { numRows: 1, seqLen });
  await step.compile();

  const together = await language.distribution(person, observation);
  const sums = await scoreEach(step, { resume, prompt, seqLen, titles });
  const total = sums.reduce((sum, value) => sum + Math.exp(value), 0);
  const errors = sums.map((value, title) =>
    Math.abs(Math.log(together[title]!) - (value - Math.log(total))),
  );
  // Both have run once, which compiled them; the rounds alternate as tinybench has it.
  const bench = new Bench({ time: 0, iterations: rounds, warmup: false });
  bench.add("one pass", () => language.distribution(person, observation));
  bench.add("one by one", () => scoreEach(step, { resume, prompt, seqLen, titles }));
  await bench.run();
  const [onePassMs, oneByOneMs] = bench.tasks.map(({ result }) => medianOf(result));
  language.destroy();
  step.destroy();
  if (titles.length !== NUM_OCCUPATIONS) throw new Error("every occupation must have a title");
  return {
    numParameters: model.numParameters,
    promptTokens: prompt,
    treeNodes: language.tree.tokens.length,
    onePassMs: onePassMs!,
    oneByOneMs: oneByOneMs!,
    ratio: oneByOneMs! / onePassMs!,
    error: Math.max(...errors),
  };
}

/** Sum of each title's token log-probabilities, a pass a title. */
async function scoreEach(
  step: LossStep,
  {
    resume,
    prompt,
    seqLen,
    titles,
  }: {
    readonly resume: EncodedResume;
    readonly prompt: number;
    readonly seqLen: number;
    readonly titles: readonly Uint32Array[];
  },
): Promise<number[]> {
  const sums: number[] = [];
  for (const title of titles) {
    const tokens = new Uint32Array(seqLen);
    tokens.set(resume.tokens.subarray(0, prompt));
    tokens.set(title, prompt);
    const targets = new Uint32Array(seqLen).fill(IGNORED);
    targets.set(title, prompt - 1);
    const batch: Batch = {
      label: "a title",
      numRows: 1,
      seqLen,
      tokens,
      targets,
      weights: new Float32Array(seqLen),
      positions: Uint32Array.from(tokens, (_, i) => i),
      starts: new Uint32Array(seqLen),
      ends: new Uint32Array(seqLen).fill(seqLen),
    };
    const values = await step.logProbabilities(batch);
    sums.push(values.reduce((sum, value) => sum + value, 0));
  }
  return sums;
}

function medianOf(result: Readonly<TaskResult>): number {
  if (result.state !== "completed") throw new Error(`Cannot time a task: it ended ${result.state}`);
  return result.latency.p50;
}
