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
  /** All titles in one pass over their prefix tree, ms, each round. */
  readonly onePassRounds: readonly number[];
  /** A pass for each title behind the prompt, ms, each round. */
  readonly oneByOneRounds: readonly number[];
  /** Largest difference of a log-probability between the two ways. */
  readonly error: number;
}

/** How often {@linkcode measureTitleScoring} measures. */
export interface TitleScoringOptions {
  /** Rounds of each way. @default {5} */
  readonly rounds?: number;
  /** Times just the one pass; one by one is then run once, to check it. @default {false} */
  readonly onePassOnly?: boolean;
}

/** Times the distribution over all titles after one prompt, both ways, one after the other. */
export async function measureTitleScoring(
  gpu: Gpu,
  { rounds = 5, onePassOnly = false }: TitleScoringOptions = {},
): Promise<TitleScoring> {
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
  // Both have run once, which compiled them.
  const bench = new Bench({ time: 0, iterations: rounds, warmup: false, retainSamples: true });
  bench.add("one pass", () => language.distribution(person, observation));
  if (!onePassOnly) {
    bench.add("one by one", () => scoreEach(step, { resume, prompt, seqLen, titles }));
  }
  await bench.run();
  const [onePassRounds = [], oneByOneRounds = []] = bench.tasks.map(({ result }) =>
    samplesOf(result),
  );
  language.destroy();
  step.destroy();
  if (titles.length !== NUM_OCCUPATIONS) throw new Error("every occupation must have a title");
  return {
    numParameters: model.numParameters,
    promptTokens: prompt,
    treeNodes: language.tree.tokens.length,
    onePassRounds,
    oneByOneRounds,
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

function samplesOf(result: Readonly<TaskResult>): number[] {
  if (result.state !== "completed") throw new Error(`Cannot time a task: it ended ${result.state}`);
  return [...result.latency.samples!];
}
